"""A compiled network: an engine's instructions, the contents of its memories, and its cycles."""

from collections.abc import Mapping
from dataclasses import dataclass

from hw.engine.compiler.instructions import Instruction
from hw.engine.compiler.schedule import Slot, Timed
from hw.engine.engine_spec import EngineSpec
from hw.engine.image import Image


@dataclass(frozen=True)
class Compiled:
    """A compiled network: the engine that it is for, its instructions, and what its memories hold at first.

    instructions: those of one image, in order. slots: what is run again and again, for `images` images. timed: when
    each instruction of a round starts, in cycles; period: cycles of a round, if images come in one value a cycle and
    results are taken at once. used: rows of each memory that are in use.
    """

    spec: EngineSpec
    instructions: tuple[Instruction, ...]
    slots: tuple[Slot, ...]
    timed: tuple[Timed, ...]
    period: int
    images: int
    image: Image
    used: Mapping[str, int]
    radix_bits: int
    piece_bits: int

    @property
    def cycles(self) -> float:
        """Cycles from one image to the next, on average."""
        return self.period / self.images

    @property
    def latency(self) -> int:
        """Cycles of an image that is alone, from the last of its bytes to the last of its results."""
        return sum(instruction.cycles for instruction in self.instructions)

    @property
    def utilisation(self) -> float:
        """The part of the products that multiply parts of the network's own operands."""
        return sum(instruction.terms for instruction in self.instructions) / (self.cycles * self.spec.products)
