"""Which units and blocks a network needs, by the manifest of its golden vectors."""

from collections.abc import Sequence

from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.golden_manifest import Manifest, MapsEntry, RescaleEntry, spec_of
from asq_model.spec.mac import MacSpec

NARROWEST_TOTALS = 16  # bits of a layer's sums that the rescale block takes at least


def list_golden_specs(manifest: Manifest) -> list[MacSpec]:
    """List the units that the layers' vectors are for, each once, those of the low-bit layers first."""
    layers = sorted(manifest["layers"], key=lambda layer: (layer["weight_bits"], layer["activation_bits"]))
    return list(dict.fromkeys(spec_of(unit) for layer in layers for unit in layer["units"].values()))


def find_largest_size(entries: Sequence[MapsEntry] | Sequence[RescaleEntry]) -> tuple[int, int]:
    """Find the channels and pixels of a block that has to do for all of these layers."""
    return max(entry["channels"] for entry in entries), max(entry["pixels"] for entry in entries)


def choose_buffer(entries: Sequence[MapsEntry]) -> int:
    """Choose how many values the buffer of an adapter-step holds: two of the largest maps, at least 4."""
    return max(4, 2 * max(entry["channels"] * entry["pixels"] for entry in entries))


def count_most_neurons(entries: Sequence[MapsEntry]) -> int:
    """Count the neurons of the largest hidden layer among the layers' adapters; at least 1."""
    return max(1, *(entry["adapter"]["hidden"] for entry in entries if entry["adapter"] is not None))


def make_block_specs(manifest: Manifest) -> list[BlockSpec]:
    """Make the blocks that a manifest's maps are for, each as large as its largest layer needs."""
    maps = manifest["maps"]
    adaptive = [entry for entry in maps if entry["adapter"] is not None]
    specs = []
    if adaptive:
        size, hidden = find_largest_size(adaptive), count_most_neurons(adaptive)
        specs.append(BlockSpec("channel-sums", *size))
        specs.append(BlockSpec("adapter", *size, hidden=hidden))
    for bits, signed in dict.fromkeys((entry["bits"], entry["signed"]) for entry in maps):
        alike = [entry for entry in maps if (entry["bits"], entry["signed"]) == (bits, signed)]
        precision = max(entry["input_bits"] for entry in alike)
        specs.append(BlockSpec("quantiser", precision=precision, activation_bits=bits, signed_activation=signed))
        if steps := [entry for entry in alike if entry["adapter"] is not None]:
            specs.append(
                BlockSpec(
                    "adapter-step",
                    *find_largest_size(steps),
                    activation_bits=bits,
                    signed_activation=signed,
                    hidden=count_most_neurons(steps),
                    buffer=choose_buffer(steps),
                )
            )
    if rescales := [entry["rescale"] for entry in maps if entry["rescale"] is not None]:
        total_bits = max(NARROWEST_TOTALS, *(rescale["total_bits"] for rescale in rescales))
        specs.append(BlockSpec("rescale", *find_largest_size(rescales), total_bits=total_bits))
    return specs
