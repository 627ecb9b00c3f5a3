"""How a layer's weights and codes are multiplied by products that take fewer bits: passes of terms, highest first.

A weight is a sum of levels of the products, each times a power of the radix: w = Σ level · 2^(s·k). A code is a sum of
pieces: a = Σ piece · 2^(p·j). What has the same exponent s·k + p·j is added up in one pass, and the sum is shifted by s
before the next, lower one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from asq_model.common.errors import InputError
from asq_model.spec.levels import LevelSet
from asq_model.spec.mac import MacSpec

MOST_TERMS = 8  # of a weight
Level = tuple[int, int]  # even and odd part


def levels_of(level_set: LevelSet) -> dict[Level, int]:
    """The code of each level, the lowest where several codes mean the same."""
    codes = range(len(level_set.even) - 1, -1, -1)
    return {(int(level_set.even[code]), int(level_set.odd[code])): code for code in codes}


def list_budgets(digits: int, most: int) -> Iterator[tuple[int, ...]]:
    """How many terms each digit may have, the fewest in all first."""
    for total in range(1, most + 1):
        yield from list_splits(total, digits)


def list_splits(total: int, digits: int) -> Iterator[tuple[int, ...]]:
    """Every way to split a number of terms among digits."""
    if digits == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for others in list_splits(total - first, digits - 1):
            yield first, *others


def make_sums(levels: Sequence[Level], counts: Sequence[int], radix_bits: int) -> dict[Level, tuple[Level, ...]]:
    """Make every weight that so many terms of each digit add up to, with its terms: those of the lowest digit first."""
    known: dict[Level, tuple[Level, ...]] = {(0, 0): ()}
    for digit, count in enumerate(counts):
        for _ in range(count):
            following: dict[Level, tuple[Level, ...]] = {}
            for (even, odd), terms in known.items():
                for level in levels:
                    scaled = even + (level[0] << radix_bits * digit), odd + (level[1] << radix_bits * digit)
                    following.setdefault(scaled, (*terms, level))
            known = following
    return known


def makes_all(wanted: Sequence[Level], levels: Sequence[Level], counts: Sequence[int], radix_bits: int) -> bool:
    """Whether such terms add up to all of the weights; of integers, found without the terms themselves."""
    if any(odd for _, odd in wanted):
        known = make_sums(levels, counts, radix_bits)
        return all(pair in known for pair in wanted)
    largest = max(abs(even) for even, _ in levels)
    reach = sum(count * largest << radix_bits * digit for digit, count in enumerate(counts))
    most = max(abs(even) for even, _ in wanted)
    if reach < most or len(levels) ** sum(counts) < len(wanted):
        return False
    made = 1 << reach  # bit reach + w: whether a sum of terms is w
    for digit, count in enumerate(counts):
        for _ in range(count):
            before, made = made, 0
            for even, _ in levels:
                shift = even << radix_bits * digit
                made |= before << shift if shift >= 0 else before >> -shift
    missing = sum({1 << reach + even for even, _ in wanted}) & ~made
    return not missing


@dataclass(frozen=True)
class Terms:
    """The terms of a layer's weights. counts: terms of each digit. codes: int [terms, C', N], those of the lowest digit
    first; behind them, where a layer needs them, as many of the weights' negatives.
    """

    counts: tuple[int, ...]
    codes: np.ndarray
    magnitudes: np.ndarray  # of the levels, as the products multiply them: int [terms, C', N]


def split_weights(mac: MacSpec, radix_bits: int, even: np.ndarray, odd: np.ndarray | None) -> Terms:
    """The fewest terms that make all weights of a layer. Raises InputError for weights that no terms make.

    even, odd: levels, int [C', N].
    """
    wanted, _ = find_different_weights(even, odd)
    usable = find_usable_levels(mac, wanted)
    most = max(abs(part) for pair in wanted for part in pair)
    digits = max(1, -(-(most.bit_length() + 1) // radix_bits))
    for counts in list_budgets(digits, MOST_TERMS):
        if makes_all(wanted, usable, counts, radix_bits):
            return split_into(mac, radix_bits, counts, even, odd)
    unmade = [pair for pair in wanted if pair not in make_sums(usable, (2,) * min(digits, 3), radix_bits)] or wanted
    raise InputError(f"has a weight {unmade[0][0]} + {unmade[0][1]}·√2, of which unit {mac.unit} can make no sum")


def find_different_weights(even: np.ndarray, odd: np.ndarray | None) -> tuple[list[Level], np.ndarray]:
    """Find each different weight, and for each weight of a layer which of them it is."""
    odd = np.zeros_like(even) if odd is None else odd
    pairs, index = np.unique(np.stack([even.ravel(), odd.ravel()]), axis=1, return_inverse=True)
    return [(int(e), int(o)) for e, o in pairs.T], index


def find_usable_levels(mac: MacSpec, wanted: Sequence[Level]) -> tuple[Level, ...]:
    """Find the levels that terms of some weights may have: a root never makes an integer."""
    has_roots = any(odd for _, odd in wanted)
    return tuple(level for level in levels_of(mac.level_set) if has_roots or not level[1])


def split_into(
    mac: MacSpec, radix_bits: int, counts: tuple[int, ...], even: np.ndarray, odd: np.ndarray | None
) -> Terms:
    """The terms of a layer's weights, so many of each digit, which make them all."""
    levels = levels_of(mac.level_set)
    wanted, index = find_different_weights(even, odd)
    known = make_sums(find_usable_levels(mac, wanted), counts, radix_bits)
    used = counts[: max(place for place, count in enumerate(counts) if count) + 1]
    chosen = np.array([[levels[level] for level in known[pair]] for pair in wanted]).T
    sizes = np.array([[max(abs(e), 2 * abs(o)) for e, o in known[pair]] for pair in wanted]).T
    shape = (sum(used), *even.shape)
    return Terms(used, chosen[:, index].reshape(shape), sizes[:, index].reshape(shape))


def list_partial_products(
    counts: Sequence[int], pieces: int, radix_bits: int, piece_bits: int
) -> Iterator[tuple[int, int, int]]:
    """List every piece of a code with every term of a weight: the exponent of their product, the piece, the term."""
    digits = [digit for digit, count in enumerate(counts) for _ in range(count)]
    for term, digit in enumerate(digits):
        for piece in range(pieces):
            yield radix_bits * digit + piece_bits * piece, piece, term


def piece_bits_of(mac: MacSpec, radix_bits: int) -> int:
    """Bits of a code's piece: as many as the products take, in whole digits."""
    return mac.activation_bits // radix_bits * radix_bits
