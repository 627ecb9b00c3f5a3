"""The last stage of `post-exact`: the two sums of a dot product become one integer, rounded once."""

from amaranth.hdl import Module, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from asq_model.spec.mac import MacSpec
from asq_model.spec.sqrt2 import find_sqrt2_constant
from hw.mac.operands import sums_layout


class TimesRootTwo(wiring.Component):
    """Computes round((even + odd·√2) · 2^frac), correctly rounded, by one constant multiplication.

    Interval 1, latency 1.

    `find_sqrt2_constant` proves how many bits of √2 are enough for every sum that `depth` terms can reach.

    Members
    -------
    i : In(stream of the even and the odd sum)
    o : Out(stream of signed(result_width))
    """

    def __init__(self, spec: MacSpec):
        self.spec = spec
        super().__init__(
            {
                "i": In(stream.Signature(sums_layout(spec.sum_widths))),
                "o": Out(stream.Signature(signed(spec.result_width))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        frac = self.spec.frac_bits
        largest_odd = max(abs(bound) for bound in self.spec.sum_range(self.spec.odd_products))
        constant, shift = find_sqrt2_constant(largest_odd, frac)
        rooted = (self.i.p.odd * constant + (1 << shift - 1)) >> shift
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid)
        with m.If(self.i.ready & self.i.valid):
            m.d.sync += self.o.payload.eq((self.i.p.even << frac) + rooted)
        return m
