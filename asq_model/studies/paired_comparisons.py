"""Which differences between lines of a study are real: paired by seed, with intervals corrected for their number.

Student's t with a spread that is pooled over lines of one precision; Holm's method for many comparisons. Free of torch.
"""

from collections import Counter
from collections.abc import Sequence
from math import ceil, sqrt
from typing import NamedTuple

import numpy as np

from asq_model.studies.method_row import Groups, MethodRow
from asq_model.studies.spreads import do_lines_spread_alike, estimate_spread, find_strays, pool_variance
from asq_model.studies.verdicts import UNDECIDED

CONFIDENCE = 0.95
MOST_SEEDS = 1000  # beyond it, a difference is as good as none

Pair = tuple[MethodRow, MethodRow]  # the line said to be better, and the line that it is set against


class PairedTest(NamedTuple):
    """A difference in points, averaged over pairs of runs; p is two-sided."""

    difference: float
    error: float  # standard error
    freedom: int
    p: float
    runs: int  # pairs of runs


class Interval(NamedTuple):
    """The corrected interval about a difference, and whether it excludes zero."""

    half_width: float
    decided: bool


def is_comparable(groups: Groups, pair: Pair) -> bool:
    """Whether two lines share two seeds or more, and no run of either strayed."""
    one, other = (groups.get(row, {}) for row in pair)
    return len(one.keys() & other.keys()) > 1 and not any(find_strays(groups, row) for row in pair)


def compare_pairs(groups: Groups, pairs: Sequence[Pair]) -> PairedTest | None:
    """Test the difference averaged over pairs of lines of one precision, by the seeds that both lines have.

    A line may be in several pairs: its runs then weigh as much in the error as in the difference. The spread is that of
    all lines of the precision, or where they do not spread alike, of those compared. None where no pair is comparable.
    """
    pairs = [pair for pair in pairs if is_comparable(groups, pair)]
    if not pairs:
        return None
    runs = [(pair, number) for pair in pairs for number in groups[pair[0]].keys() & groups[pair[1]].keys()]
    alike = do_lines_spread_alike(groups, pairs[0][0].precision)
    among = () if alike else dict.fromkeys(row for pair in pairs for row in pair)
    deviation, freedom = estimate_spread(groups, pairs[0][0].precision, among)
    if not freedom:
        return None
    weights: Counter[tuple[MethodRow, int]] = Counter()
    for (one, other), number in runs:
        weights[one, number] += 1
        weights[other, number] -= 1
    difference = sum(weight * groups[row][number] for (row, number), weight in weights.items()) / len(runs)
    error = deviation * sqrt(sum(weight**2 for weight in weights.values())) / len(runs)
    return PairedTest(difference, error, freedom, compute_two_sided_p(difference, error, freedom), len(runs))


def add_tests(tests: Sequence[PairedTest]) -> PairedTest:
    """Add up the differences of tests that share no run; degrees of freedom are Welch's and Satterthwaite's."""
    difference, error = sum(test.difference for test in tests), sqrt(sum(test.error**2 for test in tests))
    parts = sum(test.error**4 / test.freedom for test in tests)
    freedom = int(error**4 / parts + 1e-9) if parts else sum(test.freedom for test in tests)
    runs = sum(test.runs for test in tests)
    return PairedTest(difference, error, freedom, compute_two_sided_p(difference, error, freedom), runs)


def compute_two_sided_p(difference: float, error: float, freedom: int) -> float:
    """Compute the p of a difference by Student's t; where there is no spread, 1 for no difference and 0 for any."""
    from scipy.stats import t

    return float(2 * t.sf(abs(difference) / error, freedom)) if error else float(difference == 0)


def make_mean_tests(groups: Groups) -> dict[MethodRow, PairedTest]:
    """Test each line's mean against zero; empty where no line has two values.

    The spread about a line's mean is pooled over the lines of one precision, or where they do not spread alike, the
    line's own.
    """
    tests = {}
    for row, values in groups.items():
        alike = do_lines_spread_alike(groups, row.precision)
        rows = [other for other in groups if other.precision == row.precision] if alike else [row]
        variance, freedom = pool_variance([list(groups[other].values()) for other in rows])
        if freedom:
            difference, error = float(np.mean(list(values.values()))), sqrt(variance / len(values))
            tests[row] = PairedTest(
                difference, error, freedom, compute_two_sided_p(difference, error, freedom), len(values)
            )
    return tests


def correct_by_holm(tests: Sequence[PairedTest]) -> list[Interval]:
    """Make the interval of each test, by Holm's steps.

    The k-th smallest of m values of p is compared with (1 − `CONFIDENCE`)/(m − k + 1); from the first that is larger
    on, nothing is decided.
    """
    from scipy.stats import t

    intervals: dict[int, Interval] = {}
    level, open_still = (1 - CONFIDENCE) / max(len(tests), 1), True
    for place, index in enumerate(sorted(range(len(tests)), key=lambda index: tests[index].p)):
        test = tests[index]
        if open_still:
            level = (1 - CONFIDENCE) / (len(tests) - place)
            open_still = test.p <= level
        intervals[index] = Interval(float(t.ppf(1 - level / 2, test.freedom)) * test.error, open_still)
    return [intervals[index] for index in range(len(tests))]


def count_seeds_needed(test: PairedTest, interval: Interval, seeds: int) -> str:
    """Say how many seeds would make the interval as narrow as the difference that was seen is wide."""
    difference = abs(test.difference)
    wanted = ceil(seeds * (interval.half_width / difference) ** 2) if difference else MOST_SEEDS + 1
    return f"about {wanted} seeds" if wanted <= MOST_SEEDS else f"more than {MOST_SEEDS} seeds"


def judge_test(test: PairedTest, interval: Interval) -> str:
    """Say in words whether a claim holds."""
    if not interval.decided:
        return UNDECIDED
    return "holds" if test.difference > 0 else "**does not hold**"
