"""SCALE: from an image's step S to the scales K of a layer's channels, one a cycle with one multiplier."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from asq_model.spec.precision import SHIFT_BITS
from hw.asq.layouts import index_shape
from hw.asq.rounding import round_shift
from hw.engine.engine_spec import EngineSpec
from hw.engine.instruction_fields import follow_fields
from hw.engine.places import delay
from hw.engine.row_writer import RowWriter, Section, serve

SCALER_LATENCY = 4  # cycles from a multiplier's address to its scale


class Scaler(wiring.Component):
    """Computes K = round_shift(M · S, m) for the multipliers M of one layer, in order.

    Members
    -------
    first, last : In, addresses of multipliers; constants : In, the row of the first scales; shift : In, m
    step : In
    start : In(1)
    busy : Out(1)
    write : Out(1), address : Out, lane : Out, scale : Out
    """

    def __init__(self, spec: EngineSpec, multipliers: list[int], writer: RowWriter | None = None):
        self.spec, self.multipliers, self.writer = spec, multipliers, writer
        address = index_shape(spec.depths.multipliers)
        follow = data.StructLayout(follow_fields(spec))
        super().__init__(
            {
                "first": In(address),
                "last": In(address),
                "constants": In(follow["scales"].shape),
                "shift": In(SHIFT_BITS),
                "step": In(spec.step_bits),
                "start": In(1),
                "busy": Out(1),
                "write": Out(1),
                "address": Out(follow["scales"].shape),
                "lane": Out(range(spec.lanes)),
                "scale": Out(signed(spec.scale_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec = self.spec
        depth = max(spec.depths.multipliers, 2)
        m.submodules.multipliers = memory = Memory(shape=signed(spec.precision), depth=depth, init=self.multipliers)
        serve(m, self.writer, Section.MULTIPLIERS, memory)
        port = memory.read_port()
        place, row, lane, active = (
            Signal.like(self.first),
            Signal.like(self.constants),
            Signal.like(self.lane),
            Signal(),
        )
        product = Signal(signed(spec.precision + spec.step_bits + 1))
        held, rounded = Signal.like(product), Signal.like(self.scale)
        m.d.comb += [port.addr.eq(place), self.scale.eq(rounded)]
        m.d.sync += [
            product.eq(port.data * self.step),
            held.eq(product),
            rounded.eq(round_shift(held, self.shift)),
        ]
        with m.If(self.start):
            m.d.sync += [active.eq(1), place.eq(self.first), row.eq(self.constants), lane.eq(0)]
        with m.Elif(active):
            m.d.sync += [
                place.eq(place + 1),
                lane.eq(Mux(lane == spec.lanes - 1, 0, lane + 1)),
                active.eq(place != self.last),
            ]
            with m.If(lane == spec.lanes - 1):
                m.d.sync += row.eq(row + 1)
        stages = Signal(SCALER_LATENCY)
        m.d.sync += stages.eq(Cat(active, stages))
        m.d.comb += [
            self.write.eq(stages[-1]),
            self.busy.eq(active | stages.any()),
            self.address.eq(delay(m, row, SCALER_LATENCY, "row")),
            self.lane.eq(delay(m, lane, SCALER_LATENCY, "lane")),
        ]
        return m
