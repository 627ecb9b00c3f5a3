"""ASQ's adapter: from channel sums to β and the step S = s·β, one map after another, with `lanes` multipliers."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from asq_model.spec.adaptive_step import BETA_LIMIT
from asq_model.spec.asq_blocks import BlockSpec
from hw.asq.layer_contents import Contents
from hw.asq.layouts import adapter_layout, index, lanes, step_layout, sums_layout
from hw.asq.memories import adapter_load_layout, make_memory, neuron_layout, weights_layout
from hw.asq.rounding import round_shift


class Adapter(wiring.Component):
    """β = clamp(round_shift(Σ w·h + b, n2), floor, 16) with h = saturate(max(round_shift(Σ W·sum + b, n1), 0)), and
    S = max(round_shift(s·β, P), 1).

    Latency: `BlockSpec.adapter_latency`. The next map's sums are taken once the step is in the output register. In the
    one-layer form (`constants.hidden` = 0) the output's weights and bias are those of the first unit. The units'
    weights lie one after the other, `words` words each. An adder multiplies s by β, a bit a cycle: once a map is rare.

    Members
    -------
    i : In(stream of `sums_layout`), a map's sums, `words` words
    o : Out(stream of `step_layout`)
    words : In(range)
    constants : In(`adapter_layout`), constant while a map is inside, as `words`
    load : In(stream of `adapter_load_layout`), always ready; not while a map is inside

    contents: what the memories hold before anything is loaded; zeros without.
    """

    def __init__(self, spec: BlockSpec, contents: Contents | None = None):
        self.spec = spec
        self.rows = contents.rows if contents else {}
        super().__init__(
            {
                "i": In(stream.Signature(sums_layout(spec))),
                "o": Out(stream.Signature(step_layout(spec))),
                "words": In(range(spec.words + 1)),
                "constants": In(adapter_layout(spec)),
                "load": In(stream.Signature(adapter_load_layout(spec))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        spec, constants = self.spec, self.constants
        m.submodules.sums = sums = make_memory(sums_layout(spec), spec.words)
        m.submodules.weights = weights = make_memory(
            weights_layout(spec), spec.hidden * spec.words, self.rows.get("weights", ())
        )
        m.submodules.units = units = make_memory(neuron_layout(spec), spec.hidden, self.rows.get("units", ()))
        sum_in, sum_out = sums.write_port(), sums.read_port()
        weight_out, unit_out = weights.read_port(), units.read_port()
        m.d.comb += self.load.ready.eq(1)
        for memory, chosen in ((weights, ~self.load.p.unit), (units, self.load.p.unit)):
            port = memory.write_port()
            m.d.comb += [
                port.en.eq(self.load.valid & chosen),
                port.addr.eq(self.load.p.address),
                port.data.eq(self.load.p.data),
            ]

        word, unit = index(spec.words), index(spec.hidden)
        address = index(spec.hidden * spec.words)
        last_word = word + 1 == self.words
        following = Mux(last_word, 0, word + 1)
        m.d.comb += [
            sum_in.addr.eq(word),
            sum_in.data.eq(self.i.payload),
            sum_out.addr.eq(word),
            weight_out.addr.eq(address),
            unit_out.addr.eq(unit),
        ]

        accumulator = Signal(signed(spec.accumulator_bits))  # of the unit at work, then of the output
        output = Signal(signed(spec.accumulator_bits))  # the output's sum so far
        is_output = Signal()  # the accumulator holds the output's
        rounded = Signal(signed(spec.accumulator_bits))
        activation = Signal(spec.hidden_bits)
        beta, scaled = Signal(spec.beta_bits), Signal(spec.beta_bits + spec.mantissa_bits)
        remaining = Signal(range(spec.beta_bits))

        # Multipliers: operands from the memories a cycle after their addresses, products a cycle later.
        read, multiplied, takes_activation = Signal(), Signal(), Signal()
        operands = list(zip(lanes(sum_out.data), lanes(weight_out.data), strict=True))
        operands[0] = (
            Mux(takes_activation, activation, operands[0][0]),
            Mux(takes_activation, unit_out.data.weight, operands[0][1]),
        )
        products = [Signal(signed(spec.accumulator_bits), name=f"product_{lane}") for lane in range(spec.lanes)]
        m.d.sync += [product.eq(a * b) for product, (a, b) in zip(products, operands, strict=True)]
        m.d.sync += [read.eq(0), multiplied.eq(read)]
        with m.If(multiplied):
            m.d.sync += accumulator.eq(sum(products, accumulator))

        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.FSM():
            with m.State("LOAD"):
                m.d.comb += [self.i.ready.eq(1), sum_in.en.eq(self.i.valid)]
                with m.If(self.i.valid):
                    m.d.sync += word.eq(following)
                    with m.If(last_word):
                        m.d.sync += [address.eq(0), unit.eq(0)]
                        m.d.sync += [output.eq(constants.output_bias), is_output.eq(~constants.hidden.any())]
                        m.next = "UNIT"
            with m.State("UNIT"):  # the unit's record is being read
                m.next = "MULTIPLY"
            with m.State("MULTIPLY"):
                with m.If(~word.any()):
                    m.d.sync += accumulator.eq(unit_out.data.bias)
                m.d.sync += [read.eq(1), word.eq(following), address.eq(address + 1)]
                with m.If(last_word):
                    m.next = "SHIFT"
            with m.State("SHIFT"):
                with m.If(~read & ~multiplied):
                    shift = Mux(is_output, constants.output_shift, constants.hidden_shift)
                    m.d.sync += rounded.eq(round_shift(accumulator, shift))
                    with m.If(is_output):
                        m.next = "CLAMP"
                    with m.Else():
                        m.next = "ACTIVATE"
            with m.State("ACTIVATE"):
                ones = (1 << spec.hidden_bits) - 1
                m.d.sync += activation.eq(Mux(rounded[-1], 0, Mux(rounded > ones, ones, rounded)))
                m.next = "WEIGH"
            with m.State("WEIGH"):
                m.d.comb += takes_activation.eq(1)
                m.next = "ADD"
            with m.State("ADD"):
                total = output + products[0]
                m.d.sync += [output.eq(total), accumulator.eq(total), unit.eq(unit + 1)]
                with m.If(unit + 1 == constants.hidden):
                    m.d.sync += is_output.eq(1)
                    m.next = "SHIFT"
                with m.Else():
                    m.next = "UNIT"
            with m.State("CLAMP"):
                ceiling = BETA_LIMIT << spec.precision
                too_low, too_high = rounded < constants.floor, rounded > ceiling
                m.d.sync += beta.eq(Mux(too_low, constants.floor, Mux(too_high, ceiling, rounded)))
                m.d.sync += [scaled.eq(0), remaining.eq(spec.beta_bits - 1)]
                m.next = "SCALE"
            with m.State("SCALE"):
                m.d.sync += scaled.eq((scaled << 1) + Mux(beta[-1], constants.mantissa, 0))
                m.d.sync += [
                    beta.eq(Cat(beta[-1], beta[:-1])),
                    remaining.eq(remaining - 1),
                ]  # β is itself again at the end
                with m.If(~remaining.any()):
                    m.next = "ROUND"
            with m.State("ROUND"):
                step = (scaled + (1 << spec.precision - 1)) >> spec.precision
                with m.If(~self.o.valid | self.o.ready):
                    m.d.sync += [self.o.valid.eq(1), self.o.p.beta.eq(beta), self.o.p.step.eq(Mux(step.any(), step, 1))]
                    m.next = "LOAD"
        return m
