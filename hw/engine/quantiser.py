"""The engine's quantiser: a word of values and a step in, codes of 2 to 8 bits out, in pieces if they are wide."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from asq_model.spec.precision import GUARD
from hw.engine.engine_spec import WIDEST_CODE, EngineSpec
from hw.engine.instruction_fields import PIECE_BITS, follow_fields
from hw.engine.places import delay
from hw.fpga.add_or_subtract import add_or_subtract

QUANTISER_LATENCY = WIDEST_CODE + 2  # cycles from values to the first piece of their codes


class Quantiser(wiring.Component):
    """Computes the codes q = clamp(floor((r·2^(G+1) + S) / 2S), n, p) of a word, exact for every r and S ≥ 1.

    Latency `QUANTISER_LATENCY`, interval the number of pieces. Signed codes come out moved by half their range, so that
    they are unsigned. As `hw.asq.quantiser`, with the width and the sign of codes chosen by the instruction: what is
    above the highest code is found by the bits above it.

    Members
    -------
    follow : In(fields of the instruction), step : In, constant while the instruction is at work
    valid : In(1), values : In(a word of values of pooled_bits)
    address : In, beat : In
        Where the word of codes goes, and which of the words of values that make it this one is.
    write : Out(1), code_address : Out, codes : Out(code_word)
    """

    def __init__(self, spec: EngineSpec, piece_bits: int):
        self.spec, self.piece_bits = spec, piece_bits
        self.bits = spec.pooled_bits
        follow = data.StructLayout(follow_fields(spec))
        super().__init__(
            {
                "follow": In(follow),
                "step": In(spec.step_bits),
                "valid": In(1),
                "values": In(data.ArrayLayout(signed(self.bits), spec.lanes)),
                "address": In(follow["code"].shape),
                "beat": In(range(spec.beats)),
                "write": Out(1),
                "code_address": Out(follow["code"].shape),
                "codes": Out(spec.code_word),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cut = self.bits + GUARD
        step, half_range = Signal(cut + 1), Signal(cut + 1 + WIDEST_CODE)
        m.d.sync += [
            step.eq(Mux((self.step >> cut).any(), 1 << cut, self.step)),
            half_range.eq(Mux(self.follow.signed, step << self.follow.code_bits, 0)),
        ]
        codes = [self.divide(m, value, step, half_range, lane) for lane, value in enumerate(self.values)]
        valid = delay(m, self.valid, WIDEST_CODE + 1, "valid")
        address = delay(m, self.address, WIDEST_CODE + 1, "address")
        beat = delay(m, self.beat, WIDEST_CODE + 1, "beat") if self.spec.beats > 1 else self.beat
        word = self.gather(m, codes, valid, beat)
        self.write_pieces(m, word, valid & (beat == self.spec.beats - 1), address)
        return m

    def divide(self, m: Module, value: Value, step: Value, half_range: Value, lane: int) -> Value:
        """A code of WIDEST_CODE bits, cut to those of the instruction: a bit a stage, the highest first.

        A rest that a stage leaves negative is not restored: the next stage adds where it would subtract, which comes to
        the same (2D − D = D), and needs no choice between two numbers.
        """
        width = signed(self.bits + GUARD + WIDEST_CODE + 2)
        rest = Signal(width, name=f"rest_{lane}")
        m.d.sync += rest.eq((value << GUARD + 1) + step + half_range)
        code: Value = Const(0, 0)
        adds: Value = Const(0, 1)
        for stage in reversed(range(WIDEST_CODE)):
            low = stage + 1  # the bits below stay as they are
            high, share = rest[low:].as_signed(), Cat(step, Const(0, 1)).as_signed()
            tried = add_or_subtract(m, f"tried_{stage}_{lane}", self.spec.fpga_family, high, share, ~adds)
            kept = Signal(width, name=f"kept_{stage}_{lane}")
            found = Signal(WIDEST_CODE - stage, name=f"code_{stage}_{lane}")
            m.d.sync += [kept.eq(Cat(rest[:low], tried)), found.eq(Cat(~tried[-1], code))]
            rest, code, adds = kept, found, kept[-1]
        ones = (Const(1, 1) << self.follow.code_bits) - 1
        return Mux((code >> self.follow.code_bits).any(), ones, code)[:WIDEST_CODE]

    def gather(self, m: Module, codes: list[Value], valid: Value, beat: Value) -> list[Value]:
        """A word of codes, whole with its last beat: those of the beats before are kept."""
        word: list[Value] = []
        for number in range(self.spec.beats - 1):
            kept = [Signal(WIDEST_CODE, name=f"kept_{number}_{lane}") for lane in range(self.spec.lanes)]
            with m.If(valid & (beat == number)):
                m.d.sync += [k.eq(code) for k, code in zip(kept, codes, strict=True)]
            word += kept
        return word + codes

    def write_pieces(self, m: Module, codes: list[Value], valid: Value, address: Value) -> None:
        """Write a word's pieces, one a cycle, the lowest first."""
        follow, bits = self.follow, self.spec.mac.activation_bits
        piece, held = Signal.like(follow.last_piece), [Signal(WIDEST_CODE, name=f"held_{i}") for i in range(len(codes))]
        with m.If(valid):
            m.d.sync += [self.write.eq(1), piece.eq(0), self.code_address.eq(address)]
            m.d.sync += [h.eq(code) for h, code in zip(held, codes, strict=True)]
        with m.Else():
            m.d.sync += [piece.eq(piece + 1), self.code_address.eq(self.code_address + follow.piece_stride)]
            with m.If(piece == follow.last_piece):
                m.d.sync += self.write.eq(0)
        for channel, code in enumerate(held):
            own = follow.slot_pieces.word_select(channel, PIECE_BITS)
            chosen = Array(code[low : low + self.piece_bits] for low in range(0, WIDEST_CODE, self.piece_bits))[
                own + piece
            ]
            m.d.comb += self.codes.word_select(channel, bits).eq(Mux(follow.splits, chosen, code[:bits]))
