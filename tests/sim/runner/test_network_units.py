"""The units and blocks that a network needs, by the manifest of its golden vectors."""

from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.golden_vectors import read_manifest
from asq_model.spec.mac import MacSpec
from sim.runner.network_units import list_golden_specs, make_block_specs
from sim.vectors.shipped import shipped_folder


def maps_entry(channels, pixels, hidden=None, rescale=None, bits=4):
    adapter = None if hidden is None else {"hidden": hidden}
    about = {"bits": bits, "signed": False, "input_bits": 20, "channels": channels, "pixels": pixels}
    return about | {"adapter": adapter, "rescale": rescale}


def test_units_of_the_low_bit_layers_come_first_and_each_once():
    specs = list_golden_specs(read_manifest(shipped_folder((3, 3))))
    assert len(specs) == len(set(specs)) and specs[0] == MacSpec("post", 3, 3)
    widths = [(spec.weight_bits, spec.activation_bits) for spec in specs]
    assert widths == sorted(widths) and widths[-1] == (8, 8)


def test_a_block_is_as_large_as_its_largest_layer_needs():
    rescale = {"channels": 32, "pixels": 16, "total_bits": 12}
    entries = [maps_entry(16, 64, 4, rescale), maps_entry(32, 16, 8), maps_entry(64, 1, bits=8)]
    assert make_block_specs({"maps": entries}) == [
        BlockSpec("channel-sums", channels=32, pixels=64),
        BlockSpec("adapter", channels=32, pixels=64, hidden=8),
        BlockSpec("quantiser", activation_bits=4),
        BlockSpec("adapter-step", channels=32, pixels=64, activation_bits=4, hidden=8, buffer=2048),
        BlockSpec("quantiser", activation_bits=8),
        BlockSpec("rescale", channels=32, pixels=16, total_bits=16),
    ]
    assert make_block_specs({"maps": []}) == []
