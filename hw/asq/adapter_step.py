"""The adapter step-size block: a feature map in, its codes out, quantised with the step that the map itself asks."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from asq_model.spec.asq_blocks import BlockSpec
from hw.asq.adapter import Adapter
from hw.asq.channel_sums import ChannelSums
from hw.asq.layer_contents import Contents
from hw.asq.layouts import adapter_layout, codes_layout, make_index, size_layout, step_layout, values_layout
from hw.asq.memories import adapter_load_layout
from hw.asq.quantiser import ActivationQuantiser


class AdapterStep(wiring.Component):
    """Quantises each map with the step that its own channel sums give.

        i ──┬──► ChannelSums ──► Adapter ──► step ──┬──────────► s
            │                                       ▼
            └──► buffer of `spec.buffer` beats ──► ActivationQuantiser ──► o

    While a map's β is computed and its codes leave, the next map enters.

    Interval 1 cycle a beat, for maps of at least `BlockSpec.adapter_period` beats; shorter ones wait for the adapter.
    Latency from a map's last beat: `BlockSpec.step_latency` to its first code, `BlockSpec.step_offered` to its step.
    A map of more beats than the buffer holds never leaves; room for two maps is always enough for full rate.

    Members
    -------
    i : In(stream of `values_layout`), beat after beat of the first pixel, then of the next
    o : Out(stream of `codes_layout`), in the same order
    s : Out(stream of `step_layout`), each map's step, offered before its first code; the next map's codes wait until it
        is taken
    size : In(`size_layout`)
    constants : In(`adapter_layout`), constant while a map is inside, as `size`
    load : In(stream of `adapter_load_layout`), always ready; not while a map is inside

    contents: what the adapter's memories hold before anything is loaded; zeros without.
    """

    def __init__(self, spec: BlockSpec, contents: Contents | None = None):
        self.spec, self.contents = spec, contents
        super().__init__(
            {
                "i": In(stream.Signature(values_layout(spec))),
                "o": Out(stream.Signature(codes_layout(spec))),
                "s": Out(stream.Signature(step_layout(spec))),
                "size": In(size_layout(spec)),
                "constants": In(adapter_layout(spec)),
                "load": In(stream.Signature(adapter_load_layout(spec))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec = self.spec
        m.submodules.channel_sums = sums = ChannelSums(spec)
        m.submodules.adapter = adapter = Adapter(spec, self.contents)
        m.submodules.quantiser = quantiser = ActivationQuantiser(spec)
        m.submodules.buffer = buffer = SyncFIFOBuffered(width=values_layout(spec).size, depth=spec.buffer)
        wiring.connect(m, sums.o, adapter.i)
        wiring.connect(m, wiring.flipped(self.load), adapter.load)
        wiring.connect(m, quantiser.o, wiring.flipped(self.o))
        m.d.comb += [
            sums.size.eq(self.size),
            adapter.words.eq(self.size.words),
            adapter.constants.eq(self.constants),
            # Every beat goes both ways, at once.
            sums.i.payload.eq(self.i.payload),
            buffer.w_data.eq(self.i.payload),
            sums.i.valid.eq(self.i.valid & buffer.w_rdy),
            buffer.w_en.eq(self.i.valid & sums.i.ready),
            self.i.ready.eq(sums.i.ready & buffer.w_rdy),
        ]
        self.quantise(m, adapter, buffer, quantiser)
        return m

    def quantise(self, m: Module, adapter: Adapter, buffer: SyncFIFOBuffered, quantiser: ActivationQuantiser) -> None:
        """Let the oldest map in the buffer leave with its step, once the adapter has it."""
        leaves, step = Signal(), Signal(self.spec.step_bits)
        word, pixel = make_index(self.spec.words), make_index(self.spec.pixels)
        last_word, last_pixel = word + 1 == self.size.words, pixel + 1 == self.size.pixels
        sent, ends = Signal(), Signal()
        m.d.comb += [
            quantiser.i.p.values.eq(buffer.r_data),
            quantiser.i.p.step.eq(step),
            quantiser.i.valid.eq(leaves & buffer.r_rdy),
            buffer.r_en.eq(leaves & quantiser.i.ready),
            sent.eq(quantiser.i.valid & quantiser.i.ready),
            ends.eq(sent & last_word & last_pixel),
            adapter.o.ready.eq((~leaves | ends) & (~self.s.valid | self.s.ready)),
        ]
        with m.If(sent):
            m.d.sync += word.eq(word + 1)
            with m.If(last_word):
                m.d.sync += [word.eq(0), pixel.eq(pixel + 1)]
            with m.If(ends):
                m.d.sync += [pixel.eq(0), leaves.eq(0)]
        with m.If(self.s.ready):
            m.d.sync += self.s.valid.eq(0)
        with m.If(adapter.o.valid & adapter.o.ready):
            m.d.sync += [leaves.eq(1), step.eq(adapter.o.p.step)]
            m.d.sync += [self.s.valid.eq(1), self.s.payload.eq(adapter.o.payload)]
