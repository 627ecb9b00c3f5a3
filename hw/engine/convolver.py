"""The control of CONVOLVE: which words all lanes read, which weights meet them, and when sums are whole."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.engine.engine_spec import EngineSpec
from hw.engine.program import PIECE_BITS, convolve_fields, window_fields
from hw.engine.walker import Walker, place_layout


class Convolver(wiring.Component):
    """Steps through a layer: pixel tiles, groups of output channels, passes, kernel rows and columns, words.

    A tile is P pixels, one for each lane, times a group of G output channels; every `period` cycles one begins. The
    places of the next P pixels are walked to while this tile's are in use:

        Walker ─► next[P−1] ─► … ─► next[0]
                      │               │      all at once, after a tile's last group
                     here[P−1]  …   here[0] ─► + tap ─► addresses

    Members
    -------
    window, layer : In(fields of the instruction), constant while it is at work
    start : In(1)
    busy : Out(1)
    addresses : Out(one a lane), inside : Out(1 a lane)
        A cycle after the step that they are for, as all that follows.
    zero : Out(code_word)
        What is read of a place outside the map.
    weights : Out
    active, first, shifted, last : Out(1)
        Whether there is a step; it is the first of its tile, the first of a pass that shifts, the last of its tile.
    """

    def __init__(self, spec: EngineSpec):
        self.spec = spec
        window, layer = data.StructLayout(window_fields(spec)), data.StructLayout(convolve_fields(spec))
        self.walker = Walker(spec)
        super().__init__(
            {
                "window": In(window),
                "layer": In(layer),
                "start": In(1),
                "busy": Out(1),
                "addresses": Out(data.ArrayLayout(window["source"].shape, spec.pixels)),
                "inside": Out(spec.pixels),
                "zero": Out(spec.code_word),
                "weights": Out(layer["weights"].shape),
                "active": Out(1),
                "first": Out(1),
                "shifted": Out(1),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.walker = walker = self.walker
        place = place_layout(self.spec)
        ahead = [Signal(place, name=f"next_{lane}") for lane in range(self.spec.pixels)]
        here = [Signal(place, name=f"here_{lane}") for lane in range(self.spec.pixels)]
        steps, count = Signal(range(self.spec.pixels + 1)), Signal.like(self.layer.period)
        running, group = Signal(), Signal.like(self.layer.last_group)
        begins = Signal()  # a tile of other pixels begins in the next cycle
        walks = begins | steps.any()
        m.d.comb += [walker.window.eq(self.window), walker.restart.eq(self.start), walker.advance.eq(walks)]
        with m.If(steps.any()):
            m.d.sync += steps.eq(steps - 1)
        with m.If(walks):
            m.d.sync += [a.eq(b) for a, b in zip(ahead, [*ahead[1:], walker.place], strict=True)]
        tile_ends = Signal()
        filled = Signal()  # the first tile's places are there
        m.d.comb += [
            filled.eq(self.busy & ~running & ~steps.any()),
            tile_ends.eq(running & (count == self.layer.period)),
        ]
        last_group = group == self.layer.last_group
        m.d.comb += begins.eq(filled | tile_ends & last_group & ahead[0].valid)
        with m.If(self.start):
            m.d.sync += [steps.eq(self.spec.pixels), self.busy.eq(1), running.eq(0)]
        with m.If(begins):
            m.d.sync += [
                running.eq(1),
                steps.eq(self.spec.pixels - 1),
                *(h.eq(a) for h, a in zip(here, ahead, strict=True)),
            ]
        with m.Elif(tile_ends & last_group):
            m.d.sync += [running.eq(0), self.busy.eq(0)]
        with m.If(running):
            m.d.sync += count.eq(Mux(tile_ends, 0, count + 1))
        with m.If(begins | tile_ends):
            m.d.sync += [count.eq(0), group.eq(Mux(begins, 0, group + 1))]
        self.step(m, begins, tile_ends & ~last_group, here)
        return m

    def step(self, m: Module, begins: Signal, goes_on: Value, here: list[data.View]) -> None:
        """The loops inside a tile, and the addresses of each of their steps.

        begins: a tile of other pixels does. goes_on: one of the same pixels and the next group does.
        """
        window, layer = self.window, self.layer
        stepping = Signal()
        word, kernel_row, kernel_column = (
            Signal.like(window[name], name=name) for name in ("last_word", "last_kernel_row", "last_kernel_column")
        )
        number, repeat = Signal.like(layer.last_pass), Signal.like(layer.last_repeat)
        tap, first_word = Signal.like(window.source), Signal.like(window.source)
        row, column = Signal.like(window.first_row), Signal.like(window.first_column)
        weights = Signal.like(layer.weights)
        ends = {
            "word": word == window.last_word,
            "column": kernel_column == window.last_kernel_column,
            "row": kernel_row == window.last_kernel_row,
            "pass": number == layer.last_pass,
        }
        following = number + 1
        with m.If(stepping):
            m.d.sync += [weights.eq(weights + 1), word.eq(word + 1), tap.eq(tap + 1)]
            with m.If(ends["word"]):
                m.d.sync += [word.eq(0), kernel_column.eq(kernel_column + 1), tap.eq(tap + window.kernel_column_step)]
                m.d.sync += column.eq(column + window.column_dilation)
                with m.If(ends["column"]):
                    m.d.sync += [kernel_column.eq(0), column.eq(0), kernel_row.eq(kernel_row + 1)]
                    m.d.sync += [row.eq(row + window.row_dilation), tap.eq(tap + window.kernel_row_step)]
                    with m.If(ends["row"]):
                        m.d.sync += [kernel_row.eq(0), row.eq(0), number.eq(following)]
                        m.d.sync += tap.eq(first_word + self.piece_offset(following))
                        with m.If(ends["pass"]):
                            m.d.sync += [number.eq(0), stepping.eq(0)]
        moves_on = repeat == layer.last_repeat
        after = Signal.like(first_word)  # the first word of the next group of output channels
        m.d.comb += after.eq(first_word + Mux(moves_on, window.last_word + 1, 0))
        with m.If(begins):
            m.d.sync += [stepping.eq(1), weights.eq(layer.weights), repeat.eq(0), first_word.eq(0)]
            m.d.sync += tap.eq(self.piece_offset(0))
        with m.Elif(goes_on):
            m.d.sync += [stepping.eq(1), repeat.eq(Mux(moves_on, 0, repeat + 1)), first_word.eq(after)]
            m.d.sync += tap.eq(after + self.piece_offset(0))
        starts_pass = ~(word.any() | kernel_row.any() | kernel_column.any())
        m.d.sync += [
            self.active.eq(stepping),
            self.first.eq(starts_pass & ~number.any()),
            self.shifted.eq(starts_pass & layer.shifts.bit_select(number, 1)),
            self.last.eq(stepping & ends["word"] & ends["column"] & ends["row"] & ends["pass"]),
            self.weights.eq(weights),
            self.zero.eq(Mux(layer.pieces.word_select(number, PIECE_BITS) == layer.zero_piece, layer.zero, 0)),
        ]
        for lane, place in enumerate(here):
            at_row, at_column = Signal.like(row, name=f"row_{lane}"), Signal.like(column, name=f"column_{lane}")
            m.d.comb += [at_row.eq(place.row + row), at_column.eq(place.column + column)]
            inside = (at_row >= 0) & (at_row < window.rows) & (at_column >= 0) & (at_column < window.columns)
            m.d.sync += [self.addresses[lane].eq(place.address + tap), self.inside[lane].eq(inside & place.valid)]

    def piece_offset(self, number: Signal | int) -> Signal:
        """How far into a pixel's words the piece begins that a pass multiplies."""
        fields = self.layer.pieces
        piece = fields[:PIECE_BITS] if isinstance(number, int) else fields.word_select(number, PIECE_BITS)
        step = self.layer.piece_step
        return Mux(piece[0], step, 0) + Mux(piece[1], step << 1, 0)
