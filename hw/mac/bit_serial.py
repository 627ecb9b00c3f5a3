"""The stage that multiplies bit by bit: an AND gate per bit of the activation in place of a multiplier."""

from amaranth.hdl import Module, Mux, Shape, Signal, signed, unsigned
from amaranth.lib import wiring

from asq_model.spec.mac import MacSpec
from hw.mac.operands import multiplier_ports


class BitSerial(wiring.Component):
    """Multiplies one weight bit a cycle, the lowest first, in one lane.

    Term k is `activation << k` where bit k of the weight is set, else 0. The top bit of a two's complement weight
    counts negative: its term comes as the complement and a carry.

    Interval `weight_bits`; latency 1 to the first term and `weight_bits` to the last.

    Members
    -------
    i : In(stream of `operand_layout`)
    o : Out(stream of `terms_layout`), a term per weight bit
    """

    def __init__(self, spec: MacSpec):
        self.spec = spec
        self.shifted_shape = Shape(spec.activation_bits + spec.weight_bits - 1, spec.signed_activation)
        value_bits = self.shifted_shape.width + (not spec.signed_activation)  # the complement has a sign in any case
        super().__init__(multiplier_ports(spec, {"value": signed(value_bits), "carry": unsigned(1)}))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = self.spec.weight_bits
        weight = Signal(bits)  # the bits still to be used, the current one lowest
        shifted = Signal(self.shifted_shape)
        out = self.o.p.terms[0]
        term = Signal.like(out.value)
        remaining = Signal(range(bits))  # terms after the current one
        ends = Signal()
        is_top = ~remaining.any()
        m.d.comb += [
            term.eq(Mux(weight[0], shifted, 0)),
            out.value.eq(term ^ is_top.replicate(len(term))),
            out.carry.eq(is_top),
            self.o.p.last.eq(is_top & ends),
            self.i.ready.eq(~self.o.valid | (self.o.ready & is_top)),
        ]
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid)
        with m.If(self.i.ready & self.i.valid):
            m.d.sync += [
                weight.eq(self.i.p.weight),
                shifted.eq(self.i.p.activation),
                remaining.eq(bits - 1),
                ends.eq(self.i.p.last),
            ]
        with m.Elif(self.o.valid & self.o.ready):
            m.d.sync += [weight.eq(weight >> 1), shifted.eq(shifted << 1), remaining.eq(remaining - 1)]
        return m
