# amaranth: UnusedElaboratable=no
# A column is made, too, to know its control bits.
"""The lane of an engine that runs a network as a program of terms: what it would take, measured; no engine has it.

A lane holds one pixel and one output channel. Each cycle it adds K of the channel's terms, activations with a sign, and
doubles its sum where the next terms are half as large. Each term reads its own copy of the map, so that it gets the
activation of this pixel, or of the one before or behind it in the row, or 0 beyond the map.
"""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from asq_model.spec.array import ArraySpec
from asq_model.spec.mac import MacSpec
from hw.column import make_column
from hw.engine.lane import Feedback, add_feedback
from hw.fpga.cells import Term
from hw.fpga.pipeline import name_bits
from hw.fpga.xc7 import pack_terms

NEAR = 3  # pixels of a row that a term may read


def make_ternary_column(terms: int, activation_bits: int, sum_bits: int, fpga_family: str) -> ArraySpec:
    """Make a column that adds `terms` activations, each with a sign or not at all, to a sum of `sum_bits` bits."""
    depth = 1 << sum_bits - 1 - activation_bits
    return ArraySpec(MacSpec("uniform-sign", 2, activation_bits, depth=depth), terms, 1, fpga_family=fpga_family)


class TermLane(wiring.Component):
    """Adds K terms of one output channel a cycle. fpga_family: of whose own cells it is made, xc7 or generic.

    Members
    -------
    near : In(K × 3 activations), near[k][j] the activation that term k reads for the pixel j − 1 places on
    place : In(K × 2), which of the three activations each term takes
    control : In(K × control bits of a term), a sign or none for each term, as the column takes it
    first, doubled : In(1), with the terms' sum: begin at zero, or double the sum first
    take : In(1), the lane's own sum goes into `out`; otherwise `below`, the sum of the lane below
    below, out : In, Out(sum), the way out, a register in which sums move from lane to lane
    """

    def __init__(self, terms: int, activation_bits: int, sum_bits: int, fpga_family: str = "xc7"):
        self.fpga_family = fpga_family
        self.column = make_column(make_ternary_column(terms, activation_bits, sum_bits, fpga_family))
        (self.name, width), *_ = self.column.spec.sum_widths.items()
        controls = len(self.column.control_times)
        super().__init__(
            {
                "near": In(data.ArrayLayout(data.ArrayLayout(activation_bits, NEAR), terms)),
                "place": In(data.ArrayLayout(2, terms)),
                "control": In(data.ArrayLayout(controls, terms)),
                "first": In(1),
                "doubled": In(1),
                "take": In(1),
                "below": In(signed(width)),
                "out": Out(signed(width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.column = column = self.column
        for term, near in enumerate(self.near):
            chosen = Array(near)[self.place[term]]
            m.d.comb += [column.activation[term].eq(chosen), column.control[term].eq(self.control[term])]
        total = column.total[self.name]
        held = name_bits(m, total, "sum")
        before = add_feedback(m, self.fpga_family, held, Feedback(self.first, self.doubled, 1), "before")
        m.d.comb += column.partial[self.name].eq(before)
        m.d.sync += self.out.eq(self.add_way_out(m, held))
        return m

    def add_way_out(self, m: Module, held: list[Signal]) -> Value:
        """Add the choice of the lane's own sum where it is taken, else of the lane below's."""
        if self.fpga_family != "xc7":
            return Mux(self.take, Cat(held), self.below)
        ways = [
            Term((self.take, own, other), lambda take, mine, theirs: mine if take else theirs)
            for own, other in zip(held, name_bits(m, self.below, "below"), strict=True)
        ]
        return Cat(pack_terms(m, "way_out", ways))
