"""iCE40: a bit cell is an SB_LUT4 for the sum and an SB_CARRY beside it, on the same two signals.

The carry chain takes the signals as they are: nothing fits in front of it.
"""

from collections.abc import Sequence

from amaranth.hdl import Const, Instance, Module, Signal, Value

from hw.fpga.cells import ONE_BIT, ZERO_BIT, AdderCells, Addition, Term, make_truth_table

SUM = make_truth_table(lambda unused, x, y, carry: x ^ y ^ carry, 4)


def is_plain(term: Term) -> bool:
    """Whether a term is a signal itself, or 0."""
    return term.is_plain or not (term.signals or term.function())


class Ice40Cells(AdderCells):
    """Additions in SB_LUT4 and SB_CARRY. A carry comes in by an SB_CARRY without a sum."""

    def fits(self, x: Term, y: Term) -> bool:
        """Whether both terms are signals themselves, which is all that an adder's cell takes."""
        return is_plain(x) and is_plain(y)

    def lay_out(self, m: Module, name: str, additions: Sequence[Addition]) -> None:
        """Make each addition in a carry chain of its own."""
        for index, addition in enumerate(additions):
            self.chain(m, f"{name}_{index}", addition)

    def chain(self, m: Module, name: str, addition: Addition) -> None:
        """One carry chain."""
        carry: Value = ZERO_BIT
        if addition.carry is not None:
            carry = self.add_carry(m, f"{name}_in", addition.carry, ONE_BIT, ZERO_BIT)
        for place in range(len(addition.total)):
            terms = addition.bits[place] if place < len(addition.bits) else ()
            x, y = [*(signal for term in terms for signal in term.signals), ZERO_BIT, ZERO_BIT][:2]
            m.submodules[f"{name}_sum_{place}"] = Instance(
                "SB_LUT4",
                p_LUT_INIT=Const(SUM, 16),
                i_I0=ZERO_BIT,
                i_I1=x,
                i_I2=y,
                i_I3=carry,
                o_O=addition.total[place],
            )
            if place + 1 < len(addition.total):
                carry = self.add_carry(m, f"{name}_carry_{place}", x, y, carry)

    def add_carry(self, m: Module, name: str, x: Value, y: Value, carry: Value) -> Signal:
        """Add the carry out of one place."""
        out = Signal(name=f"{name}_out")
        m.submodules[name] = Instance("SB_CARRY", i_I0=x, i_I1=y, i_CI=carry, o_CO=out)
        return out
