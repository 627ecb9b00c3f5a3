"""The rescale: from exact sums of products to a layer's output, with the image's own step."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from asq_model.spec.asq_blocks import BlockSpec
from hw.asq.layer_contents import Contents
from hw.asq.layouts import make_index, rescale_layout, size_layout, step_layout, total_layout
from hw.asq.memories import channel_layout, make_memory, rescale_load_layout
from hw.asq.rounding import round_shift


class Rescale(wiring.Component):
    """Computes a layer's output from its sums of products, channel by channel:

        K = round_shift(M·S, m)
        y = saturate(max(round_shift(total·K + B + side·2^align, n), 0))      without `relu`, no max

    Interval 1, latency 7, a register behind each step:

                1           2        3        4                   5      6       7
        s ────► step ─────► M·S ───► >> m ──► total·K ──────────► + ───► >> n ─► saturate ─► o
        channels ► M, B ──► B ─────► B ─────► B + side·2^align ──►┘
        i ────► total, side ───────► ───────┘

    K and the side's shifted value must fit `BlockSpec.scale_bits` and `bias_bits`, as those of an exported network do.

    Members
    -------
    i : In(stream of `total_layout`), all channels of the first pixel, then of the next
    s : In(stream of `step_layout`), one for each map, taken with its last value
    o : Out(stream of signed(precision))
    size : In(`size_layout`)
    constants : In(`rescale_layout`), constant while a map is inside, as `size`
    load : In(stream of `rescale_load_layout`), always ready; not while a map is inside

    contents: what the memory holds before anything is loaded; zeros without.
    """

    def __init__(self, spec: BlockSpec, contents: Contents | None = None):
        self.spec = spec
        self.rows = contents.rows["channels"] if contents else ()
        super().__init__(
            {
                "i": In(stream.Signature(total_layout(spec))),
                "s": In(stream.Signature(step_layout(spec))),
                "o": Out(stream.Signature(signed(spec.precision))),
                "size": In(size_layout(spec)),
                "constants": In(rescale_layout(spec)),
                "load": In(stream.Signature(rescale_load_layout(spec))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        moves, accepted = Signal(), Signal()
        record = self.control(m, moves, accepted)
        self.compute(m, moves, accepted, record)
        return m

    def control(self, m: Module, moves: Signal, accepted: Signal) -> data.View:
        """The handshakes, and which channel a sum is of; returns that channel's record, a cycle after its sum.

        moves: the pipeline advances. accepted: a sum enters it.
        """
        spec = self.spec
        m.submodules.channels = memory = make_memory(channel_layout(spec), spec.channels, self.rows)
        load, parameters = memory.write_port(), memory.read_port()
        channel, pixel = make_index(spec.channels), make_index(spec.pixels)
        last_channel, last_pixel = channel + 1 == self.size.words, pixel + 1 == self.size.pixels
        following = Mux(last_channel, 0, channel + 1)
        m.d.comb += [
            self.load.ready.eq(1),
            load.en.eq(self.load.valid),
            load.addr.eq(self.load.p.address),
            load.data.eq(self.load.p.data),
            moves.eq(~self.o.valid | self.o.ready),  # the whole pipeline, unless a finished value waits
            self.i.ready.eq(moves & self.s.valid),
            accepted.eq(self.i.valid & self.i.ready),
            self.s.ready.eq(accepted & last_channel & last_pixel),
            parameters.addr.eq(channel),
            parameters.en.eq(moves),
        ]
        with m.If(accepted):
            m.d.sync += channel.eq(following)
            with m.If(last_channel):
                m.d.sync += pixel.eq(Mux(last_pixel, 0, pixel + 1))
        return parameters.data

    def compute(self, m: Module, moves: Signal, accepted: Signal, record: data.View) -> None:
        """The pipeline, stage after stage."""
        spec, constants = self.spec, self.constants
        valid = Signal(6)
        totals = [Signal(signed(spec.total_bits), name=f"total_{stage}") for stage in range(3)]
        sides = [Signal(signed(spec.precision), name=f"side_{stage}") for stage in range(3)]
        step = Signal(spec.step_bits)
        biases = [Signal(signed(spec.bias_bits), name=f"bias_{stage}") for stage in range(2)]
        stepped = Signal(signed(spec.precision + spec.step_bits + 1))
        scale = Signal(signed(spec.scale_bits))
        product, offset = Signal(signed(spec.bias_bits)), Signal(signed(spec.bias_bits))
        total = Signal(signed(spec.bias_bits + 1))
        rounded = Signal.like(total)
        high = (1 << spec.precision - 1) - 1
        low = Mux(constants.relu, 0, -high - 1)
        with m.If(moves):
            m.d.sync += [
                valid.eq(valid << 1 | accepted),
                totals[0].eq(self.i.p.total),
                sides[0].eq(self.i.p.side),
                step.eq(self.s.p.step),
                stepped.eq(record.multiplier * step),
                totals[1].eq(totals[0]),
                sides[1].eq(sides[0]),
                biases[0].eq(record.bias),
                scale.eq(round_shift(stepped, constants.scale_shift)),
                totals[2].eq(totals[1]),
                sides[2].eq(sides[1]),
                biases[1].eq(biases[0]),
                product.eq(totals[2] * scale),
                offset.eq(biases[1] + (sides[2] << constants.align)),
                total.eq(product + offset),
                rounded.eq(round_shift(total, constants.shift)),
                self.o.valid.eq(valid[-1]),
                self.o.payload.eq(Mux(rounded < low, low, Mux(rounded > high, high, rounded))),
            ]
