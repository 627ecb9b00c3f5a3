"""The words of ASQ's blocks: the layouts' own packing, fields typed out by hand, and Amaranth's constants agree."""

import random

import pytest
from amaranth.lib import data

from asq_model.spec.asq_blocks import BLOCKS, BlockSpec
from asq_model.spec.fixed_point import bounds
from hw.asq import layouts, memories
from sim.vectors.block_words import make_exchange, make_packer
from sim.vectors.feature_map_cases import make_random_cases

SPECS = [
    BlockSpec("adapter-step", 8, 6, 3, lanes=2),
    BlockSpec("adapter-step", 12, 5, 8, True, 12, 4),
    BlockSpec("rescale", 9, 7, total_bits=40),
]


def lanes(spec, width, signed):
    return [(f"lane{lane}", width, signed) for lane in range(spec.lanes)]


def address_bits(count):
    return max((count - 1).bit_length(), 1)


# (name, width, signed) of every field, the lowest first, as the ports have carried them from the first.
FIELDS = {
    layouts.values_layout: lambda spec: lanes(spec, spec.precision, True),
    layouts.sums_layout: lambda spec: lanes(spec, spec.sum_bits, True),
    layouts.codes_layout: lambda spec: lanes(spec, spec.activation_bits, spec.signed_activation),
    layouts.step_layout: lambda spec: [("beta", spec.beta_bits, False), ("step", spec.step_bits, False)],
    layouts.stepped_layout: lambda spec: [
        *((f"values.{name}", *shape) for name, *shape in lanes(spec, spec.precision, True)),
        ("step", spec.step_bits, False),
    ],
    layouts.total_layout: lambda spec: [("total", spec.total_bits, True), ("side", spec.precision, True)],
    layouts.size_layout: lambda spec: [
        ("words", (spec.channels // spec.lanes).bit_length(), False),
        ("pixels", spec.pixels.bit_length(), False),
    ],
    layouts.adapter_layout: lambda spec: [
        ("hidden", spec.hidden.bit_length(), False),
        ("hidden_shift", 6, False),
        ("output_shift", 6, False),
        ("output_bias", spec.accumulator_bits, True),
        ("floor", spec.beta_bits, False),
        ("mantissa", spec.mantissa_bits, False),
    ],
    layouts.rescale_layout: lambda spec: [
        *((name, 6, False) for name in ("scale_shift", "shift", "align")),
        ("relu", 1, False),
    ],
    memories.weights_layout: lambda spec: lanes(spec, spec.precision, True),
    memories.neuron_layout: lambda spec: [("bias", spec.accumulator_bits, True), ("weight", spec.precision, True)],
    memories.channel_layout: lambda spec: [("multiplier", spec.precision, True), ("bias", spec.bias_bits, True)],
    memories.adapter_load_layout: lambda spec: [
        ("unit", 1, False),
        ("address", address_bits(spec.hidden * spec.words), False),
        ("data", max(spec.lanes * spec.precision, spec.accumulator_bits + spec.precision), False),
    ],
    memories.rescale_load_layout: lambda spec: [
        ("address", address_bits(spec.channels), False),
        ("data", spec.precision + spec.bias_bits, False),
    ],
}


def typed_out(fields, values):
    """A word of values by the fields' names, each shifted to its place by hand."""
    word = offset = 0
    for name, width, _ in fields:
        word |= (values[name] & ((1 << width) - 1)) << offset
        offset += width
    return word


def nested(values):
    """Values by `field.name` as dictionaries within dictionaries."""
    tree = {}
    for path, value in values.items():
        *parents, name = path.split(".")
        place = tree
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = value
    return tree


def constant(layout, values):
    """The word that Amaranth makes of the values."""
    return data.StructLayout.const(layout, nested(values)).as_bits()


@pytest.mark.parametrize("layout", FIELDS, ids=lambda layout: layout.__name__)
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_every_layout_packs_as_typed_out_and_as_amaranth_does(spec, layout):
    fields, rng = FIELDS[layout](spec), random.Random(f"{layout.__name__} {spec.name}")
    assert make_packer(layout, spec).names == tuple(name for name, _, _ in fields)
    for _ in range(300):
        values = {}
        for name, width, signed in fields:
            low, high = bounds(width, signed)
            values[name] = rng.choice((low, high, 0, rng.randint(low, high), rng.randint(low, high)))
        word = make_packer(layout, spec).pack_word(values)
        assert word == typed_out(fields, values) == constant(layout(spec), values)


@pytest.mark.parametrize("unit", BLOCKS)
def test_an_exchange_is_whole(unit):
    spec = BlockSpec(unit, 8, 6, lanes=1 if unit == "rescale" else 2)
    for maps in make_random_cases(spec, 1, 2):
        exchange = make_exchange(spec, maps)
        sent, taken = exchange.per_map
        assert len(exchange.words) // sent == len(exchange.results) // taken >= 2
        assert len(exchange.words) % sent == len(exchange.results) % taken == 0
