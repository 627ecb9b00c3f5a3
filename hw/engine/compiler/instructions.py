"""An instruction of a compiled network, and what of the engine it uses, reads and writes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hw.engine.compiler.cycles import count_instruction_cycles
from hw.engine.program import ARRAY_KINDS, Kind

SHARED = ("results",)  # memories that the images under way have in common


@dataclass(frozen=True)
class Place:
    """Rows of a memory, by its name."""

    memory: str
    first: int = 0
    rows: int = 1

    def overlaps(self, other: "Place") -> bool:
        """Whether two places have a row in common."""
        same = self.memory == other.memory
        return same and self.first < other.first + other.rows and other.first < self.first + self.rows


@dataclass(frozen=True)
class Instruction:
    """An instruction with its fields, what it is for, for how many cycles it keeps its part of the engine at work, and
    the products of the network that it makes.

    terms: products of the arrays that those take, more where weights or codes are wider than the arrays'. lead:
    cycles of the flush of the arrays' instruction before that it may start early. tensor: the name of the tensor that
    is made or read word by word, if there is one; layer: the name of the layer whose codes are made of it, or none.
    owner: the layer that it prepares, or none if it stands for itself. channels: of the tensor, the first and the one
    after the last, if not all of them. reads, writes: places whose contents other instructions write or read, too.
    """

    kind: Kind
    name: str
    fields: Mapping[str, int]
    busy: int
    products: int = 0
    terms: int = 0
    lead: int = 0
    tensor: str = ""
    layer: str = ""
    owner: str = ""
    channels: tuple[int, int] | None = None
    reads: tuple[Place, ...] = ()
    writes: tuple[Place, ...] = ()

    @property
    def flush(self) -> int:
        """Cycles from the end of its work until all is written."""
        return self.fields.get("flush", 0)

    @property
    def cycles(self) -> int:
        """Cycles from its start to where it is done."""
        return count_instruction_cycles(self.busy, self.flush)

    @property
    def is_arrays(self) -> bool:
        """Whether it is of the arrays' program."""
        return self.kind in ARRAY_KINDS

    @property
    def begins(self) -> bool:
        """Whether an image begins with it."""
        return self.kind == Kind.COLLECT and bool(self.fields.get("begins"))

    @property
    def uses(self) -> set[str]:
        """What it needs for itself: a part of the engine, or the port by which the values of its image are read."""
        finishes = self.kind == Kind.CONVOLVE or self.fields.get("finishes")
        collects = self.kind == Kind.COLLECT and not self.fields.get("from_input")
        used = {
            "finisher": finishes,
            "quantiser": self.fields.get("writes_codes"),
            "port": collects or (self.kind == Kind.CONVOLVE and self.fields.get("has_side")),
        }
        return {name for name, needed in used.items() if needed}


def share_rows(one: Instruction, other: Instruction, same_image: bool) -> bool:
    """Whether one of two instructions writes rows that the other reads or writes, so that their order matters.

    same_image: whether they are for the same image, or for images that have the same bank.
    """
    pairs = [(a, b) for a in one.writes for b in (*other.reads, *other.writes)]
    pairs += [(a, b) for a in one.reads for b in other.writes]
    return any(a.overlaps(b) and (same_image or a.memory in SHARED) for a, b in pairs)


def exclude(one: Instruction, other: Instruction, same_image: bool) -> bool:
    """Whether two instructions use something that only one of them can use at a time."""
    return bool((one.uses & other.uses) - (set() if same_image else {"port"}))


@dataclass(frozen=True)
class Banks:
    """How the addresses of the second image differ from those of the first."""

    codes: int
    scales: int
    modulus: int

    def move_to(self, instruction: Instruction, bank: int) -> Instruction:
        """The instruction for the image of a bank."""
        fields = dict(instruction.fields) | {"bank": bank}
        if instruction.kind == Kind.CONVOLVE:
            fields["source"] = (fields["source"] + bank * self.codes) % self.modulus
        if fields.get("writes_codes"):
            fields["code"] += bank * self.codes
        if "scales" in fields:
            fields["scales"] += bank * self.scales
        return replace(instruction, fields=fields)
