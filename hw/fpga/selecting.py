# amaranth: UnusedElaboratable=no
# Generic products are made only to ask them what a code means.
"""Mapped products that select a multiple of the activation: POST, POT, E2M1, and APoT of three bits.

A weight's magnitude is one of two operands, a or a multiple of it, shifted left: a few choices between two things. The
last choice costs no look-up table. What is before it goes to two registers, one for each shift; a flip-flop's reset
leaves one of them at zero or, for a weight of zero, both; and the cell that adds them takes either.

        a ────┐                          ┌─► register, 0 if shifted ────────┐
              ├─► choose ─► choose ──────┤                                  ├─► either ─► adder's cell
        √2·a ─┘   operand   shift        └─► register << 2, 0 if not ───────┘
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from amaranth.hdl import Value

from asq_model.spec.mac import MacSpec
from hw.fpga.pipeline import Control, Pipeline
from hw.multipliers.shift_multipliers import E2m1Product, PostProduct, PotProduct

Bits = Sequence[Value]  # of a number, the lowest first
MEANINGS = {"post": PostProduct, "pot": PotProduct, "e2m1": E2m1Product}


@dataclass(frozen=True)
class Selection:
    """What a unit's products choose between. even, odd: names of the operands and by how much they are shifted before;
    shifts: the shift that each further control bit means.
    """

    even: tuple[str, int]
    odd: tuple[str, int] | None
    shifts: tuple[int, ...]


def make_selection(mac: MacSpec, odd_first: bool) -> Selection:
    """Make the choices of a unit. odd_first: √2·a of frac = -1 is shifted before all else."""
    shift_bits = 2 if mac.weight_bits == 4 else 1
    if mac.unit == "post":
        place = mac.result_frac - mac.frac_bits if odd_first else 0
        return Selection(("activation", mac.result_frac), ("root", place), tuple(1 << bit for bit in range(shift_bits)))
    if mac.unit == "e2m1":
        return Selection(("activation", 0), ("triple", 0), (1, 2))
    return Selection(("activation", 0), None, tuple(1 << bit for bit in range(shift_bits + 1)))


def read_code(mac: MacSpec, code: Value, odd_first: bool) -> tuple[Value, list[Value]]:
    """Read what a code says: whether it is nonzero, and its choices, of the operand first if there is one."""
    if mac.unit == "apot":  # three bits: a field of 1, 2, 3 shifts by 2, 1, 0
        return code[:2].any(), [~code[0], ~code[1]]
    nonzero, odd, shift = MEANINGS[mac.unit](mac).read_code(code)
    if mac.unit == "post" and odd_first:
        shift = code[1 : mac.weight_bits - 1]
    choices = make_selection(mac, odd_first)
    bits = [shift[place] for place in range(len(choices.shifts))]
    return nonzero, [odd, *bits] if choices.odd else bits


class SelectingProduct:
    """A product that selects a multiple of the activation: the part that is the same on every FPGA family."""

    odd_first = False
    layers = 1  # of look-up tables, a register behind each

    def __init__(self, mac: MacSpec):
        self.mac = mac
        self.selection = make_selection(mac, self.odd_first)
        self.largest = int(mac.products.max())

    def make_controls(self, code: Value, below: Value | None) -> dict[str, Control]:
        """Make the control bits of a weight's code by name, the sign that its sum needs first."""
        nonzero, choices = read_code(self.mac, code, self.odd_first)
        last = choices[-1]
        return {
            "sign": Control(nonzero & code[-1], self.layers),
            "drop_low": Control(~nonzero | last, self.layers - 1),
            "drop_high": Control(~(nonzero & last), self.layers - 1),
        }

    def list_operands(self, row: Mapping[str, Bits]) -> list[list[Value | None]]:
        """List the operands' bits, None where an operand has none."""
        chosen = [self.selection.even, *([self.selection.odd] if self.selection.odd else [])]
        made: list[list[Value | None]] = [[*[None] * place, *row[name]] for name, place in chosen]
        width = max(map(len, made))
        return [[*bits, *[None] * (width - len(bits))] for bits in made]

    def list_shifts(self) -> list[int]:
        """List the shifts that are chosen by look-up tables, in their order; the last one is left to the registers."""
        return list(self.selection.shifts[:-1])

    def split(
        self, pipeline: Pipeline, name: str, bits: Sequence[Value | None], drops: tuple[Value, Value]
    ) -> tuple[dict[int, Value], dict[int, Value]]:
        """The registers for the smaller and for the larger last shift, by the place that their bits get."""
        width = self.largest.bit_length()
        registers: list[dict[int, Value]] = []
        for part, drop, shift in zip(("low", "high"), drops, (0, self.selection.shifts[-1]), strict=True):
            registers.append(
                {
                    place + shift: pipeline.register(bit, f"{name}_{part}_{place}", drop)
                    for place, bit in enumerate(bits)
                    if bit is not None and place + shift < width
                }
            )
        return registers[0], registers[1]
