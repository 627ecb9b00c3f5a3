"""The way out: results are kept until the network has finished, then leave one by one."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.asq.layouts import index_shape
from hw.engine.engine_spec import EngineSpec
from hw.engine.finisher import totals_layout
from hw.engine.instruction_fields import finish_fields


def result_layout(spec: EngineSpec) -> data.StructLayout:
    """A result, and whether it is the image's last."""
    return data.StructLayout({"value": signed(spec.total_bits), "last": 1})


class Results(wiring.Component):
    """Holds words of results; after `start` puts out their values, the channels of a pixel one after the other.

    Members
    -------
    write : In(1), address : In, word : In(a word of totals)
    finish : In(fields of the instruction), start : In(1)
    busy : Out(1)
        Results wait to be taken; none may be written.
    o : Out(stream of `result_layout`)
    """

    def __init__(self, spec: EngineSpec):
        self.spec = spec
        super().__init__(
            {
                "write": In(1),
                "address": In(index_shape(spec.depths.results)),
                "word": In(totals_layout(spec)),
                "finish": In(data.StructLayout(finish_fields(spec))),
                "start": In(1),
                "busy": Out(1),
                "o": Out(stream.Signature(result_layout(spec))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.words = words = Memory(
            shape=totals_layout(self.spec), depth=max(self.spec.depths.results, 2), init=[]
        )
        into, out = words.write_port(), words.read_port()
        finish = Signal.like(self.finish)
        left, channel, lane = (
            Signal.like(finish.output_pixels),
            Signal.like(finish.last_output),
            Signal(range(self.spec.lanes)),
        )
        address, pixel = Signal.like(self.address), Signal.like(self.address)  # of a word, of its pixel's first
        waits = Signal(2)  # for the memory's word
        result = Signal(signed(self.spec.total_bits))
        m.d.comb += [
            into.en.eq(self.write),
            into.addr.eq(self.address),
            into.data.eq(self.word),
            out.addr.eq(address),
            self.busy.eq(left.any()),
            self.o.valid.eq(left.any() & ~waits.any()),
            result.eq(out.data[lane if self.spec.lanes > 1 else 0]),
            self.o.payload.value.eq(Mux(finish.wide_results, result, result[: self.spec.value_bits].as_signed())),
            self.o.payload.last.eq((left == 1) & (channel == finish.last_output)),
        ]
        with m.If(waits.any()):
            m.d.sync += waits.eq(waits - 1)
        with m.If(self.o.valid & self.o.ready):
            pixel_ends = channel == finish.last_output
            word_ends = pixel_ends | (lane == self.spec.lanes - 1)
            m.d.sync += [channel.eq(Mux(pixel_ends, 0, channel + 1)), lane.eq(Mux(word_ends, 0, lane + 1))]
            m.d.sync += left.eq(left - pixel_ends)
            with m.If(word_ends):
                m.d.sync += [address.eq(address + 1), waits.eq(2)]
            with m.If(pixel_ends):
                m.d.sync += [address.eq(pixel + finish.output_words), pixel.eq(pixel + finish.output_words)]
        with m.If(self.start):
            m.d.sync += [finish.eq(self.finish), left.eq(self.finish.output_pixels), channel.eq(0), lane.eq(0)]
            m.d.sync += [address.eq(0), pixel.eq(0), waits.eq(2)]
        return m
