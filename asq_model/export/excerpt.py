"""A small part of a folder of golden vectors, valid by itself: what hardware comparisons are checked against.

`sim/golden` holds such excerpts of five digits networks, so that measuring hardware needs no training.
"""

from collections.abc import Collection
from pathlib import Path

from asq_model.common.errors import InputError
from asq_model.common.files import write_bytes
from asq_model.spec.golden_manifest import Manifest
from asq_model.spec.golden_vectors import check_files, invalidate, read_manifest, write_manifest

# Convolutions with short and with long dot products, the layer that is unrolled, and the 8-bit classifier.
LAYERS = ("block1.conv1", "block2.conv1", "block3.downsample.0", "fc")


def check_excerpt_folder(folder: Path, golden: Path) -> None:
    """Raises InputError for an excerpt that would be written in place of its golden vectors."""
    if folder.resolve() == golden.resolve():
        where = "where the golden vectors lie that it is a part of"
        raise InputError(f"excerpt is {folder}, {where}; allowed: another folder", "excerpt")


def check_excerpt_layers(golden: Path, names: Collection[str], layers: Collection[str] = LAYERS) -> None:
    """Raises InputError for a layer of an excerpt that is none of those that the golden vectors have, or will have."""
    if missing := set(layers) - set(names):
        raise InputError(f"golden vectors {golden} have no layer {min(missing)}, which an excerpt holds")


def write_excerpt(golden: Path, folder: Path, layers: tuple[str, ...] = LAYERS) -> Manifest:
    """Copy these layers of golden vectors, without feature maps and graph, to a folder; return its manifest.

    Raises InputError for damaged vectors, a layer that they do not have, and their own folder.
    """
    manifest = read_manifest(golden)
    check_files(golden, manifest)
    check_excerpt_folder(folder, golden)
    check_excerpt_layers(golden, [entry["name"] for entry in manifest["layers"]], layers)
    chosen = [entry for entry in manifest["layers"] if entry["name"] in layers]
    invalidate(folder)
    for entry in chosen:
        write_bytes(folder / entry["file"], (golden / entry["file"]).read_bytes())
    products = sum(entry["products"] for entry in chosen)
    excerpt: Manifest = {**manifest, "layers": chosen, "maps": [], "products": products}
    excerpt.pop("graph", None)
    write_manifest(folder, excerpt)
    return excerpt
