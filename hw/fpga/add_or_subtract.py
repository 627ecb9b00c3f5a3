"""An adder that subtracts where a signal says so, in one row of a family's cells."""

from amaranth.hdl import Module, Mux, Signal, Value

from asq_model.spec.mapping import GENERIC
from hw.fpga.cells import make_addition, make_plain, make_plain_terms
from hw.fpga.column import CELLS
from hw.fpga.pipeline import name_bits
from hw.mac.adder_tree import add


def add_or_subtract(m: Module, name: str, family: str, x: Value, y: Value, subtracts: Value) -> Signal:
    """The signed numbers' sum x + y, or x − y where `subtracts` is set, as wide as x, modulo its range.

    Yosys puts the choice into look-up tables of its own, before the adder's; a family's own cells have room for it.
    """
    total = Signal(len(x), name=f"{name}_total")
    if family == GENERIC:
        m.d.comb += total.eq(add(x, Mux(subtracts, ~y, y).as_signed(), subtracts))
        return total
    flag = Signal(name=f"{name}_subtracts")
    m.d.comb += flag.eq(subtracts)
    bits = name_bits(m, y, f"{name}_y")
    extended = [*bits, *[bits[-1]] * (len(x) - len(bits))]
    terms = make_plain_terms(name_bits(m, x, f"{name}_x"))
    CELLS[family]().add(m, name, make_addition(total, terms, [make_plain(bit).flip_if(flag) for bit in extended], flag))
    return total
