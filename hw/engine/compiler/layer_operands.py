"""How a layer is multiplied by an engine's arrays: the passes over its words of codes, and the fields that say so."""

from dataclasses import dataclass

from hw.engine.compiler.passes import Pass, Slot, radix_bits_of
from hw.engine.compiler.pick_steps import PickStep
from hw.engine.compiler.terms import Terms, piece_bits_of
from hw.engine.engine_spec import EngineSpec
from hw.engine.instruction_fields import PIECE_BITS


@dataclass(frozen=True)
class Words:
    """The words of a pixel that a group of output channels sees: `count` of them, the next every `repeat` groups."""

    count: int
    repeat: int


@dataclass(frozen=True)
class Operands:
    """A layer's codes and weights as the engine has them.

    pieces: words that a group of channels takes, one for each piece of its codes; 1 where a word is packed. slots: what
    a packed word holds, or None. groups: of input channels. outputs: groups of output channels. picked: the steps of a
    layer whose words are put together of a window's places; it has no passes. negates: every second pass has the
    negatives of the weights of the pass before it, and meets zeros only.
    """

    code_bits: int
    signed: bool
    pieces: int
    slots: tuple[Slot, ...] | None
    groups: int
    outputs: int
    words: Words
    passes: tuple[Pass, ...]
    terms: Terms
    picked: tuple[PickStep, ...] = ()
    negates: bool = False

    def count_steps(self, places: int) -> int:
        """Count the steps of a tile. places: of the kernel."""
        return len(self.picked) or len(self.passes) * places * self.words.count

    def count_parts(self, places: int) -> int:
        """Count the arrays' products that the layer's take for a pixel and a channel. places: of the kernel."""
        if self.picked:
            return sum(len(step.picks) for step in self.picked)
        pieces = max(slot.piece for slot in self.slots) + 1 if self.slots else self.pieces
        return sum(self.terms.counts) * pieces * places

    @property
    def pixel_words(self) -> int:
        """Words of a pixel."""
        return self.groups * self.pieces

    @property
    def piece_step(self) -> int:
        """Words from a piece of a code to the next, if there are several: a small memory may have fewer."""
        return self.groups if self.pieces > 1 else 0

    @property
    def splits(self) -> bool:
        """Whether codes are stored in pieces."""
        return self.slots is not None or self.pieces > 1

    @property
    def zero(self) -> int:
        """What a code of zero is stored as."""
        return 1 << self.code_bits - 1 if self.signed else 0

    def piece_numbers(self, size: int) -> list[int]:
        """The lowest piece of each channel of a word."""
        return [slot.piece for slot in self.slots] + [0] * (size - len(self.slots)) if self.slots else [0] * size


def make_pass_fields(operands: Operands) -> dict[str, int]:
    """Make the instruction's fields that name the passes."""
    shifts = sum(number.shifted << place for place, number in enumerate(operands.passes))
    pieces = sum(number.piece << PIECE_BITS * place for place, number in enumerate(operands.passes))
    return {
        "last_pass": max(len(operands.passes), 1) - 1,
        "shifts": shifts,
        "pieces": pieces,
        "piece_step": operands.piece_step,
        "negates": int(operands.negates),
    } | ({"gathers": 1} if operands.picked else {})


def make_slot_fields(spec: EngineSpec, operands: Operands) -> dict[str, int]:
    """Make the instruction's fields that say how codes are written."""
    numbers = operands.piece_numbers(spec.channels)
    return {
        "splits": int(operands.splits),
        "slot_pieces": sum(piece << PIECE_BITS * place for place, piece in enumerate(numbers)),
        "last_piece": operands.pieces - 1,
        "piece_stride": operands.piece_step,
        "code_bits": operands.code_bits,
        "signed": int(operands.signed),
    }


def make_zero_word(spec: EngineSpec, operands: Operands) -> int:
    """Make the word that stands for zeros: of codes in several words the one with the highest piece; others are 0."""
    bits = spec.mac.activation_bits
    piece_bits = piece_bits_of(spec.mac, radix_bits_of(spec))
    numbers = operands.piece_numbers(spec.channels)
    numbers = [piece + operands.pieces - 1 for piece in numbers]
    pieces = [operands.zero >> piece * piece_bits & (1 << piece_bits) - 1 for piece in numbers]
    if not operands.splits:
        pieces = [operands.zero] * spec.channels
    return sum(piece << bits * place for place, piece in enumerate(pieces))
