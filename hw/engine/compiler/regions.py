"""Places in a memory: each tensor gets the lowest free one for as long as it is needed."""

from dataclasses import dataclass, field

from asq_model.common.errors import InputError


@dataclass
class Regions:
    """A memory's rows, given out and taken back.

    what: the memory's name, for messages. depth: its rows. used: the most that were in use, from the lowest.
    """

    what: str
    depth: int
    taken: dict[str, tuple[int, int]] = field(default_factory=dict)
    used: int = 0

    def take(self, name: str, rows: int) -> int:
        """The first row of a free place. Raises InputError where there is none."""
        start = 0
        for first, size in sorted(self.taken.values()):
            if first - start >= rows:
                break
            start = max(start, first + size)
        if start + rows > self.depth:
            raise InputError(
                f"{name} needs {rows} rows of the memory of {self.what}, of which {self.depth - start} of {self.depth}"
                f" are free: {start + rows - self.depth} too few"
            )
        self.taken[name] = start, rows
        self.used = max(self.used, start + rows)
        return start

    def free(self, name: str) -> None:
        """Take a place back."""
        self.taken.pop(name)

    def hand_over(self, name: str, other: str) -> int:
        """Give a place to another tensor of the same size; returns its first row."""
        self.taken[other] = self.taken.pop(name)
        return self.taken[other][0]

    def first(self, name: str) -> int:
        """The first row of a place."""
        return self.taken[name][0]
