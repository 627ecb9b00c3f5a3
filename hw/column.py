# amaranth: UnusedElaboratable=no
# A product is also made only to know its control bits.
"""A column of an array as a component: products of held weights, their tree, and the adder of the partial sum."""

from typing import Any

from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from asq_model.spec.array import ArraySpec
from asq_model.spec.mapping import GENERIC
from hw.fpga.packed_multiples import PackedMultiples
from hw.fpga.xc7 import CELL_INPUTS
from hw.mac.adder_tree import AdderTree, add, carry_of
from hw.multipliers import PRODUCTS, MultiplesOf, Product, activation_shape, multiple_shapes


def column_layout(spec: ArraySpec) -> data.StructLayout:
    """The sums of one column, by name."""
    return data.StructLayout({name: signed(width) for name, width in spec.sum_widths.items()})


def column_ports(spec: ArraySpec, control_bits: int) -> dict[str, Any]:
    """The members of a column.

    control : In(one word a row), the weights, as `decode` makes them. Each bit is for the activations that came as many
        cycles before as the component's `control_times` say
    activation : In(one a row), and the multiples that the unit's products need beside it, `root` or `triple`
    partial : In, what is added to the sums
    total : Out, the sums
    """
    shapes = {"activation": activation_shape(spec.mac)} | multiple_shapes(spec.mac)
    return (
        {"control": In(data.ArrayLayout(control_bits, spec.rows))}
        | {name: In(data.ArrayLayout(shape, spec.rows)) for name, shape in shapes.items()}
        | {"partial": In(column_layout(spec)), "total": Out(column_layout(spec))}
    )


class GenericColumn(wiring.Component):
    """Computes Σ weight·activation + partial sum, the weights as control bits, every cycle anew.

    Interval 1, latency `latency` from controls, activations and their multiples to the sum; the partial sum is taken in
    the cycle before its sum comes out.

    Members: see `column_ports`.
    """

    def __init__(self, spec: ArraySpec):
        self.spec = spec
        super().__init__(column_ports(spec, len(self.control_times)))

    @property
    def latency(self) -> int:
        """Cycles from an activation to the sum that it is in."""
        return self.spec.column_latency

    @property
    def control_times(self) -> list[int]:
        """For each control bit of a weight, the cycles by which it is used after the activation: none."""
        return [0] * self.make_product().control_bits()

    def make_product(self) -> Product:
        """Make the product of one row."""
        return PRODUCTS[self.spec.unit](self.spec.mac, self.spec.stages)

    def decode(self, code: Value, below: Value | None) -> Value:
        """The control bits of a weight. below: those of the next row's weight, which tell nothing here."""
        return self.make_product().decode(code)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        mac, rows = self.spec.mac, range(self.spec.rows)
        products = [self.make_product() for _ in rows]
        m.submodules.tree = tree = AdderTree(
            data.StructLayout(products[0].outputs()), len(rows), len(self.spec.sum_widths)
        )
        m.d.comb += [tree.i.valid.eq(1), tree.o.ready.eq(1)]
        for row, product in enumerate(products):
            m.submodules[f"product_{row}"] = product
            inputs = ("activation", *mac.multiples)
            m.d.comb += [product.control.eq(self.control[row])]
            m.d.comb += [getattr(product, name).eq(getattr(self, name)[row]) for name in inputs]
            term = Signal.like(tree.i.p.terms[row], name=f"term_{row}")
            m.d.sync += [term[name].eq(getattr(product, name)) for name in product.outputs()]
            m.d.comb += tree.i.p.terms[row].eq(term)
        for index, name in enumerate(self.spec.sum_widths):
            total = tree.o.p.sums[index]
            m.d.sync += self.total[name].eq(add(self.partial[name], total.value, carry_of(total)))
        return m


def make_multiples(spec: ArraySpec, registered: bool = False) -> wiring.Component:
    """Make the circuit for the multiples of a row's activation; registered: between its tables, if it has two."""
    if spec.fpga_family == "xc7" and spec.mac.activation_bits <= CELL_INPUTS:
        return PackedMultiples(spec.mac)
    return MultiplesOf(spec.mac, registered)


def make_column(spec: ArraySpec) -> wiring.Component:
    """Make the column of an array, generic or mapped: both have the same members, and the same methods.

    latency: cycles from the activations to their sum. control_times: of each control bit, how many cycles after its
    activation it is used. decode(code, below): a weight's control bits; `below`: those of the next row's weight.
    """
    if spec.fpga_family == GENERIC:
        return GenericColumn(spec)
    from hw.fpga.column import MappedColumn

    return MappedColumn(spec)
