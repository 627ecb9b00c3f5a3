"""Places in a memory: each tensor gets the lowest free one for as long as it is needed."""

from dataclasses import dataclass, field

from asq_model.common.errors import InputError
from hw.engine.compiler.instructions import Place


@dataclass
class Regions:
    """A memory's rows, given out and taken back.

    what: the memory's name, for messages. depth: its rows. used: the most that were in use, from the lowest.
    """

    what: str
    depth: int
    taken: dict[str, tuple[int, int]] = field(default_factory=dict)
    used: int = 0
    given_back: tuple[int, int] = (0, 0)  # the place that was taken back last: the first row and the one after the last

    def take(self, name: str, rows: int, at_end: bool = False) -> int:
        """The first row of a free place. Raises InputError where there is none.

        The lowest free place. Where there is room below `used`, the lowest that has no row of what was given back last,
        since instructions may still be at work on that; or, if `at_end`, the highest.
        """
        fitting = [(first, end) for first, end in self.find_gaps() if end - first >= rows]
        if not fitting:
            most = max((end - first for first, end in self.find_gaps()), default=0)
            raise InputError(
                f"{name} needs {rows} rows of the memory of {self.what}, of which {most} of {self.depth}"
                f" are free side by side: {rows - most} too few"
            )
        lowest = fitting[0][0]
        below = [(first, min(end, self.used) - rows) for first, end in fitting if min(end, self.used) - first >= rows]
        low, high = self.given_back
        if at_end:
            start = max((last for _, last in below), default=lowest)
        else:
            beside = [row for first, last in below for row in (first, high) if first <= row <= last]
            start = min((row for row in beside if row >= high or row + rows <= low), default=lowest)
        self.taken[name] = start, rows
        self.used = max(self.used, start + rows)
        return start

    def find_gaps(self) -> list[tuple[int, int]]:
        """Find the free places, lowest first: the first row and the one after the last."""
        ends = [0, *(first + size for first, size in sorted(self.taken.values()))]
        firsts = [*(first for first, _ in sorted(self.taken.values())), self.depth]
        return [(end, first) for end, first in zip(ends, firsts, strict=True) if end < first]

    def free(self, name: str) -> None:
        """Take a place back."""
        first, rows = self.taken.pop(name)
        self.given_back = first, first + rows

    def hand_over(self, name: str, other: str) -> int:
        """Give a place to another tensor of the same size; returns its first row."""
        self.taken[other] = self.taken.pop(name)
        return self.taken[other][0]

    def place(self, name: str) -> Place:
        """A place, as instructions read and write it."""
        return Place(self.what, *self.taken[name])

    def first(self, name: str) -> int:
        """The first row of a place."""
        return self.taken[name][0]
