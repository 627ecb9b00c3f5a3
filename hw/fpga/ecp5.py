"""ECP5: two bit cells are one CCU2C, whose look-up tables have two inputs for each of the two terms.

The cell's table P of A, B, C, D gives sum = P ⊕ carry, and carry out = P ? carry : P(A, B, 0, 0). P is x ⊕ y, with x a
function of A and B, and y of C and D, which is 0 where both are. Then P(A, B, 0, 0) is x: what an adder carries where x
and y are the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Const, Instance, Module, Signal, Value

from hw.fpga.cells import ONE_BIT, ZERO_BIT, AdderCells, Addition, Term, make_truth_table


@dataclass(frozen=True)
class Slot:
    """Half a CCU2C: inputs A to D, the table's contents, and where the sum goes to."""

    inputs: tuple[Value, ...] = (ZERO_BIT,) * 4
    contents: int = 0
    total: Value | None = None


def make_slot(x: Term, y: Term, total: Value) -> Slot:
    """Make the slot that adds two terms."""
    inputs = [*pad_inputs(x), *pad_inputs(y)]

    def differ(*bits: int) -> int:
        return x.function(*bits[: len(x.signals)]) ^ y.function(*bits[2 : 2 + len(y.signals)])

    return Slot(tuple(inputs), make_truth_table(differ, 4), total)


def pad_inputs(term: Term) -> tuple[Value, ...]:
    """Give a term two inputs of a cell, with a constant where it needs one only."""
    return (*term.signals, *[ZERO_BIT] * (2 - len(term.signals)))


def make_carry_slot(carry: Value) -> Slot:
    """Make a slot whose carry out is `carry`, whatever comes in: P = 0, since D is 1, and P(A, 0, 0, 0) = A."""
    return Slot((carry, ZERO_BIT, ZERO_BIT, ONE_BIT), make_truth_table(lambda a, b, c, d: a & (1 - d), 4))


def make_slots(addition: Addition) -> list[Slot]:
    """Make an addition's slots: one for its carry, one for each bit, one where the carry comes out."""
    slots = [] if addition.carry is None else [make_carry_slot(addition.carry)]
    slots += [make_slot(x, y, addition.total[place]) for place, (x, y) in enumerate(addition.bits)]
    return slots + ([Slot(total=addition.total[-1])] if addition.carries_out else [])


def join_slots(first: Addition, second: Addition) -> list[Slot]:
    """Join the slots of two additions in one chain; nothing is carried from one to the other."""
    stopped = first.carries_out or second.carry is not None
    return make_slots(first) + ([] if stopped else [make_carry_slot(ZERO_BIT)]) + make_slots(second)


class Ecp5Cells(AdderCells):
    """Additions in CCU2C. Two that take an odd number of slots share a chain: a CCU2C is two slots."""

    def fits(self, x: Term, y: Term) -> bool:
        """Whether both terms together have few enough inputs for half a CCU2C, two each."""
        return max(len(x.signals), len(y.signals)) <= 2

    def lay_out(self, m: Module, name: str, additions: Sequence[Addition]) -> None:
        """Make additions in chains of CCU2C, two with an odd number of slots in one."""
        odd = [addition for addition in additions if len(make_slots(addition)) % 2]
        chains = [make_slots(addition) for addition in additions if len(make_slots(addition)) % 2 == 0]
        chains += [join_slots(*odd[index : index + 2]) for index in range(0, len(odd) - 1, 2)]
        chains += [make_slots(odd[-1])] if len(odd) % 2 else []
        for index, slots in enumerate(chains):
            self.chain(m, f"{name}_{index}", slots)

    def chain(self, m: Module, name: str, slots: list[Slot]) -> None:
        """One carry chain."""
        carry: Value = ZERO_BIT
        for index in range(0, len(slots), 2):
            pair = [*slots[index : index + 2], Slot()][:2]
            carry_out = Signal(name=f"{name}_carry_{index}")
            ports: dict[str, object] = {"p_INJECT1_0": "NO", "p_INJECT1_1": "NO"}
            for half, slot in enumerate(pair):
                ports[f"p_INIT{half}"] = Const(slot.contents, 16)
                ports |= {f"i_{port}{half}": bit for port, bit in zip("ABCD", slot.inputs, strict=True)}
                unused = Signal(name=f"{name}_unused_{index + half}")
                ports[f"o_S{half}"] = unused if slot.total is None else slot.total
            m.submodules[f"{name}_{index}"] = Instance("CCU2C", i_CIN=carry, o_COUT=carry_out, **ports)
            carry = carry_out
