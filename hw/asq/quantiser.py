"""The activation quantiser: values and their step in, codes out, by a restoring division of as many stages as bits."""

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.precision import GUARD
from hw.asq.layouts import codes_layout, split_lanes, stepped_layout


class ActivationQuantiser(wiring.Component):
    """Computes the code q = clamp(floor((r·2^(G+1) + S) / 2S), n, p) of every lane, exact for every r and S ≥ 1.

    Interval 1, latency b + 1.

    Each stage tries one bit of the code, the highest first: it subtracts 2S·2^k and keeps the difference unless it is
    negative. A value below the range stays negative and a value above it never gets small, so that all bits come out 0
    or 1: clamping costs nothing. Signed codes are unsigned ones of a value that is half the range larger.

    A step beyond 2^(P + G) gives only the code 0, as 2^(P + G) does; so it is cut there, and the stages are narrower.

    Members
    -------
    i : In(stream of `stepped_layout`)
    o : Out(stream of `codes_layout`)
    """

    def __init__(self, spec: BlockSpec):
        self.spec = spec
        super().__init__(
            {"i": In(stream.Signature(stepped_layout(spec))), "o": Out(stream.Signature(codes_layout(spec)))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, bits = self.spec, self.spec.activation_bits
        cut = spec.precision + GUARD
        step_in = self.i.p.step
        step = Signal(cut + 1)
        moves = Signal()  # the whole pipeline does, unless a finished word waits
        m.d.comb += [
            step.eq(Mux(step_in[cut:].any(), Const(1 << cut), step_in)),
            moves.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(moves),
        ]
        valids = [Signal(name=f"valid_{stage}") for stage in range(bits)]
        half_range = (step << bits) if spec.signed_activation else 0
        rest = [(value << GUARD + 1) + step + half_range for value in split_lanes(self.i.p.values)]
        codes = [Const(0, 0)] * spec.lanes
        divisor, valid = step, self.i.valid
        for stage in range(bits):
            rests = [Signal(self.rest_shape, name=f"rest_{stage}_{lane}") for lane in range(spec.lanes)]
            digits = [
                Signal(stage, name=f"code_{stage}_{lane}") if stage else Const(0, 0) for lane in range(spec.lanes)
            ]
            divisor_here = Signal(cut + 1, name=f"step_{stage}")
            with m.If(moves):
                m.d.sync += [valids[stage].eq(valid), divisor_here.eq(divisor)]
                m.d.sync += [here.eq(before) for here, before in zip(rests, rest, strict=True)]
                m.d.sync += [here.eq(before) for here, before in zip(digits, codes, strict=True) if stage]
            fits, rest = self.subtract(m, stage, rests, divisor_here)
            codes = [Cat(fit, code) for fit, code in zip(fits, digits, strict=True)]
            divisor, valid = divisor_here, valids[stage]
        if spec.signed_activation:
            codes = [Cat(code[:-1], ~code[-1]) for code in codes]
        with m.If(moves):
            m.d.sync += self.o.valid.eq(valid)
            m.d.sync += [lane.eq(code) for lane, code in zip(split_lanes(self.o.p), codes, strict=True)]
        return m

    @property
    def rest_shape(self) -> Shape:
        """Shape of what is left of a dividend: that lies in ±2^(P + G), S and half the range above that."""
        return signed(self.spec.precision + GUARD + self.spec.activation_bits + 2)

    def subtract(self, m: Module, stage: int, rests: list[Signal], divisor: Signal) -> tuple[list[Value], list[Value]]:
        """Subtract the shifted divisor where it fits; returns each lane's digit, and what is left then."""
        tried = [Signal(self.rest_shape, name=f"tried_{stage}_{lane}") for lane in range(self.spec.lanes)]
        shift = self.spec.activation_bits - stage
        m.d.comb += [t.eq(k - (divisor << shift)) for t, k in zip(tried, rests, strict=True)]
        fits: list[Value] = [~t[-1] for t in tried]
        return fits, [Mux(fit, t, k) for fit, t, k in zip(fits, tried, rests, strict=True)]
