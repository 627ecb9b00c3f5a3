# amaranth: UnusedElaboratable=no
# A lane is made, too, to know its ports: it is a module of its own (`ModuleInstance`).
"""The arrays with their memories of weights and codes, and what steps them through a layer: CONVOLVE."""

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.column import make_column
from hw.engine.convolver import Convolver
from hw.engine.drain import Drain
from hw.engine.engine_spec import EngineSpec
from hw.engine.instruction_fields import convolve_fields, follow_fields, window_fields
from hw.engine.lane import Lane, WeightDecoder
from hw.engine.module_instance import ModuleInstance
from hw.engine.places import delay, item_layout
from hw.engine.row_layouts import weight_row_layout
from hw.engine.row_writer import RowWriter, Section, serve
from hw.engine.spram import SpramWeights
from hw.engine.window_buffer import WindowBuffer

LANE, COLUMN = "engine_lane", "engine_column"  # modules of their own
CODE_READ = 2  # cycles from a lane's address to its word in the lane's registers


def modules_of(spec: EngineSpec, radix_bits: int) -> dict[str, wiring.Component]:
    """The modules that an engine has many copies of, by their names: a lane, and a column of products."""
    return {LANE: Lane(spec, radix_bits, COLUMN), COLUMN: make_column(spec.array)}


class Arrays(wiring.Component):
    """Multiplies the codes of P pixels a cycle with the same weights; whole sums leave word by word.

        Convolver ─┬─► weights ─► WeightDecoder ─┐
                   └─► codes, a copy a lane ─► P lanes ─► Drain ─► items

    Members
    -------
    window, layer : In(fields of the instruction), start : In(1), busy : Out(1)
    follow, pixels, last_group : In(fields of the instruction whose sums leave), begins_to_leave : In(1)
    write : In(1), code_address : In, codes : In(code_word)
        A word of codes, for all copies.
    valid : Out(1), item : Out(`item_layout`)
    """

    def __init__(
        self,
        spec: EngineSpec,
        radix_bits: int,
        piece_bits: int,
        weights: Sequence[int],
        writer: RowWriter | None = None,
        spram: bool = False,
    ):
        self.spec, self.radix_bits, self.piece_bits, self.weights = spec, radix_bits, piece_bits, weights
        self.writer, self.spram = writer, spram
        follow = data.StructLayout(follow_fields(spec))
        super().__init__(
            {
                "window": In(data.StructLayout(window_fields(spec))),
                "layer": In(data.StructLayout(convolve_fields(spec))),
                "follow": In(follow),
                "pixels": In(spec.count_bits),
                "last_group": In(spec.size_bits),
                "begins_to_leave": In(1),
                "start": In(1),
                "busy": Out(1),
                "write": In(1),
                "code_address": In(follow["code"].shape),
                "codes": In(spec.code_word),
                "valid": Out(1),
                "item": Out(item_layout(spec)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec = self.spec
        m.submodules.convolver = convolver = Convolver(spec)
        m.submodules.drain = drain = Drain(spec)
        m.submodules.decoder = decoder = WeightDecoder(spec)
        m.d.comb += [
            convolver.window.eq(self.window),
            convolver.layer.eq(self.layer),
            convolver.start.eq(self.start),
            self.busy.eq(convolver.busy),
            drain.follow.eq(self.follow),
            drain.pixels.eq(self.pixels),
            drain.last_group.eq(self.last_group),
            drain.start.eq(self.begins_to_leave),
            self.valid.eq(drain.valid),
            self.item.eq(drain.item),
        ]
        stage = CODE_READ + spec.array.column_latency - 1  # the accumulators' stage, from the addresses
        row = self.read_weights(m, convolver.weights)
        flags = {
            "first": delay(m, convolver.first, stage, "first"),
            "shifted": self.delay_shift(m, convolver, row, stage),
        }
        m.d.comb += decoder.codes.eq(row.weights)
        m.d.comb += drain.whole.eq(delay(m, convolver.last, stage + 1, "last"))
        zero = Signal.like(convolver.zero)
        m.d.sync += zero.eq(convolver.zero)
        for number in range(spec.pixels):
            lane = self.add_lane(m, number, convolver, zero, row)
            m.d.comb += [
                lane.control.eq(decoder.control),
                *(getattr(lane, name).eq(flag) for name, flag in flags.items()),
                drain.sums[number].eq(lane.sums),
            ]
        return m

    def delay_shift(self, m: Module, convolver: Convolver, row: data.View, stage: int) -> Value:
        """Delay the flag that shifts the sums to the accumulators' stage. stage: cycles from the addresses to there."""
        if not self.spec.window_channels:
            return delay(m, convolver.shifted, stage, "shifted")
        shifted = Mux(self.layer.gathers, row.shifted, delay(m, convolver.shifted, 1, "pass_shifted"))
        return delay(m, shifted, stage - 1, "shifted")

    def add_lane(self, m: Module, number: int, convolver: Convolver, zero: Value, row: data.View) -> ModuleInstance:
        """A lane with its copy of the codes. zero: what is read of a place outside the map. row: of weights."""
        spec = self.spec
        codes = Memory(shape=unsigned(spec.code_word), depth=max(spec.depths.codes, 2), init=[])
        m.submodules[f"codes_{number}"] = codes
        into, out = codes.write_port(), codes.read_port()
        m.submodules[f"lane_{number}"] = lane = ModuleInstance(LANE, Lane(spec, self.radix_bits, COLUMN))
        inside = Signal(name=f"inside_{number}")
        m.d.sync += inside.eq(convolver.inside[number])
        word = Mux(inside, out.data, zero)
        m.d.comb += [
            into.en.eq(self.write),
            into.addr.eq(self.code_address),
            into.data.eq(self.codes),
            out.addr.eq(convolver.addresses[number]),
            lane.codes.eq(self.pick(m, number, convolver, word, row) if spec.window_channels else word),
        ]
        return lane

    def pick(self, m: Module, number: int, convolver: Convolver, word: Value, row: data.View) -> Value:
        """Keep the words of a lane's window, and put together what is picked of them, where the layer asks for it."""
        m.submodules[f"window_{number}"] = window = WindowBuffer(self.spec, self.piece_bits)
        late = {name: delay(m, getattr(convolver, name), 1, f"{name}_{number}") for name in ("fills", "place", "bank")}
        m.d.comb += [getattr(window, name).eq(value) for name, value in late.items()]
        m.d.comb += [window.codes.eq(word), window.picks.eq(row.picks)]
        return Mux(self.layer.gathers, window.word, word)

    def read_weights(self, m: Module, address: Value) -> data.View:
        """The memory of weights; returns the row of an address, a cycle after it."""
        spec, layout = self.spec, weight_row_layout(self.spec)
        if self.spram:
            assert self.writer is not None
            m.submodules.weights = words = SpramWeights(self.writer)
            m.d.comb += words.address.eq(address)
            return data.View(layout, words.data)
        m.submodules.weights = weights = Memory(
            shape=unsigned(layout.size), depth=max(spec.depths.weights, 2), init=self.weights
        )
        serve(m, self.writer, Section.WEIGHTS, weights)
        port = weights.read_port()
        m.d.comb += port.addr.eq(address)
        return data.View(layout, port.data)
