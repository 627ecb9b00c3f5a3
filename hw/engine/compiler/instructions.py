"""An instruction of a compiled network, and what of the engine it uses."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hw.engine.program import ARRAY_KINDS, Kind


@dataclass(frozen=True)
class Instruction:
    """An instruction with its fields, what it is for, its cycles, and the products of the network that it makes.

    terms: products of the arrays that those take, more where weights or codes are wider than the arrays'. tensor: the
    name of the tensor that is made or read word by word, if there is one; layer: the name of the layer whose codes are
    made of it, or none. channels: of the tensor, the first and the one after the last, if not all of them.
    """

    kind: Kind
    name: str
    fields: Mapping[str, int]
    cycles: int
    products: int = 0
    terms: int = 0
    tensor: str = ""
    layer: str = ""
    channels: tuple[int, int] | None = None

    @property
    def is_arrays(self) -> bool:
        """Whether it is of the arrays' program."""
        return self.kind in ARRAY_KINDS

    @property
    def uses(self) -> set[str]:
        """What it needs for itself."""
        finishes = self.kind == Kind.CONVOLVE or self.fields.get("finishes")
        return {name for name, used in (("finisher", finishes), ("quantiser", self.fields.get("writes_codes"))) if used}


@dataclass(frozen=True)
class Banks:
    """How the addresses of the second image differ from those of the first."""

    codes: int
    scales: int
    modulus: int

    def moved(self, instruction: Instruction, bank: int) -> Instruction:
        """The instruction for the image of a bank."""
        fields = dict(instruction.fields) | {"bank": bank}
        if instruction.kind == Kind.CONVOLVE:
            fields["source"] = (fields["source"] + bank * self.codes) % self.modulus
        if fields.get("writes_codes"):
            fields["code"] += bank * self.codes
        if "scales" in fields:
            fields["scales"] += bank * self.scales
        return replace(instruction, fields=fields)
