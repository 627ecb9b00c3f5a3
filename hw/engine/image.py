"""The first contents of an engine's memories."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hw.asq.memories import MemoryRow


@dataclass(frozen=True)
class Image:
    """What the memories of an engine hold at first: both programs, and what they work on."""

    array_program: Sequence[int]
    value_program: Sequence[int]
    weights: Sequence[int]
    scales: Sequence[Sequence[int]]
    biases: Sequence[Sequence[int]]
    multipliers: Sequence[int]
    neurons: Mapping[str, Sequence[MemoryRow]]
    tables: Sequence[int]
    functions: Sequence[MemoryRow]
