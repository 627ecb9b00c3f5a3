"""ASQ's adapter: from channel sums to β and the step S = s·β, one map after another, with `lanes` multipliers."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.precision import BETA_LIMIT
from hw.asq.adapter_memories import Ports, SharedMemories, add_memories, first_layout
from hw.asq.adapter_state import Beat, Registers
from hw.asq.layer_contents import Contents
from hw.asq.layouts import adapter_layout, split_lanes, step_layout, sums_layout
from hw.asq.memories import adapter_load_layout
from hw.asq.rounding import round_shift


class Adapter(wiring.Component):
    """Computes a map's β and step from its channel sums:

        h = saturate(max(round_shift(Σ W·sum + B, n1), 0))      for each hidden neuron
        β = clamp(round_shift(Σ w·h + b, n2), floor, 16)
        S = max(round_shift(s·β, P), 1)

    Latency `BlockSpec.adapter_latency`, interval `BlockSpec.adapter_period`: the next map's sums are taken once the
    step is in the output register.

                         ┌─────────────── h, with its weight from `units` ◄────────────────┐
                         ▼                                                                 │
        i ────► sums ──► × ──► product ──► + ──► accumulator ──► round_shift ──┬──► saturate
                         ▲                 ▲          │                        │
        load ┬► weights ─┘                 ├──────────┘                        └──► clamp ──► β ──► × s ──► round ──► S
             └► units ───── bias ──────────┘

    The states, and what leads from one to the next:

        LOAD ──last beat──► UNIT ──► MULTIPLY ──last beat──► SHIFT ──output──► CLAMP ──► SCALE ──last bit──► ROUND
         ▲                   ▲                              │     ▲                                            │
         │                   │                       neuron │     │ last neuron                                │
         │                   │                              ▼     │                                            │
         │                   │                       ACTIVATE     │                                            │
         │                   │                              ▼     │                                            │
         │                   │                          WEIGH ──► ADD                                          │
         │                   └──────── other neurons ◄────────────┘                                            │
         └───────────────────────────────────────────────────────────────────────────── step is put out ◄──────┘

    In the one-layer form (`constants.hidden` = 0) the output's weights and bias are those of the first neuron. The
    neurons' weights lie one after the other, `words` rows each. An adder multiplies s by β, a bit a cycle: once a map
    is rare.

    Members
    -------
    i : In(stream of `sums_layout`), a map's sums, `words` beats
    o : Out(stream of `step_layout`)
    words : In(range)
    constants : In(`adapter_layout`), constant while a map is inside, as `words`
    load : In(stream of `adapter_load_layout`), always ready; not while a map is inside
    first : In(`first_layout`), constant while a map is inside
        Only of an adapter with `network`: where the layer's weights and neurons begin.

    contents: what the memories hold before anything is loaded; zeros without. network: the rows of several layers'
    memories, by name, one layer after the other; such an adapter has no `load`.
    """

    def __init__(self, spec: BlockSpec, contents: Contents | None = None, network: SharedMemories | None = None):
        self.spec, self.network = spec, network
        self.rows = network.rows if network else contents.rows if contents else {}
        ports = {
            "i": In(stream.Signature(sums_layout(spec))),
            "o": Out(stream.Signature(step_layout(spec))),
            "words": In(range(spec.words + 1)),
            "constants": In(adapter_layout(spec)),
        }
        if network:
            ports["first"] = In(first_layout(network))
        else:
            ports["load"] = In(stream.Signature(adapter_load_layout(spec)))
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        load = None if self.network else self.load
        ports = add_memories(m, self.spec, self.rows, self.network, load)
        r = Registers.create(self.spec, self.network.depths if self.network else None)
        is_last = r.word + 1 == self.words
        beat = Beat(is_last, Mux(is_last, 0, r.word + 1))
        m.d.comb += [
            ports.sum_in.addr.eq(r.word),
            ports.sum_in.data.eq(self.i.payload),
            ports.sum_out.addr.eq(r.word),
            ports.weight_out.addr.eq(r.address),
            ports.unit_out.addr.eq(r.unit),
        ]
        products = self.multiply_lanes(m, r, ports)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.FSM():
            self.take_sums(m, r, ports, beat)
            self.add_up_neuron(m, r, ports, beat)
            self.add_to_output(m, r, products[0])
            self.scale(m, r)
        return m

    def multiply_lanes(self, m: Module, r: Registers, ports: Ports) -> list[Signal]:
        """Multiply in all lanes, and add the products to the accumulator: operands come from the memories a cycle
        after their addresses, products a cycle later.
        """
        operands = list(zip(split_lanes(ports.sum_out.data), split_lanes(ports.weight_out.data), strict=True))
        operands[0] = (
            Mux(r.takes_activation, r.activation, operands[0][0]),
            Mux(r.takes_activation, ports.unit_out.data.weight, operands[0][1]),
        )
        shape = signed(self.spec.accumulator_bits)
        products = [Signal(shape, name=f"product_{lane}") for lane in range(self.spec.lanes)]
        m.d.sync += [product.eq(a * b) for product, (a, b) in zip(products, operands, strict=True)]
        m.d.sync += [r.read.eq(0), r.multiplied.eq(r.read)]
        with m.If(r.multiplied):
            m.d.sync += r.accumulator.eq(sum(products, r.accumulator))
        return products

    def take_sums(self, m: Module, r: Registers, ports: Ports, beat: Beat) -> None:
        """State LOAD: take a map's sums, and begin with its first neuron."""
        with m.State("LOAD"):
            m.d.comb += [self.i.ready.eq(1), ports.sum_in.en.eq(self.i.valid)]
            with m.If(self.i.valid):
                m.d.sync += r.word.eq(beat.following)
                with m.If(beat.is_last):
                    first = (self.first.weights, self.first.units) if self.network else (0, 0)
                    m.d.sync += [r.address.eq(first[0]), r.unit.eq(first[1])]
                    m.d.sync += [r.output.eq(self.constants.output_bias), r.is_output.eq(~self.constants.hidden.any())]
                    m.next = "UNIT"

    def add_up_neuron(self, m: Module, r: Registers, ports: Ports, beat: Beat) -> None:
        """States UNIT, MULTIPLY and SHIFT: a neuron's bias and products, and the rounding of their sum, which is also
        the output's.
        """
        with m.State("UNIT"):  # the neuron's record is being read
            m.next = "MULTIPLY"
        with m.State("MULTIPLY"):
            with m.If(~r.word.any()):
                m.d.sync += r.accumulator.eq(ports.unit_out.data.bias)
            m.d.sync += [r.read.eq(1), r.word.eq(beat.following), r.address.eq(r.address + 1)]
            with m.If(beat.is_last):
                m.next = "SHIFT"
        with m.State("SHIFT"):
            with m.If(~r.read & ~r.multiplied):
                shift = Mux(r.is_output, self.constants.output_shift, self.constants.hidden_shift)
                m.d.sync += r.rounded.eq(round_shift(r.accumulator, shift))
                with m.If(r.is_output):
                    m.next = "CLAMP"
                with m.Else():
                    m.next = "ACTIVATE"

    def add_to_output(self, m: Module, r: Registers, product: Signal) -> None:
        """States ACTIVATE, WEIGH and ADD: a neuron's activation times its weight is added to the output's sum."""
        with m.State("ACTIVATE"):
            ones = (1 << self.spec.hidden_bits) - 1
            m.d.sync += r.activation.eq(Mux(r.rounded[-1], 0, Mux(r.rounded > ones, ones, r.rounded)))
            m.next = "WEIGH"
        with m.State("WEIGH"):
            m.d.comb += r.takes_activation.eq(1)
            m.next = "ADD"
        with m.State("ADD"):
            total = r.output + product
            m.d.sync += [r.output.eq(total), r.accumulator.eq(total), r.unit.eq(r.unit + 1)]
            end = self.constants.hidden + self.first.units if self.network else self.constants.hidden
            with m.If(r.unit + 1 == end):
                m.d.sync += r.is_output.eq(1)
                m.next = "SHIFT"
            with m.Else():
                m.next = "UNIT"

    def scale(self, m: Module, r: Registers) -> None:
        """Add the states CLAMP, SCALE and ROUND: bound β, multiply the learned step by it bit by bit, round."""
        spec, floor = self.spec, self.constants.floor
        with m.State("CLAMP"):
            ceiling = BETA_LIMIT << spec.precision
            too_low, too_high = r.rounded < floor, r.rounded > ceiling
            m.d.sync += r.beta.eq(Mux(too_low, floor, Mux(too_high, ceiling, r.rounded)))
            m.d.sync += [r.scaled.eq(0), r.remaining.eq(spec.beta_bits - 1)]
            m.next = "SCALE"
        with m.State("SCALE"):
            m.d.sync += [
                r.scaled.eq((r.scaled << 1) + Mux(r.beta[-1], self.constants.mantissa, 0)),
                r.beta.eq(Cat(r.beta[-1], r.beta[:-1])),  # β is itself again at the end
                r.remaining.eq(r.remaining - 1),
            ]
            with m.If(~r.remaining.any()):
                m.next = "ROUND"
        with m.State("ROUND"):
            step = (r.scaled + (1 << spec.precision - 1)) >> spec.precision
            with m.If(~self.o.valid | self.o.ready):
                m.d.sync += [self.o.valid.eq(1), self.o.p.beta.eq(r.beta), self.o.p.step.eq(Mux(step.any(), step, 1))]
                m.next = "LOAD"
