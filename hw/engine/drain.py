"""The way out of the lanes: whole sums are held, and leave pixel by pixel while the next tile is at work."""

from collections.abc import Mapping

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.engine.engine_spec import EngineSpec
from hw.engine.instruction_fields import PIECE_BITS, follow_fields
from hw.engine.lane import sums_layout
from hw.engine.places import STEPS, first_target, item_layout, next_pixel, next_word, target_layout


class Drain(wiring.Component):
    """Takes P words of sums at once and puts them out one by one, each with its target.

    A pixel's G sums are words of L each. They take a cycle a word, or as many as their codes have pieces. A tile's
    words take no longer than its products do: the compiler sees to that.

    Members
    -------
    follow : In(fields of the instruction), pixels : In, last_group : In
    start : In(1)
        The instruction begins.
    whole : In(1), sums : In(a word for each lane)
    valid : Out(1), item : Out(`item_layout`)
    """

    def __init__(self, spec: EngineSpec):
        self.spec = spec
        follow = data.StructLayout(follow_fields(spec))
        super().__init__(
            {
                "follow": In(follow),
                "pixels": In(spec.count_bits),
                "last_group": In(spec.size_bits),
                "start": In(1),
                "whole": In(1),
                "sums": In(data.ArrayLayout(sums_layout(spec), spec.pixels)),
                "valid": Out(1),
                "item": Out(item_layout(spec)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, layout, beats = self.spec, target_layout(self.spec), self.spec.beats
        tile, after, target = Signal(layout), Signal(layout), Signal(layout)  # of the tile, of the next, of the words
        lane, active = Signal(range(spec.pixels)), Signal()
        beat, last_beat = Signal(PIECE_BITS + beats.bit_length()), Signal(PIECE_BITS + beats.bit_length())
        held = Signal(data.ArrayLayout(sums_layout(spec), spec.pixels))
        pixel_ends, tile_ends = Signal(), Signal()
        chosen = Signal(sums_layout(spec))
        m.d.comb += [
            last_beat.eq(Mux(self.follow.last_piece > beats - 1, self.follow.last_piece, beats - 1)),
            pixel_ends.eq(active & (beat == last_beat)),
            tile_ends.eq(pixel_ends & (lane == spec.pixels - 1)),
            self.valid.eq(active & (beat < beats) & target.left.any()),
            self.item.target.left.eq(target.left),
            *(self.item.target[name].eq(value) for name, value in next_word(spec, target, beat).items()),
            chosen.eq(held[lane]),
            after.eq(tile),
        ]
        self.give_operands(m, chosen, beat)
        further = next_pixel(target, self.follow)
        left = Mux(target.left.any(), further["left"], 0)
        is_last = (target.word >> beats.bit_length() - 1) == self.last_group
        with m.If(tile_ends):
            with m.If(is_last):
                self.next_tile(m, after, target, further, left)
            with m.Else():
                m.d.comb += after.word.eq(tile.word + beats)
            m.d.sync += [tile.eq(after), active.eq(0)]
        with m.If(active):
            m.d.sync += beat.eq(beat + 1)
            with m.If(pixel_ends):
                m.d.sync += [beat.eq(0), lane.eq(lane + 1), *(target[name].eq(further[name]) for name in STEPS)]
                m.d.sync += target.left.eq(left)
        with m.If(self.whole):
            m.d.sync += [active.eq(1), lane.eq(0), beat.eq(0), held.eq(self.sums), target.left.eq(after.left)]
            self.begin_tile(m, after, target)
        with m.If(self.start):
            m.d.sync += [tile[name].eq(first) for name, first in first_target(self.follow, self.pixels).items()]
        return m

    def give_operands(self, m: Module, chosen: Signal, beat: Signal) -> None:
        """Put out a word of a pixel's sums."""
        spec = self.spec
        words = data.ArrayLayout(data.ArrayLayout(signed(spec.sum_bits), spec.lanes), spec.beats)
        word = chosen
        if spec.beats > 1:
            word = data.View(words, chosen.as_value())[beat[: max((spec.beats - 1).bit_length(), 1)]]
        m.d.comb += [operand.eq(total) for operand, total in zip(self.item.operands, word, strict=True)]

    def begin_tile(self, m: Module, after: data.View, target: data.View) -> None:
        """Let the first word of the next tile's group be the target."""
        start = Signal(target_layout(self.spec))
        m.d.comb += [start.eq(after), start.word.eq(0)]
        m.d.sync += [target[name].eq(value) for name, value in next_word(self.spec, start, after.word).items()]

    def next_tile(
        self, m: Module, after: data.View, target: data.View, further: Mapping[str, Value], left: Value
    ) -> None:
        """Say where the tile of the next pixels goes: on from the last pixel's target, but to its first word."""
        first, beats = target.word, self.spec.beats
        m.d.comb += [after[name].eq(further[name] - first) for name in ("value", "side", "result")]
        m.d.comb += after.code.eq(further["code"] - (first >> beats.bit_length() - 1))
        m.d.comb += [after.left.eq(left), after.word.eq(0)]
