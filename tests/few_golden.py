"""A part of a network's golden vectors that takes seconds to simulate, and has something for every unit and block."""

from pathlib import Path

from asq_model.spec.golden_vectors import read_golden, read_manifest, write_layer, write_manifest

LAYERS = ("block1.conv2", "block2.conv1", "fc")  # convolutions before maps of two sizes, and the 8-bit classifier
MAPS = ("conv", *LAYERS)
# 8 cycles for each of 65,536 products of its bench; units whose bench shows nothing that those of others do not.
LEFT_OUT = ("serial_mac_w8a8", "pot_mac_w3a3", "apot_mac_w3a3")
VECTORS = 24  # of each layer
OF_VECTORS = ("activations", "channels", "images", "positions", "steps", "torch")


def belongs(array: str, units: dict) -> bool:
    """Whether an array of a layer is of all units, or of one of these or its level set."""
    kind, _, of = array.partition("_")
    levels = [unit["level_set"] for unit in units.values()]
    return of in units if kind == "expected" else of in levels if kind in ("codes", "scales") else True


def write_few(golden: Path, folder: Path) -> None:
    """Write it to a folder, its manifest and digests its own."""
    manifest = read_manifest(golden)
    entries = []
    for layer in read_golden(golden):
        if layer.name in LAYERS:
            units = {name: unit for name, unit in layer.entry["units"].items() if name not in LEFT_OUT}
            arrays = {
                name: array[:VECTORS] if name in OF_VECTORS or name.startswith("expected_") else array
                for name, array in layer.arrays.items()
                if belongs(name, units)
            }
            sizes = {"vectors": VECTORS, "products": VECTORS * layer.entry["terms"], "units": units}
            entries.append({**layer.entry, **sizes, **write_layer(folder, layer.name, arrays)})
    maps = [entry for entry in manifest["maps"] if entry["name"] in MAPS]
    for entry in maps:
        (folder / entry["file"]).write_bytes((golden / entry["file"]).read_bytes())
    products = sum(entry["products"] for entry in entries)
    part = {name: value for name, value in manifest.items() if name != "graph"}
    write_manifest(folder, {**part, "layers": entries, "maps": maps, "products": products})
