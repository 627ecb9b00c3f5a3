"""Every product of every multiplier: each weight code times each activation value, in Amaranth's own simulator."""

import pytest
from amaranth.sim import Simulator

from asq_model.codes import EXPONENTIAL, KINDS, MAX_BITS, MIN_BITS
from asq_model.integer.mac import FAMILY_OF_UNIT, GOLDEN_UNITS, MAX_TABLE_BITS, MacSpec
from hw.mac import BitSerial
from hw.products import PRODUCTS, multiplier


def specs():
    for unit in PRODUCTS:
        family = FAMILY_OF_UNIT[unit]
        widths = range(MIN_BITS[family], MAX_BITS[family] + 1)
        for b in widths if unit in GOLDEN_UNITS else [bits for bits in widths if bits in (2, 3, 4, 5, 8)]:
            for kind in KINDS if family in EXPONENTIAL else ("",):
                for abits in range(1, 9) if unit in GOLDEN_UNITS else (1, 3, 4, 8 if b < 8 else 2):
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


def wrong_products(spec, product=None):
    """(code, activation, expected, got) of every product that is not the specification's."""
    product = product or multiplier(spec)
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


@pytest.mark.parametrize("spec", list(specs()), ids=lambda spec: spec.name)
def test_every_product(spec):
    assert not wrong_products(spec)


@pytest.mark.parametrize("bits", range(2, 9))
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
    other = multiplier(spec)
    other.spec.__dict__["multiples"] = MacSpec("post", 4, 4, frac=1).multiples
    assert wrong_products(spec, other)
