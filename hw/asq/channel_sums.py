"""The sum of each channel over a feature map: what ASQ's adapter looks at."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from asq_model.spec.asq_blocks import BlockSpec
from hw.asq.layouts import make_index, size_layout, split_lanes, sums_layout, values_layout
from hw.asq.memories import make_memory


class ChannelSums(wiring.Component):
    """Adds up each channel of a map that comes pixel by pixel. Interval 1.

    A channel's sum is offered one cycle after its value of the last pixel; only then can a consumer that waits make the
    map wait. Maps follow each other without a gap.

    Members
    -------
    i : In(stream of `values_layout`), beat after beat of the first pixel, then of the next
    o : Out(stream of `sums_layout`), in the order of the channels
    size : In(`size_layout`)
    """

    def __init__(self, spec: BlockSpec):
        self.spec = spec
        super().__init__(
            {
                "i": In(stream.Signature(values_layout(spec))),
                "o": Out(stream.Signature(sums_layout(spec))),
                "size": In(size_layout(spec)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.sums = sums = make_memory(sums_layout(self.spec), self.spec.words)
        write = sums.write_port()
        read = sums.read_port(transparent_for=(write,))
        word, pixel = make_index(self.spec.words), make_index(self.spec.pixels)
        total = Signal(sums_layout(self.spec))
        accepted, last_word, last_pixel = Signal(), Signal(), Signal()
        following = Mux(last_word, 0, word + 1)
        m.d.comb += [
            last_word.eq(word + 1 == self.size.words),
            last_pixel.eq(pixel + 1 == self.size.pixels),
            self.i.ready.eq(~last_pixel | ~self.o.valid | self.o.ready),
            accepted.eq(self.i.valid & self.i.ready),
            read.addr.eq(Mux(accepted, following, word)),  # read a cycle ahead
            write.addr.eq(word),
            write.data.eq(total),
            write.en.eq(accepted),
        ]
        m.d.comb += [
            new.eq(Mux(pixel.any(), before, 0) + value)
            for new, before, value in zip(
                split_lanes(total), split_lanes(read.data), split_lanes(self.i.p), strict=True
            )
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(accepted):
            m.d.sync += word.eq(following)
            with m.If(last_word):
                m.d.sync += pixel.eq(Mux(last_pixel, 0, pixel + 1))
            with m.If(last_pixel):
                m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(total)]
        return m
