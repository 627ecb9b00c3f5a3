"""The control of CONVOLVE: which words all lanes read, which weights meet them, and when sums are whole."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.engine.engine_spec import EngineSpec
from hw.engine.instruction_fields import PIECE_BITS, convolve_fields, window_fields
from hw.engine.picker import Picker
from hw.engine.tile_loops import TileLoops
from hw.engine.walker import Walker, place_layout
from hw.engine.window_buffer import PLACE_BITS


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
        m.submodules.walker = self.walker
        here = [Signal(place_layout(self.spec), name=f"here_{lane}") for lane in range(self.spec.pixels)]
        steps, count = Signal(range(self.spec.pixels + 1)), Signal.like(self.layer.period)
        running, group = Signal(), Signal.like(self.layer.last_group)
        begins = Signal()  # a tile of other pixels begins in the next cycle
        ahead = self.walk_ahead(m, begins, steps)
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
        loops = TileLoops.create(self.window, self.layer)
        self.step(m, loops, begins, tile_ends & ~last_group, here)
        if self.spec.window_channels:
            m.d.comb += self.busy.eq(under_way | self.gather(m, loops, count, tile_ends, group))
        return m

    def walk_ahead(self, m: Module, begins: Signal, steps: Signal) -> list[data.View]:
        """Walk to the places of the next P pixels while those of a tile are in use; returns those of the next tile.

        begins: a tile of other pixels does. steps: how many places are still to be walked to.
        """
        walker, place = self.walker, place_layout(self.spec)
        ahead = [Signal(place, name=f"next_{lane}") for lane in range(self.spec.pixels)]
        walks = begins | steps.any()
        m.d.comb += [walker.window.eq(self.window), walker.restart.eq(self.start), walker.advance.eq(walks)]
        with m.If(steps.any()):
            m.d.sync += steps.eq(steps - 1)
        with m.If(walks):
            m.d.sync += [a.eq(b) for a, b in zip(ahead, [*ahead[1:], walker.place], strict=True)]
        return ahead

    def step(self, m: Module, loops: TileLoops, begins: Signal, goes_on: Value, here: list[data.View]) -> None:
        """The loops inside a tile, and the addresses of each of their steps.

        begins: a tile of other pixels does. goes_on: one of the same pixels and the next group does.
        """
        layer, in_last = self.layer, loops.in_last()
        with m.If(loops.stepping):
            loops.advance(m, in_last)
        loops.begin(m, begins, goes_on)
        starts_pass = loops.starts_pass()
        piece = layer.pieces.word_select(loops.number, PIECE_BITS)
        m.d.sync += [
            self.active.eq(loops.stepping),
            self.first.eq(starts_pass & ~loops.number.any()),
            self.shifted.eq(starts_pass & layer.shifts.bit_select(loops.number, 1)),
            self.last.eq(loops.stepping & in_last["word"] & in_last["column"] & in_last["row"] & in_last["pass"]),
            self.weights.eq(loops.weights),
            self.zero.eq(Mux(piece == layer.zero_piece, layer.zero, 0)),
        ]
        self.address(m, here, loops)

    def gather(self, m: Module, loops: TileLoops, count: Signal, tile_ends: Signal, group: Signal) -> Value:
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

    def address(self, m: Module, here: list[data.View], loops: TileLoops) -> None:
        """Address a step's word in each lane, and say whether its place lies inside the map."""
        window, row, column = self.window, loops.row, loops.column
        beyond = self.layer.negates & loops.number[0]
        for lane, place in enumerate(here):
            at_row, at_column = Signal.like(row, name=f"row_{lane}"), Signal.like(column, name=f"column_{lane}")
            m.d.comb += [at_row.eq(place.row + row), at_column.eq(place.column + column)]
            inside = (at_row >= 0) & (at_row < window.rows) & (at_column >= 0) & (at_column < window.columns)
            m.d.sync += self.addresses[lane].eq(place.address + loops.tap)
            m.d.sync += self.inside[lane].eq(inside & place.valid & ~beyond)
