"""The stage that accumulates: one adder per sum, around its register."""

from collections.abc import Mapping

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.mac.adder_tree import add, carry_of, select_terms
from hw.mac.operands import sums_layout


class Accumulate(wiring.Component):
    """Adds up terms, one a cycle, and offers the sums when a dot product's last term is in.

    Interval 1, latency 1.

    The running sum is the output register. The input therefore waits while a finished sum has not been taken. The term
    that follows a finished sum starts the next one from zero.

    Members
    -------
    i : In(stream of `terms_layout` of one lane, or of what `AdderTree` puts out)
    o : Out(stream of `sums_layout(widths)`)
    """

    def __init__(self, terms: data.StructLayout, widths: Mapping[str, int]):
        self.widths = widths
        super().__init__({"i": In(stream.Signature(terms)), "o": Out(stream.Signature(sums_layout(widths)))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        starts = Signal(init=1)  # the next term is the first of its dot product
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid & self.i.p.last)
        with m.If(self.i.ready & self.i.valid):
            m.d.sync += starts.eq(self.i.p.last)
            for name, (value, carry) in zip(self.widths, self.make_addends(), strict=True):
                m.d.sync += self.o.p[name].eq(add(Mux(starts, 0, self.o.p[name]).as_signed(), value, carry))
        return m

    def make_addends(self) -> list[tuple[Value, Value]]:
        """Make the addend of each sum, as (value, carry)."""
        if "terms" in self.i.p.shape().members:
            return [terms[0] for terms in select_terms([self.i.p.terms[0]], len(self.widths))]
        return [(self.i.p.sums[index].value, carry_of(self.i.p.sums[index])) for index in range(len(self.widths))]
