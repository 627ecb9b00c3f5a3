"""The multiples of an activation, √2·a or 3·a, in look-up tables of 7-series that have two outputs."""

from amaranth.hdl import Cat, Module, Shape
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from asq_model.spec.mac import MacSpec
from hw.fpga.cells import Term
from hw.fpga.pipeline import name_bits
from hw.fpga.xc7 import pack_terms
from hw.multipliers.multiples import activation_shape, multiple_shapes


class PackedMultiples(wiring.Component):
    """Looks the multiples of a narrow activation up, two bits in each table. Without a clock.

    Members: as those of `hw.multipliers.MultiplesOf`.
    """

    def __init__(self, mac: MacSpec):
        self.mac = mac
        shapes: dict[str, Shape] = multiple_shapes(mac)
        super().__init__({"activation": In(activation_shape(mac))} | {name: Out(of) for name, of in shapes.items()})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        inputs = tuple(name_bits(m, self.activation, "activation"))
        for name, table in self.mac.multiples.items():
            result = getattr(self, name)
            columns = [table >> place & 1 for place in range(len(result))]
            terms = [Term(inputs, lambda *bits, bit=bit: int(bit[join_bits(bits)])) for bit in columns]
            m.d.comb += result.eq(Cat(*pack_terms(m, name, terms)))
        return m


def join_bits(bits: tuple[int, ...]) -> int:
    """Join bits to a number, the lowest first."""
    return sum(bit << place for place, bit in enumerate(bits))
