"""The stage that multiplies: a combinational multiplier per lane, and a register behind it."""

from amaranth.hdl import Module
from amaranth.lib import wiring

from asq_model.spec.mac import MacSpec
from hw.mac.operands import multiplier_ports
from hw.multipliers import make_multiplier


class Multiply(wiring.Component):
    """Multiplies the operands of all lanes and registers the products.

    Interval 1, latency 1.

    Members
    -------
    i : In(stream of `operand_layout`)
    o : Out(stream of `terms_layout`), a term per lane
    """

    def __init__(self, spec: MacSpec):
        self.spec = spec
        self.multipliers = [make_multiplier(spec) for _ in range(spec.lanes)]
        self.term = self.multipliers[0].product.outputs()
        super().__init__(multiplier_ports(spec, self.term))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid)
        accepted = self.i.ready & self.i.valid
        inputs = ("weight", "activation", *(self.spec.multiples if self.spec.shared else ()))
        for lane, lane_multiplier in enumerate(self.multipliers):
            m.submodules[f"lane_{lane}"] = lane_multiplier
            operand = self.i.p if self.spec.lanes == 1 else self.i.p.operands[lane]
            m.d.comb += [getattr(lane_multiplier, name).eq(getattr(operand, name)) for name in inputs]
            with m.If(accepted):
                m.d.sync += [self.o.p.terms[lane][name].eq(getattr(lane_multiplier, name)) for name in self.term]
        with m.If(accepted):
            m.d.sync += self.o.p.last.eq(self.i.p.last)
        return m
