"""The way out of the lanes: whole sums are held, and leave pixel by pixel while the next tile is at work."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.engine.engine_spec import EngineSpec
from hw.engine.lane import sums_layout
from hw.engine.places import STEPS, first_target, item_layout, next_pixel, target_layout
from hw.engine.program import COUNT_BITS, follow_fields


class Drain(wiring.Component):
    """Takes P words of sums at once and puts them out one by one, each with its target.

    A word takes as many cycles as its codes have pieces. A tile's words take no longer than its products do: the
    compiler sees to that.

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
                "pixels": In(COUNT_BITS),
                "last_group": In(target_layout(spec)["group"].shape),
                "start": In(1),
                "whole": In(1),
                "sums": In(data.ArrayLayout(sums_layout(spec), spec.pixels)),
                "valid": Out(1),
                "item": Out(item_layout(spec)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layout = target_layout(self.spec)
        tile, after, target = Signal(layout), Signal(layout), Signal(layout)  # of the tile, of the next, of the word
        lane, piece, active = Signal(range(self.spec.pixels)), Signal.like(self.follow.last_piece), Signal()
        held = Signal(data.ArrayLayout(sums_layout(self.spec), self.spec.pixels))
        word_ends = piece == self.follow.last_piece
        tile_ends = Signal()
        m.d.comb += [
            tile_ends.eq(active & word_ends & (lane == self.spec.pixels - 1)),
            self.valid.eq(active & ~piece.any() & target.left.any()),
            self.item.target.eq(target),
            *(o.eq(s) for o, s in zip(self.item.operands, held[lane], strict=True)),
            after.eq(tile),
        ]
        further = next_pixel(target, self.follow)
        with m.If(tile_ends):
            with m.If(target.group == self.last_group):
                m.d.comb += [after[name].eq(further[name] - target.group) for name in STEPS]
                m.d.comb += [after.left.eq(Mux(target.left.any(), further["left"], 0)), after.group.eq(0)]
            with m.Else():
                m.d.comb += after.group.eq(tile.group + 1)
            m.d.sync += [tile.eq(after), active.eq(0)]
        with m.If(active):
            m.d.sync += piece.eq(Mux(word_ends, 0, piece + 1))
            with m.If(word_ends):
                m.d.sync += [lane.eq(lane + 1), *(target[name].eq(further[name]) for name in STEPS)]
                m.d.sync += target.left.eq(Mux(target.left.any(), further["left"], 0))
        with m.If(self.whole):
            m.d.sync += [active.eq(1), lane.eq(0), piece.eq(0), held.eq(self.sums)]
            m.d.sync += [target[name].eq(after[name] + after.group) for name in STEPS]
            m.d.sync += [target.left.eq(after.left), target.group.eq(after.group)]
        with m.If(self.start):
            m.d.sync += [tile[name].eq(first) for name, first in first_target(self.follow, self.pixels).items()]
        return m
