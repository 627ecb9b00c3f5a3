"""A column of an array out of an FPGA family's own cells: products, their tree, and the adder of the partial sum."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring

from asq_model.spec.array import ArraySpec
from asq_model.spec.mapping import selects, tree_steps
from hw.column import column_ports
from hw.fpga.cells import AdderCells
from hw.fpga.ecp5 import Ecp5Cells
from hw.fpga.generic import GenericProduct
from hw.fpga.ice40 import Ice40Cells
from hw.fpga.pipeline import Pipeline, name_bits
from hw.fpga.selecting_lut4 import Lut4Product
from hw.fpga.selecting_lut6 import Lut6Product
from hw.fpga.sum_tree import SumTree
from hw.fpga.summing import ApotProduct, UniformProduct
from hw.fpga.xc7 import Xc7Cells

CELLS: dict[str, type[AdderCells]] = {"ice40": Ice40Cells, "ecp5": Ecp5Cells, "xc7": Xc7Cells}
MappedProduct = GenericProduct | Lut4Product | Lut6Product | UniformProduct | ApotProduct


def make_product(spec: ArraySpec, cells: AdderCells) -> MappedProduct:
    """Make the circuit of an array's products in an FPGA family's cells."""
    mac = spec.mac
    if spec.fpga_family == "ice40":
        return GenericProduct(mac, spec.stages)
    if selects(mac):
        return Lut6Product(mac) if spec.fpga_family == "xc7" else Lut4Product(mac)
    return ApotProduct(mac, cells) if mac.unit == "apot" else UniformProduct(mac, cells)


class MappedColumn(wiring.Component):
    """Computes Σ weight·activation + partial sum, the weights as control bits, every cycle anew.

    Interval 1, latency `latency` from controls, activations and their multiples to the sum; the partial sum is taken in
    the cycle before its sum comes out. Nothing is reset: what comes out is of what went in, from `latency` cycles on.

    Members
    -------
    control, activation, root, triple, partial : In
    total : Out
        As `hw.column.column_ports` has them.
    """

    def __init__(self, spec: ArraySpec):
        self.spec = spec
        self.cells = CELLS[spec.fpga_family]()
        self.product = make_product(spec, self.cells)
        super().__init__(column_ports(spec, len(self.control_times)))

    @property
    def latency(self) -> int:
        """Cycles from an activation to the sum that it is in."""
        return self.spec.column_latency

    @property
    def control_times(self) -> list[int]:
        """For each control bit of a weight, the cycles by which it is used after the activation."""
        controls = self.product.make_controls(Signal(self.spec.mac.level_set.code_bits), None)
        return [control.time for control in controls.values()]

    def decode(self, code: Value, below: Value | None) -> Value:
        """The control bits of a weight; `below`: those of the next row's weight, None for the last row."""
        return Cat(control.bit for control in self.product.make_controls(code, below).values())

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pipeline, spec = Pipeline(m), self.spec
        names = list(self.product.make_controls(Signal(spec.mac.level_set.code_bits), None))
        numbers = []
        for place in range(spec.rows):
            bits = name_bits(m, self.control[place], f"control_{place}")
            row = {
                name: name_bits(m, getattr(self, name)[place], f"{name}_{place}")
                for name in ("activation", *spec.mac.multiples)
            }
            control = dict(zip(names, bits, strict=True))
            numbers.append(self.product.build(pipeline, f"product_{place}", control, row))
        tree = SumTree(pipeline, self.cells)
        for level, at_once in enumerate(tree_steps(spec.fpga_family, spec.mac, spec.rows)):
            numbers = tree.add_level(numbers, at_once, f"level_{level}")
        (name,) = spec.sum_widths
        total = Signal(spec.sum_widths[name], name="total_now")
        tree.add_last(numbers, name_bits(m, self.partial[name], "partial"), total)
        m.d.sync += self.total[name].eq(total)
        return m
