"""The multiply-accumulate units as stream components: operands in, one integer per dot product out."""

from amaranth.hdl import Module
from amaranth.lib import data, wiring

from asq_model.spec.mac import MacSpec
from hw.mac.accumulate import Accumulate
from hw.mac.adder_tree import AdderTree
from hw.mac.bit_serial import BitSerial
from hw.mac.multiply import Multiply
from hw.mac.operands import mac_ports
from hw.mac.root_two import TimesRootTwo


class Mac(wiring.Component):
    """Computes Σ weight·activation over the operands up to each `last`, by the circuit that `spec` names.

    A chain of stages. Each is a stream component that passes an item on when the next one takes it:

        operands → Multiply or BitSerial → AdderTree → Accumulate → TimesRootTwo → result
                   (`serial`)              (lanes > 1)              (`post-exact`)

    Interval: 1 cycle (`serial`: `weight_bits`).
    Latency from the last operand to the result: interval + ceil(log2(lanes)) + 1, and 1 more for `post-exact`
    (`MacSpec.interval`, `MacSpec.latency`).

    A dot product longer than `spec.depth` terms may wrap around. Reset drops whatever is inside.

    Members
    -------
    i : In(stream of `operand_layout`)
    o : Out(stream of signed(result_width)), in units of 2^-result_frac of the level set's unit
    """

    def __init__(self, spec: MacSpec):
        self.spec = spec
        super().__init__(mac_ports(spec))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        accumulate = self.accumulate(m, self.multiply(m))
        if self.spec.unit == "post-exact":
            m.submodules.root = root = TimesRootTwo(self.spec)
            wiring.connect(m, accumulate.o, root.i)
            wiring.connect(m, root.o, wiring.flipped(self.o))
        else:
            m.d.comb += [
                self.o.valid.eq(accumulate.o.valid),
                self.o.payload.eq(accumulate.o.p.sum),
                accumulate.o.ready.eq(self.o.ready),
            ]
        return m

    def multiply(self, m: Module) -> wiring.Component:
        """The stages that make one term, or one per sum, of an operand."""
        m.submodules.terms = terms = (BitSerial if self.spec.unit == "serial" else Multiply)(self.spec)
        wiring.connect(m, wiring.flipped(self.i), terms.i)
        if self.spec.lanes == 1:
            return terms
        m.submodules.tree = tree = AdderTree(data.StructLayout(terms.term), self.spec.lanes, len(self.spec.sum_widths))
        wiring.connect(m, terms.o, tree.i)
        return tree

    def accumulate(self, m: Module, terms: wiring.Component) -> Accumulate:
        """The stage that adds up what comes from `terms`."""
        m.submodules.accumulate = accumulate = Accumulate(terms.o.p.shape(), self.spec.sum_widths)
        wiring.connect(m, terms.o, accumulate.i)
        return accumulate
