"""Which instructions of a round depend on each other, or use something that only one can use at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hw.engine.compiler.instructions import Instruction, exclude, share_rows


@dataclass(frozen=True)
class Turn:
    """An instruction of a round: its number among an image's, and the image's bank."""

    number: int
    bank: int


class Conflicts:
    """Which instructions of an image, or of two, depend on each other or exclude each other: bool [number, number].

    rows, shared: an instruction writes what another, for an image of the same bank or of a different one, reads or
    writes. same, different: they may not be at work together, for such images.
    """

    def __init__(self, instructions: Sequence[Instruction]):
        pairs = [[(one, other) for other in instructions] for one in instructions]
        self.rows, own, others = (
            np.array([[rule(*pair, same_image) for pair in row] for row in pairs])
            for rule, same_image in ((share_rows, True), (exclude, True), (exclude, False))
        )
        self.shared = np.array([[share_rows(*pair, False) for pair in row] for row in pairs])
        self.same, self.different = self.rows | own, self.shared | others

    def are_independent(self, one: Turn, other: Turn) -> bool:
        """Whether neither of two turns writes what the other reads or writes."""
        return not (self.rows if one.bank == other.bank else self.shared)[one.number, other.number]

    def find_conflicts(self, turns: Sequence[Turn]) -> np.ndarray:
        """Which instructions of a round may not be at work together: bool [turn, turn]."""
        numbers = np.array([turn.number for turn in turns])
        banks = np.array([turn.bank for turn in turns])
        pairs = numbers[:, None], numbers
        return np.where(banks[:, None] == banks, self.same[pairs], self.different[pairs])
