"""The blocks' parameters: names, refusals, and widths that hold what the integer specification can produce."""

import pytest

from asq_model.common.errors import InputError
from asq_model.spec.asq_blocks import BLOCKS, BlockSpec
from asq_model.spec.precision import BETA_LIMIT, GUARD


def test_names_tell_configurations_apart():
    specs = [
        BlockSpec(unit, channels, pixels, bits, signed, precision, lanes, total)
        for unit in BLOCKS
        for channels, pixels in ((64, 64), (8, 64), (64, 8))
        for bits, signed in ((3, False), (3, True), (4, False))
        for precision in (16, 20)
        for lanes, total in ((1, 32), (1, 24), *([(4, 32)] if unit != "rescale" else []))
    ]
    relevant = {
        "channel-sums": lambda s: (s.channels, s.pixels, s.precision, s.lanes),
        "adapter": lambda s: (s.channels, s.pixels, s.precision, s.lanes),
        "quantiser": lambda s: (s.activation_bits, s.signed_activation, s.precision, s.lanes),
        "rescale": lambda s: (s.channels, s.pixels, s.precision, s.total_bits),
    }
    by_name = {}
    for spec in specs:
        key = (spec.unit, *relevant.get(spec.unit, lambda s: (s, "total")[:1])(spec))
        if spec.unit == "adapter-step":
            key = (spec.unit, spec.channels, spec.pixels, spec.activation_bits, spec.signed_activation)
            key += (spec.precision, spec.lanes)
        by_name.setdefault(spec.name, set()).add(key)
    assert all(len(keys) == 1 for keys in by_name.values())
    assert len(by_name) == len({key for keys in by_name.values() for key in keys})
    assert BlockSpec(buffer=100).name == "adapter_step_c64p64_a3_b100"
    assert BlockSpec(hidden=3).name == "adapter_step_c64p64_a3_h3"
    assert BlockSpec("quantiser", channels=5, buffer=9) == BlockSpec("quantiser")  # what it does not depend on


@pytest.mark.parametrize(
    "words, said",
    [
        ({"unit": "adder"}, "unit is 'adder'; allowed: channel-sums, adapter,"),
        ({"channels": 0}, "channels is 0; allowed: 1 to 4096"),
        ({"pixels": 1 << 17}, "pixels is 131072; allowed: 1 to 65536"),
        ({"activation_bits": 9}, "activation_bits is 9; allowed: 1 to 8"),
        ({"precision": 21}, "precision is 21; allowed: 8 to 20"),
        ({"unit": "quantiser", "precision": 33}, "precision is 33; allowed: 8 to 32"),
        ({"lanes": 3}, "channels is 64 and lanes is 3; allowed: lanes that divide them"),
        ({"lanes": 65}, "lanes is 65; allowed: 1 to 64"),
        ({"hidden": -1}, "hidden is -1; allowed: 1 to 4096"),
        ({"unit": "rescale", "total_bits": 49}, "total_bits is 49; allowed: 8 to 48"),
        ({"buffer": 3}, "buffer is 3; allowed: 4 to"),
    ],
)
def test_a_combination_that_cannot_be_is_named(words, said):
    with pytest.raises(InputError, match=said):
        BlockSpec(**words)


@pytest.mark.parametrize("channels, pixels, precision", [(1, 1, 12), (3, 5, 16), (64, 64, 20), (512, 1024, 20)])
def test_widths_hold_the_extremes(channels, pixels, precision):
    spec = BlockSpec("adapter", channels, pixels, precision=precision)
    assert pixels << precision - 1 <= 1 << spec.sum_bits - 1
    dot = channels * (pixels << precision - 1) << precision - 1
    output = spec.hidden * ((1 << spec.hidden_bits) - 1) << precision - 1
    assert max(dot, output) < 1 << spec.accumulator_bits - 1
    beta, mantissa = BETA_LIMIT << precision, (1 << precision + GUARD) - 1
    assert beta < 1 << spec.beta_bits and mantissa < 1 << spec.mantissa_bits
    assert (beta * mantissa + (1 << precision - 1)) >> precision < 1 << spec.step_bits
