"""Every product of every multiplier: each weight code times each activation value, in Amaranth's own simulator."""

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from amaranth.sim import Simulator
from conftest import some

from asq_model.spec.array import MAX_STAGES, STAGED_UNITS
from asq_model.spec.levels import EXPONENTIAL, KINDS, MAX_BITS, MIN_BITS
from asq_model.spec.mac import MacSpec
from asq_model.spec.mac_parameters import MAX_TABLE_BITS
from asq_model.spec.units import FAMILY_OF_UNIT, GOLDEN_UNITS, TWOS_COMPLEMENT
from hw.mac.bit_serial import BitSerial
from hw.multipliers import PRODUCTS, MultiplesOf, activation_shape, make_multiplier

SIGNED = [unit for unit in PRODUCTS if unit not in TWOS_COMPLEMENT]


def specs():
    for unit in PRODUCTS:
        family = FAMILY_OF_UNIT[unit]
        widths = range(MIN_BITS[family], MAX_BITS[family] + 1)
        for b in widths if unit in GOLDEN_UNITS else [bits for bits in widths if bits in (2, 3, 4, 5, 8)]:
            for kind in KINDS if family in EXPONENTIAL else ("",):
                every = unit in GOLDEN_UNITS and kind in ("", KINDS[0])  # of other kinds only the levels are others
                for abits in range(1, 9) if every else (1, 3, 4, 8 if b < 8 and unit not in GOLDEN_UNITS else 2):
                    if unit == "uniform-table" and b + abits > MAX_TABLE_BITS:
                        continue
                    for signed in (False, True):
                        yield MacSpec(unit, b, abits, kind, signed_activation=signed)
                        if unit == "post" and abits < 5:
                            yield MacSpec(unit, b, abits, kind, -1, signed_activation=signed)
    for frac in (0, 1, 5, 8):
        yield MacSpec("post", 4, 4, frac=frac)
    for unit in ("post", "post-three-halves", "e2m1", "uniform-shared"):
        yield MacSpec(unit, 4, 4, shared=True)
    for unit in SIGNED:
        yield MacSpec(unit, 4, 4, gated=True)
    yield MacSpec("post", 6, 8, "extended", gated=True, signed_activation=True)


def wrong_products(spec, product=None):
    """(code, activation, expected, got) of every product that is not the specification's."""
    product = product or make_multiplier(spec)
    wrong = []

    async def bench(ctx):
        for code in range(1 << spec.level_set.code_bits):
            ctx.set(product.weight, code)
            for pattern, activation in enumerate(spec.activations.tolist()):
                ctx.set(product.activation, activation)
                for name, table in (spec.multiples if spec.shared else {}).items():
                    ctx.set(getattr(product, name), int(table[pattern]))
                got = ctx.get(product.value) + (ctx.get(product.carry) if "carry" in product.product.flags else 0)
                if spec.unit == "post-exact":
                    odd = ctx.get(product.lane)
                    expected = (spec.odd_products if odd else spec.even_products)[code, pattern]
                    rest = (spec.even_products if odd else spec.odd_products)[code, pattern]
                    assert rest == 0
                else:
                    expected = spec.products[code, pattern]
                if got != expected:
                    wrong.append((code, activation, int(expected), got))

    simulator = Simulator(product)
    simulator.add_testbench(bench)
    simulator.run()
    return wrong


def marked(spec: MacSpec):
    """Each time: the widths that are used, and the narrowest and other widths of one number to the other."""
    widths = spec.weight_bits, spec.activation_bits
    usual = widths in ((3, 3), (4, 4), (5, 3), (3, 5)) or (min(widths) < 3 and sum(widths) < 6)
    return pytest.param(spec, id=spec.name, marks=[] if usual else [pytest.mark.exhaustive])


@pytest.mark.parametrize("spec", [marked(spec) for spec in specs()])
def test_every_product(spec):
    assert not wrong_products(spec)


@pytest.mark.parametrize("bits", [some(bits, (2, 3, 5), str(bits)) for bits in range(2, 9)])
@pytest.mark.parametrize("signed", [False, True])
def test_bit_serial_terms_add_up_to_every_product(bits, signed):
    spec = MacSpec("serial", bits, 3, signed_activation=signed)
    expander, wrong = BitSerial(spec), []

    async def bench(ctx):
        ctx.set(expander.i.valid, 1)
        ctx.set(expander.o.ready, 1)
        for code in range(1 << bits):
            for pattern, activation in enumerate(spec.activations.tolist()):
                ctx.set(expander.i.p, {"weight": code, "activation": activation, "last": 1})
                total = 0
                for term in range(bits):
                    await ctx.tick()
                    total += ctx.get(expander.o.p.terms[0].value) + ctx.get(expander.o.p.terms[0].carry)
                    assert ctx.get(expander.o.p.last) == (term == bits - 1)
                if total != spec.products[code, pattern]:
                    wrong.append((code, activation, total))

    simulator = Simulator(expander)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert not wrong


def test_a_wrong_table_entry_is_seen():
    """The negative control: a multiplier with another rounding is not the specification's."""
    spec = MacSpec("post", 4, 4, frac=0)
    other = make_multiplier(spec)
    other.spec.__dict__["multiples"] = MacSpec("post", 4, 4, frac=1).multiples
    assert wrong_products(spec, other)


@pytest.mark.parametrize("unit", SIGNED)
def test_a_gated_product_of_a_zero_activation_is_no_bit_at_all(unit):
    spec = MacSpec(unit, 4, 4, gated=True)
    product = make_multiplier(spec)

    async def bench(ctx):
        for code in range(1 << spec.level_set.code_bits):
            ctx.set(product.weight, code)
            assert ctx.get(product.value) == ctx.get(product.carry) == 0

    simulator = Simulator(product)
    simulator.add_testbench(bench)
    simulator.run()


class Staged(wiring.Component):
    """A product of several stages, and what an array puts around it."""

    def __init__(self, spec, stages):
        self.spec, self.product = spec, PRODUCTS[spec.unit](spec, stages)
        super().__init__({"weight": In(spec.level_set.code_bits), "activation": In(activation_shape(spec))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.product = product = self.product
        m.d.comb += [product.activation.eq(self.activation), product.control.eq(product.decode(self.weight))]
        if self.spec.multiples:
            m.submodules.multiples = multiples = MultiplesOf(self.spec)
            m.d.comb += multiples.activation.eq(self.activation)
            m.d.comb += [getattr(product, name).eq(getattr(multiples, name)) for name in self.spec.multiples]
        return m


@pytest.mark.parametrize("unit", STAGED_UNITS)
@pytest.mark.parametrize("stages", range(2, MAX_STAGES + 1))
@pytest.mark.parametrize("signed", [False, True])
def test_every_product_comes_a_cycle_later_for_each_further_stage(unit, stages, signed):
    spec = MacSpec(unit, 4, 4, signed_activation=signed)
    top = Staged(spec, stages)
    tables = (spec.even_products, spec.odd_products) if unit == "post-exact" else (spec.products,)
    pairs = [(code, pattern) for code in range(1 << spec.level_set.code_bits) for pattern in range(16)]
    got = []

    async def bench(ctx):
        for code, pattern in pairs:
            ctx.set(top.weight, code)
            ctx.set(top.activation, int(spec.activations[pattern]))
            for _ in range(1, stages):
                await ctx.tick()
            value = ctx.get(top.product.value) + (ctx.get(top.product.carry) if "carry" in top.product.flags else 0)
            got.append((value, ctx.get(top.product.lane) if unit == "post-exact" else 0))
            ctx.set(top.weight, code ^ 5)  # what comes next must not show yet
            ctx.set(top.activation, int(spec.activations[pattern ^ 9]))
            assert (
                ctx.get(top.product.value) + (ctx.get(top.product.carry) if "carry" in top.product.flags else 0)
                == value
            )

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    for (code, pattern), (value, lane) in zip(pairs, got, strict=True):
        assert value == tables[lane][code, pattern] and all(table[code, pattern] == 0 for table in tables[:lane])
