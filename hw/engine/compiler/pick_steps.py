"""The steps of a layer whose words are picked of a window: which places, pieces and terms meet in each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hw.engine.compiler.terms import list_partial_products


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
    counts: Sequence[Sequence[int]], pieces: int, radix_bits: int, piece_bits: int, picks: int
) -> list[PickStep]:
    """The steps that multiply every place's pieces by each of its terms, by falling exponent.

    counts: for each place the terms of each digit of a weight; terms are numbered as if all places had those of the one
    with most of each digit. picks: parts of a word.
    """
    wanted = group_picks(counts, pieces, radix_bits, piece_bits)
    steps: list[PickStep] = []
    before = max(wanted)
    for exponent in sorted(wanted, reverse=True):
        steps += [SHIFT_ONLY] * ((before - exponent) // radix_bits - 1)
        found = wanted[exponent]
        for first in range(0, len(found), picks):
            steps.append(PickStep(first == 0 and bool(steps), tuple(found[first : first + picks])))
        before = exponent
    return steps + [SHIFT_ONLY] * (before // radix_bits)


def count_steps(wanted: Mapping[int, int], radix_bits: int, picks: int) -> int:
    """How many steps `pick_steps` makes. wanted: how much is picked, by the exponent of its products."""
    return sum(max(1, -(-wanted.get(exponent, 0) // picks)) for exponent in range(0, max(wanted) + 1, radix_bits))


def group_picks(
    counts: Sequence[Sequence[int]], pieces: int, radix_bits: int, piece_bits: int
) -> dict[int, list[Pick]]:
    """Group what is multiplied, by the exponent of its products; all places of a term together."""
    most = [max(each) for each in zip(*counts, strict=True)]
    numbers = [number for count in most for number in range(count)]  # of a term, among those of its digit
    digits = [digit for digit, count in enumerate(most) for _ in range(count)]
    wanted: dict[int, list[Pick]] = {}
    for exponent, piece, term in list_partial_products(most, pieces, radix_bits, piece_bits):
        having = [place for place, each in enumerate(counts) if numbers[term] < each[digits[term]]]
        wanted.setdefault(exponent, []).extend(Pick(place, piece, term) for place in having)
    return wanted
