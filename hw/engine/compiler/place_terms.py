"""Terms of weights that may differ from place to place of a kernel: as few picks of windows as a search finds.

Where words are picked of windows, a place of the kernel needs only the terms that its own weights have: those at the
rim of a kernel are often small. A place whose weights can be made of as few terms in several ways takes the way with
which all places together take the fewest steps.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from asq_model.common.errors import InputError
from asq_model.spec.mac import MacSpec
from hw.engine.compiler.pick_steps import count_steps
from hw.engine.compiler.terms import (
    MOST_TERMS,
    Terms,
    levels_of,
    list_budgets,
    list_partial_products,
    makes_all,
    split_into,
)

Counts = tuple[int, ...]  # terms of each digit


def split_places(
    mac: MacSpec, radix_bits: int, piece_bits: int, pieces: int, picks: int, even: np.ndarray
) -> tuple[Terms, list[Counts]]:
    """The terms of a layer's weights, and how many of them each place of its kernel has.

    even: int [C', C, places]. The terms are those of the place that has most, of each digit; where a place has fewer,
    the others are 0. Raises InputError for weights that no terms make.
    """
    outputs, channels, places = even.shape
    ways = [find_ways(mac, radix_bits, even[..., place]) for place in range(places)]
    chosen = choose_ways(ways, radix_bits, piece_bits, pieces, picks)
    digits = max(map(len, chosen))
    chosen = [(*counts, *[0] * (digits - len(counts))) for counts in chosen]
    most = tuple(map(max, zip(*chosen, strict=True)))
    zero = levels_of(mac.level_set)[0, 0]
    codes = np.full((sum(most), *even.shape), zero, np.int64)
    magnitudes = np.zeros_like(codes)
    firsts = np.concatenate([[0], np.cumsum(most)])
    for place, counts in enumerate(chosen):
        part = split_into(mac, radix_bits, counts, even[..., place], None)
        at = [firsts[digit] + number for digit, count in enumerate(counts) for number in range(count)]
        codes[at, ..., place], magnitudes[at, ..., place] = part.codes, part.magnitudes
    flat = (len(codes), outputs, channels * places)
    return Terms(most, codes.reshape(flat), magnitudes.reshape(flat)), chosen


def find_ways(mac: MacSpec, radix_bits: int, even: np.ndarray) -> list[Counts]:
    """Every way to split the fewest terms that make all of some weights among the digits."""
    usable = [level for level in levels_of(mac.level_set) if not level[1]]
    wanted = [(int(weight), 0) for weight in np.unique(even)]
    digits = max(1, -(-(int(abs(even).max()).bit_length() + 1) // radix_bits))
    found: list[Counts] = []
    for counts in list_budgets(digits, MOST_TERMS):
        if found and sum(counts) > sum(found[0]):
            break
        if makes_all(wanted, usable, counts, radix_bits):
            found.append(counts)
    if not found:
        raise InputError(f"has weights of which unit {mac.unit} can make no sum of {MOST_TERMS} terms")
    return found


def choose_ways(
    ways: Sequence[Sequence[Counts]], radix_bits: int, piece_bits: int, pieces: int, picks: int
) -> list[Counts]:
    """One way for each place, with which all together take few steps: each in turn the best beside the others."""
    cost: dict[Counts, Counter[int]] = {
        way: Counter(exponent for exponent, _, _ in list_partial_products(way, pieces, radix_bits, piece_bits))
        for each in ways
        for way in each
    }
    chosen = [each[0] for each in ways]
    best = count_steps(add_up(chosen, cost), radix_bits, picks)
    improved = True
    while improved:
        improved = False
        for place, each in enumerate(ways):
            for way in each:
                tried = [*chosen[:place], way, *chosen[place + 1 :]]
                steps = count_steps(add_up(tried, cost), radix_bits, picks)
                if steps < best:
                    chosen, best, improved = tried, steps, True
    return chosen


def add_up(chosen: Sequence[Counts], cost: Mapping[Counts, Counter[int]]) -> Counter[int]:
    """How often each exponent is picked, with a way for each place."""
    total: Counter[int] = Counter()
    for way in chosen:
        total.update(cost[way])
    return total
