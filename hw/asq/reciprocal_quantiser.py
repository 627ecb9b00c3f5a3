"""An alternative to `ActivationQuantiser`, for comparison: a reciprocal of the step, a multiplication, a correction.

The reciprocal itself (one division a map) comes from outside and is not part of the circuit.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.precision import GUARD
from hw.asq.layouts import codes_layout, split_lanes, values_layout


def reciprocal_shift(spec: BlockSpec) -> int:
    """The shift k of the reciprocal floor(2^k / 2S): with it the product is at most one below the quotient."""
    return spec.precision + GUARD + spec.activation_bits + 2


def reciprocal_layout(spec: BlockSpec) -> data.StructLayout:
    """A beat of values, the step S at most 2^(P + G), and floor(2^k / 2S)."""
    cut = spec.precision + GUARD
    return data.StructLayout(
        {"values": values_layout(spec), "step": unsigned(cut + 1), "reciprocal": unsigned(reciprocal_shift(spec))}
    )


class ReciprocalQuantiser(wiring.Component):
    """Computes what `ActivationQuantiser` does, for unsigned codes, by multiplying.

    Interval 1, latency 3.

    Members
    -------
    i : In(stream of `reciprocal_layout`)
    o : Out(stream of `codes_layout`)
    """

    def __init__(self, spec: BlockSpec):
        self.spec = spec
        super().__init__(
            {"i": In(stream.Signature(reciprocal_layout(spec))), "o": Out(stream.Signature(codes_layout(spec)))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, bits, shift = self.spec, self.spec.activation_bits, reciprocal_shift(self.spec)
        cut = spec.precision + GUARD
        top = (1 << bits) - 1
        moves, valid = Signal(), Signal(2)
        steps = [Signal(cut + 1, name=f"step_{stage}") for stage in range(2)]
        m.d.comb += [moves.eq(~self.o.valid | self.o.ready), self.i.ready.eq(moves)]
        for lane, (value, code) in enumerate(zip(split_lanes(self.i.p.values), split_lanes(self.o.p), strict=True)):
            dividends = [Signal(cut + 2, name=f"dividend_{stage}_{lane}") for stage in range(2)]
            reciprocal = Signal(shift, name=f"reciprocal_{lane}")
            estimate = Signal(bits, name=f"estimate_{lane}")
            total = Signal(signed(cut + 3), name=f"total_{lane}")
            product = (dividends[0] * reciprocal) >> shift
            remainder = dividends[1] - Cat(Const(0, 1), estimate * steps[1])
            m.d.comb += total.eq((value << GUARD + 1) + self.i.p.step)
            with m.If(moves):
                m.d.sync += [
                    dividends[0].eq(Mux(total[-1], 0, total)),
                    reciprocal.eq(self.i.p.reciprocal),
                    dividends[1].eq(dividends[0]),
                    estimate.eq(Mux(product > top, top, product)),
                    code.eq(estimate + ((remainder >= Cat(Const(0, 1), steps[1])) & (estimate != top))),
                ]
        with m.If(moves):
            m.d.sync += [valid.eq(Cat(self.i.valid, valid[0])), self.o.valid.eq(valid[1])]
            m.d.sync += [steps[0].eq(self.i.p.step), steps[1].eq(steps[0])]
        return m
