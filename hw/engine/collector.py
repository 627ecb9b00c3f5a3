"""The control of COLLECT: values or the image are read word by word, pooled over a window, and sent on."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.engine.engine_spec import EngineSpec
from hw.engine.instruction_fields import collect_fields, follow_fields, window_fields
from hw.engine.places import first_target, item_layout, next_pixel, next_word, target_layout
from hw.engine.walker import Walker

PIPELINE = 3  # cycles from a step to the word that it ends


def values_layout(spec: EngineSpec) -> data.ArrayLayout:
    """A word of stored values, one for each lane."""
    return data.ArrayLayout(signed(spec.value_bits), spec.lanes)


class Collector(wiring.Component):
    """Reads, for each output pixel and word of values, the places of a window; their sum or largest goes on.

    A step reads a place; after a window's last place a step more reads the side branch, if there is one, and no word
    takes fewer steps than the writing of its codes.

        step ─► reg ─► memory ─► sum or largest, side ─► item

    Members
    -------
    window, follow, collect : In(fields of the instruction), start : In(1)
    last_word : In
        The number of a pixel's last word of values.
    busy : Out(1)
    address : Out, side_address : Out, takes_side : Out(1)
        Of the word to be read; a cycle after its step.
    read : In(a word of values)
        A cycle after the address.
    valid : Out(1), item : Out(`item_layout`), side : Out(a word of values)
    """

    def __init__(self, spec: EngineSpec):
        self.spec = spec
        window = data.StructLayout(window_fields(spec))
        super().__init__(
            {
                "window": In(window),
                "follow": In(data.StructLayout(follow_fields(spec))),
                "collect": In(data.StructLayout(collect_fields(spec))),
                "last_word": In(target_layout(spec)["word"].shape),
                "start": In(1),
                "busy": Out(1),
                "address": Out(window["source"].shape),
                "side_address": Out(target_layout(spec)["side"].shape),
                "takes_side": Out(1),
                "read": In(values_layout(spec)),
                "valid": Out(1),
                "item": Out(item_layout(spec)),
                "side": Out(values_layout(spec)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        window, follow = self.window, self.follow
        m.submodules.walker = walker = Walker(self.spec)
        row, column = Signal.like(window.first_row), Signal.like(window.first_column)
        kernel_row, kernel_column = Signal.like(window.last_kernel_row), Signal.like(window.last_kernel_column)
        tap, extra, ready = Signal.like(window.source), Signal.like(self.collect.last_step), Signal()
        sided = Signal()
        pixel, target = Signal(target_layout(self.spec)), Signal(target_layout(self.spec))
        in_window = Signal()  # the step reads a place of the window
        window_ends = (kernel_row == window.last_kernel_row) & (kernel_column == window.last_kernel_column)
        word_ends, takes_side = Signal(), Signal()
        m.d.comb += [
            takes_side.eq(ready & ~in_window & follow.has_side & ~sided),
            walker.window.eq(window),
            walker.restart.eq(self.start),
        ]
        spare = Signal()  # the word has as many steps as it takes at least, this one included
        m.d.comb += spare.eq(extra == self.collect.last_step)
        reads_last = Signal()
        m.d.comb += reads_last.eq(Mux(follow.has_side, takes_side | sided, ~in_window | window_ends))
        m.d.comb += word_ends.eq(ready & reads_last & spare)
        with m.If(self.start):
            m.d.sync += [self.busy.eq(1), kernel_row.eq(0), kernel_column.eq(0), row.eq(0), column.eq(0), tap.eq(0)]
            m.d.sync += [extra.eq(0), sided.eq(0), in_window.eq(1), ready.eq(1)]
            for place in (pixel, target):
                m.d.sync += [place[name].eq(first) for name, first in first_target(follow, window.pixels).items()]
        with m.Elif(ready):
            with m.If(~spare):
                m.d.sync += extra.eq(extra + 1)
            with m.If(takes_side):
                m.d.sync += sided.eq(1)
            with m.If(in_window):
                self.next_place(m, (kernel_row, kernel_column), (row, column, tap))
                with m.If(window_ends):
                    m.d.sync += in_window.eq(0)
            with m.If(word_ends):
                self.end_word(m, walker, pixel, target, ready)
                m.d.sync += [kernel_row.eq(0), kernel_column.eq(0), row.eq(0), column.eq(0)]
                m.d.sync += [extra.eq(0), sided.eq(0), in_window.eq(1)]
                m.d.sync += tap.eq(Mux(target.word == self.last_word, 0, target.word + 1))
        self.read_places(m, walker, (row, column, tap), in_window & ready, takes_side, word_ends, target)
        return m

    def next_place(self, m: Module, kernel: tuple[Signal, Signal], place: tuple[Signal, Signal, Signal]) -> None:
        """Go on to the window's next place: kernel row and column; row, column and word from the window's first."""
        window, (kernel_row, kernel_column), (row, column, tap) = self.window, kernel, place
        m.d.sync += [kernel_column.eq(kernel_column + 1), column.eq(column + window.column_dilation)]
        m.d.sync += tap.eq(tap + window.kernel_column_step)
        with m.If(kernel_column == window.last_kernel_column):
            m.d.sync += [kernel_column.eq(0), column.eq(0), kernel_row.eq(kernel_row + 1)]
            m.d.sync += [row.eq(row + window.row_dilation), tap.eq(tap + window.kernel_row_step)]

    def end_word(self, m: Module, walker: Walker, pixel: data.View, target: data.View, ready: Signal) -> None:
        """Go on to the pixel's next word, or to the next pixel."""
        with m.If(target.word == self.last_word):
            further = next_pixel(pixel, self.follow)
            m.d.comb += walker.advance.eq(1)
            for place in (pixel, target):
                m.d.sync += [place[name].eq(value) for name, value in further.items()]
            m.d.sync += target.word.eq(0)
            with m.If(pixel.left == 1):
                m.d.sync += [ready.eq(0), self.busy.eq(0)]
        with m.Else():
            m.d.sync += [target[name].eq(value) for name, value in next_word(self.spec, target).items()]

    def read_places(
        self,
        m: Module,
        walker: Walker,
        place: tuple[Signal, Signal, Signal],
        in_window: Signal,
        takes_side: Signal,
        word_ends: Signal,
        target: data.View,
    ) -> None:
        """Address a step's word, and two cycles later pool it with those before."""
        window = self.window
        row, column, tap = place
        at_row, at_column = Signal.like(row), Signal.like(column)
        m.d.comb += [at_row.eq(walker.place.row + row), at_column.eq(walker.place.column + column)]
        inside = (at_row >= 0) & (at_row < window.rows) & (at_column >= 0) & (at_column < window.columns)
        first = Signal(init=1)  # no place of this window has been taken
        with m.If(self.start | word_ends):
            m.d.sync += first.eq(1)
        with m.Elif(in_window & inside):
            m.d.sync += first.eq(0)
        flags = data.StructLayout({"takes": 1, "first": 1, "side": 1, "ends": 1, "target": target_layout(self.spec)})
        steps = [Signal(flags, name=f"step_{stage}") for stage in range(2)]
        m.d.sync += [
            self.address.eq(walker.place.address + tap),
            self.side_address.eq(target.side),
            self.takes_side.eq(takes_side),
            steps[0].takes.eq(in_window & inside),
            steps[0].first.eq(first),
            steps[0].side.eq(takes_side),
            steps[0].ends.eq(word_ends),
            steps[0].target.eq(target),
            steps[1].eq(steps[0]),
            self.valid.eq(steps[1].ends),
            self.item.target.eq(steps[1].target),
        ]
        self.pool(m, steps[1])

    def pool(self, m: Module, step: data.View) -> None:
        """Add a step's word to the item, or keep the larger numbers of both; a side branch's word is kept beside it."""
        for total, value in zip(self.item.operands, self.read, strict=True):
            larger = Mux(value > total, value, total)
            joined = Mux(self.collect.takes_largest, larger, total + value)
            with m.If(step.takes):
                m.d.sync += total.eq(Mux(step.first, value, joined))
            with m.Elif(step.first):
                m.d.sync += total.eq(0)
        with m.If(step.side):
            m.d.sync += self.side.eq(self.read)
