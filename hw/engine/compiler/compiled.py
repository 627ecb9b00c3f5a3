"""A compiled network: an engine's instructions, the contents of its memories, and its cycles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hw.engine.compiler.conflicts import Turn
from hw.engine.compiler.instructions import Instruction
from hw.engine.compiler.round_times import Timed
from hw.engine.compiler.schedule import Program
from hw.engine.engine_spec import EngineSpec
from hw.engine.image import Image


@dataclass(frozen=True)
class Compiled:
    """A compiled network: the engine that it is for, its instructions, and what its memories hold at first.

    instructions: those of one image, in order. programs: the arrays' and the other, for `images` images. timed: when
    each instruction of a round starts, in cycles; period: cycles of a round, if images come in one value a cycle and
    results are taken at once; latency: cycles of an image that is alone, from the last of its bytes to its results.
    used: rows of each memory that are in use.
    """

    spec: EngineSpec
    instructions: tuple[Instruction, ...]
    programs: tuple[Program, Program]
    timed: tuple[Timed, ...]
    period: int
    latency: int
    images: int
    image: Image
    used: Mapping[str, int]
    radix_bits: int
    piece_bits: int
    order: Sequence[Turn]  # of the instructions of a round

    @property
    def cycles(self) -> float:
        """Cycles from one image to the next, on average."""
        return self.period / self.images

    @property
    def utilisation(self) -> float:
        """The part of the products that multiply parts of the network's own operands."""
        return sum(instruction.terms for instruction in self.instructions) / (self.cycles * self.spec.products)
