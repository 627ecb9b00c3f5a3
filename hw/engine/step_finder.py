"""The channel sums of maps, and the adapter that makes a layer's step of them."""

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.asq.adapter import Adapter
from hw.asq.adapter_memories import SharedMemories
from hw.asq.layouts import index_shape, split_lanes
from hw.engine.collector import values_layout
from hw.engine.engine_spec import EngineSpec
from hw.engine.instruction_fields import adapt_fields
from hw.engine.places import target_layout


class StepFinder(wiring.Component):
    """Adds up the channels of a map while it is made, a bank for each image, and finds the step of a layer: ADAPT.

        values ─► + ─► sums of bank 0 ─┐
                  ▲    sums of bank 1 ─┴─► Adapter ─► step
                  └────────┘

    Members
    -------
    adds : In(1), adds_bank : In(1), target : In(`target_layout`), values : In(a word of values), map_pixels : In
        A word of the map is there, and whose it is; the first pixel of a map begins anew.
    adapt : In(fields of the instruction), bank : In(1), start : In(1)
    busy : Out(1)
    step : Out(step_bits), from the end of an instruction to that of the next
    """

    def __init__(self, spec: EngineSpec, network: SharedMemories):
        self.spec, self.network = spec, network
        super().__init__(
            {
                "adds": In(1),
                "adds_bank": In(1),
                "target": In(target_layout(spec)),
                "values": In(values_layout(spec)),
                "map_pixels": In(spec.count_bits),
                "adapt": In(data.StructLayout(adapt_fields(spec))),
                "bank": In(1),
                "start": In(1),
                "busy": Out(1),
                "step": Out(unsigned(spec.step_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, block, adapt = self.spec, self.spec.adapter_block, self.adapt
        m.submodules.adapter = adapter = Adapter(block, network=self.network)
        word, sending = Signal(index_shape(spec.sum_words)), Signal()
        is_first = Signal()  # the map's first pixel
        pixels = Signal.like(self.target.left)
        m.d.comb += is_first.eq(self.target.left == pixels)
        reads = []
        for number in range(spec.banks):
            shape = data.ArrayLayout(signed(block.sum_bits), spec.lanes)
            m.submodules[f"sums_{number}"] = sums = Memory(shape=shape, depth=max(spec.sum_words, 2), init=[])
            into, out = sums.write_port(), sums.read_port(domain="comb")
            taken = sending & (self.bank == number)
            m.d.comb += [
                into.en.eq(self.adds & (self.adds_bank == number)),
                into.addr.eq(self.target.word),
                out.addr.eq(Mux(taken, word, self.target.word)),
                *(i.eq(Mux(is_first, 0, o) + y) for i, o, y in zip(into.data, out.data, self.values, strict=True)),
            ]
            reads.append(out.data)
        totals = Signal(reads[0].shape())
        m.d.comb += [
            pixels.eq(self.map_pixels),
            totals.eq(Mux(self.bank, reads[-1], reads[0])),
            adapter.i.valid.eq(sending),
            *(lane.eq(total) for lane, total in zip(split_lanes(adapter.i.p), totals, strict=True)),
            adapter.words.eq(adapt.adapter_words),
            adapter.constants.eq(adapt.adapter),
            adapter.first.weights.eq(adapt.first_weight),
            adapter.first.units.eq(adapt.first_neuron),
            adapter.o.ready.eq(1),
        ]
        with m.If(self.start):
            m.d.sync += [self.busy.eq(1), sending.eq(1), word.eq(0)]
        with m.Elif(sending & adapter.i.ready):
            m.d.sync += [word.eq(word + 1), sending.eq(word + 1 != adapt.adapter_words)]
        with m.If(adapter.o.valid):
            m.d.sync += [self.busy.eq(0), self.step.eq(adapter.o.p.step)]
        return m
