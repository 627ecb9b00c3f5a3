"""The control of CONVOLVE: which words all lanes read, which weights meet them, and when sums are whole."""

from collections.abc import Mapping
from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.engine.engine_spec import EngineSpec
from hw.engine.instruction_fields import PIECE_BITS, convolve_fields, window_fields
from hw.engine.picker import Picker
from hw.engine.walker import Walker, place_layout
from hw.engine.window_buffer import PLACE_BITS


@dataclass(frozen=True)
class Loops:
    """Where the loops inside a tile are, the innermost first: words of a place, kernel columns and rows, passes.

    repeat, first_word: of groups of output channels that see the same words, and the first word that they see. row,
    column: of the map, from the window's first place. tap: from the window's first word to the one that is read.
    """

    stepping: Signal
    word: Signal
    kernel_row: Signal
    kernel_column: Signal
    number: Signal
    repeat: Signal
    tap: Signal
    first_word: Signal
    row: Signal
    column: Signal
    weights: Signal


def make_loops(window: data.View, layer: data.View) -> Loops:
    """Counters for the loops of an instruction."""
    stepping = Signal()
    word, kernel_row, kernel_column = (
        Signal.like(window[name], name=name) for name in ("last_word", "last_kernel_row", "last_kernel_column")
    )
    number, repeat = Signal.like(layer.last_pass), Signal.like(layer.last_repeat)
    tap, first_word = Signal.like(window.source), Signal.like(window.source)
    row, column = Signal.like(window.first_row), Signal.like(window.first_column)
    weights = Signal.like(layer.weights)
    return Loops(stepping, word, kernel_row, kernel_column, number, repeat, tap, first_word, row, column, weights)


class Convolver(wiring.Component):
    """Steps through a layer: pixel tiles, groups of output channels, passes, kernel rows and columns, words.

    A tile is P pixels, one for each lane, times a group of G output channels; every `period` cycles one begins. The
    places of the next P pixels are walked to while this tile's are in use:

        Walker ─► next[P−1] ─► … ─► next[0]
                      │               │      all at once, after a tile's last group
                     here[P−1]  …   here[0] ─► + tap ─► addresses

    Where lanes keep windows (`gathers`), these steps fill them, and a Picker steps through the words, a tile behind.

    Members
    -------
    window, layer : In(fields of the instruction), constant while it is at work
    start : In(1)
    busy : Out(1)
        Until the cycle after the last step.
    addresses : Out(one a lane), inside : Out(1 a lane)
        A cycle after the step that they are for, as all that follows.
    zero : Out(code_word)
        What is read of a place outside the map.
    weights : Out
    active, first, shifted, last : Out(1)
        Whether there is a step; it is the first of its tile, the first of a pass that shifts, the last of its tile.
    fills : Out(1), place : Out, bank : Out(1)
        Only if lanes keep windows: the word that is read is a place of the window, kept in a bank.
    """

    def __init__(self, spec: EngineSpec):
        self.spec = spec
        window, layer = data.StructLayout(window_fields(spec)), data.StructLayout(convolve_fields(spec))
        self.walker = Walker(spec)
        fills = {"fills": Out(1), "place": Out(PLACE_BITS), "bank": Out(1)} if spec.window_channels else {}
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
            | fills
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
        under_way = Signal()  # tiles begin
        m.d.comb += [
            self.busy.eq(under_way),
            filled.eq(under_way & ~running & ~steps.any()),
            tile_ends.eq(running & (count == self.layer.period)),
        ]
        last_group = group == self.layer.last_group
        m.d.comb += begins.eq(filled | tile_ends & last_group & ahead[0].valid)
        with m.If(self.start):
            m.d.sync += [steps.eq(self.spec.pixels), under_way.eq(1), running.eq(0)]
        with m.If(begins):
            m.d.sync += [
                running.eq(1),
                steps.eq(self.spec.pixels - 1),
                *(h.eq(a) for h, a in zip(here, ahead, strict=True)),
            ]
        with m.Elif(tile_ends & last_group):
            m.d.sync += [running.eq(0), under_way.eq(0)]
        with m.If(running):
            m.d.sync += count.eq(Mux(tile_ends, 0, count + 1))
        with m.If(begins | tile_ends):
            m.d.sync += [count.eq(0), group.eq(Mux(begins, 0, group + 1))]
        loops = make_loops(self.window, self.layer)
        self.step(m, loops, begins, tile_ends & ~last_group, here)
        if self.spec.window_channels:
            m.d.comb += self.busy.eq(under_way | self.gather(m, loops, count, tile_ends, group))
        return m

    def step(self, m: Module, loops: Loops, begins: Signal, goes_on: Value, here: list[data.View]) -> None:
        """The loops inside a tile, and the addresses of each of their steps.

        begins: a tile of other pixels does. goes_on: one of the same pixels and the next group does.
        """
        window, layer = self.window, self.layer
        is_last = {
            "word": loops.word == window.last_word,
            "column": loops.kernel_column == window.last_kernel_column,
            "row": loops.kernel_row == window.last_kernel_row,
            "pass": loops.number == layer.last_pass,
        }
        with m.If(loops.stepping):
            self.advance(m, loops, is_last)
        self.begin(m, loops, begins, goes_on)
        starts_pass = ~(loops.word.any() | loops.kernel_row.any() | loops.kernel_column.any())
        piece = layer.pieces.word_select(loops.number, PIECE_BITS)
        m.d.sync += [
            self.active.eq(loops.stepping),
            self.first.eq(starts_pass & ~loops.number.any()),
            self.shifted.eq(starts_pass & layer.shifts.bit_select(loops.number, 1)),
            self.last.eq(loops.stepping & is_last["word"] & is_last["column"] & is_last["row"] & is_last["pass"]),
            self.weights.eq(loops.weights),
            self.zero.eq(Mux(piece == layer.zero_piece, layer.zero, 0)),
        ]
        self.address(m, here, loops)

    def gather(self, m: Module, loops: Loops, count: Signal, tile_ends: Signal, group: Signal) -> Value:
        """Where lanes keep windows, let them be filled, and step through what is picked of those of the tile before.

        count: of the cycles of a tile; group: of output channels. Returns whether there is something to pick.
        """
        m.submodules.picker = picker = Picker(self.spec)
        gathers = self.layer.gathers
        m.d.comb += [
            picker.layer.eq(self.layer),
            picker.whole.eq(tile_ends & gathers),
            picker.first_group.eq(group == 0),
        ]
        m.d.sync += [self.fills.eq(loops.stepping & gathers), self.place.eq(count), self.bank.eq(picker.bank)]
        with m.If(gathers):
            m.d.sync += [
                getattr(self, name).eq(getattr(picker, name)) for name in ("active", "first", "last", "weights")
            ]
        return picker.active

    def advance(self, m: Module, loops: Loops, is_last: Mapping[str, Value]) -> None:
        """Go on by a step, from the innermost loop outwards. is_last: whether a loop is in its last step."""
        window = self.window
        following = loops.number + 1
        m.d.sync += [loops.weights.eq(loops.weights + 1), loops.word.eq(loops.word + 1), loops.tap.eq(loops.tap + 1)]
        with m.If(is_last["word"]):
            m.d.sync += [loops.word.eq(0), loops.kernel_column.eq(loops.kernel_column + 1)]
            m.d.sync += loops.tap.eq(loops.tap + window.kernel_column_step)
            m.d.sync += loops.column.eq(loops.column + window.column_dilation)
            with m.If(is_last["column"]):
                m.d.sync += [loops.kernel_column.eq(0), loops.column.eq(0), loops.kernel_row.eq(loops.kernel_row + 1)]
                m.d.sync += loops.row.eq(loops.row + window.row_dilation)
                m.d.sync += loops.tap.eq(loops.tap + window.kernel_row_step)
                with m.If(is_last["row"]):
                    m.d.sync += [loops.kernel_row.eq(0), loops.row.eq(0), loops.number.eq(following)]
                    m.d.sync += loops.tap.eq(loops.first_word + self.piece_offset(following))
                    with m.If(is_last["pass"]):
                        m.d.sync += [loops.number.eq(0), loops.stepping.eq(0)]

    def begin(self, m: Module, loops: Loops, begins: Signal, goes_on: Value) -> None:
        """Begin a tile: of other pixels with the first group of output channels, or of the same with the next."""
        layer = self.layer
        moves_on = loops.repeat == layer.last_repeat
        after = Signal.like(loops.first_word)  # the first word of the next group of output channels
        m.d.comb += after.eq(loops.first_word + Mux(moves_on, self.window.last_word + 1, 0))
        with m.If(begins):
            m.d.sync += [loops.stepping.eq(1), loops.weights.eq(layer.weights)]
            m.d.sync += [loops.repeat.eq(0), loops.first_word.eq(0), loops.tap.eq(self.piece_offset(0))]
        with m.Elif(goes_on):
            m.d.sync += [loops.stepping.eq(1), loops.repeat.eq(Mux(moves_on, 0, loops.repeat + 1))]
            m.d.sync += [loops.first_word.eq(after), loops.tap.eq(after + self.piece_offset(0))]

    def address(self, m: Module, here: list[data.View], loops: Loops) -> None:
        """Address a step's word in each lane, and say whether its place lies inside the map."""
        window, row, column = self.window, loops.row, loops.column
        beyond = self.layer.negates & loops.number[0]
        for lane, place in enumerate(here):
            at_row, at_column = Signal.like(row, name=f"row_{lane}"), Signal.like(column, name=f"column_{lane}")
            m.d.comb += [at_row.eq(place.row + row), at_column.eq(place.column + column)]
            inside = (at_row >= 0) & (at_row < window.rows) & (at_column >= 0) & (at_column < window.columns)
            m.d.sync += self.addresses[lane].eq(place.address + loops.tap)
            m.d.sync += self.inside[lane].eq(inside & place.valid & ~beyond)

    def piece_offset(self, number: Signal | int) -> Signal:
        """How far into a pixel's words the piece begins that a pass multiplies."""
        fields = self.layer.pieces
        piece = fields[:PIECE_BITS] if isinstance(number, int) else fields.word_select(number, PIECE_BITS)
        step = self.layer.piece_step
        return Mux(piece[0], step, 0) + Mux(piece[1], step << 1, 0)
