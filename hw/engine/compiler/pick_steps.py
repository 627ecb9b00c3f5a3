"""The steps of a layer whose words are picked of a window: which places, pieces and terms meet in each."""

from collections.abc import Sequence
from dataclasses import dataclass

from hw.engine.compiler.terms import partial_products


@dataclass(frozen=True)
class Pick:
    """A part of a word: a place of the kernel, which piece of its codes, and the term of the weights that it meets."""

    place: int
    piece: int
    term: int


@dataclass(frozen=True)
class PickStep:
    """A word that is put together of picks, the lowest channels first. shifted: the sums are shifted before it."""

    shifted: bool
    picks: tuple[Pick, ...]


SHIFT_ONLY = PickStep(True, ())
NO_PICKS = PickStep(False, ())


def pick_steps(
    counts: Sequence[int], pieces: int, radix_bits: int, piece_bits: int, places: int, picks: int
) -> list[PickStep]:
    """The steps that multiply every place's pieces by every term, by falling exponent.

    counts: terms of each digit of a weight. picks: parts of a word.
    """
    wanted = picks_by_exponent(counts, pieces, radix_bits, piece_bits, places)
    steps: list[PickStep] = []
    before = max(wanted)
    for exponent in sorted(wanted, reverse=True):
        steps += [SHIFT_ONLY] * ((before - exponent) // radix_bits - 1)
        found = wanted[exponent]
        for first in range(0, len(found), picks):
            steps.append(PickStep(first == 0 and bool(steps), tuple(found[first : first + picks])))
        before = exponent
    return steps + [SHIFT_ONLY] * (before // radix_bits)


def picks_by_exponent(
    counts: Sequence[int], pieces: int, radix_bits: int, piece_bits: int, places: int
) -> dict[int, list[Pick]]:
    """What is multiplied, by the exponent of its products."""
    wanted: dict[int, list[Pick]] = {}
    for exponent, piece, term in partial_products(counts, pieces, radix_bits, piece_bits):
        wanted.setdefault(exponent, []).extend(Pick(place, piece, term) for place in range(places))
    return wanted
