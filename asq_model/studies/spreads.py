"""How far runs spread about their lines, and which runs strayed so far that no spread describes them. Free of torch."""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from math import sqrt
from types import MappingProxyType

import numpy as np

from asq_model.studies.method_row import Groups, MethodRow

COLLAPSED = 10  # points below the best seed of its line: a run that is no matter of spread
FAR_OFF = 6  # standard deviations from the median of its line: likewise
ALIKE = 0.05  # p of Levene's test, below which lines do not spread alike

Lines = tuple[tuple[MethodRow, tuple[tuple[int, float], ...]], ...]  # of one precision, with the values by seed


def take_lines(groups: Groups, precision: str) -> Lines:
    """Take the lines of a precision, such as W4A4, as a key under which results can be cached."""
    return tuple((row, tuple(values.items())) for row, values in groups.items() if row.precision == precision)


def estimate_spread(groups: Groups, precision: str, among: Collection[MethodRow] = ()) -> tuple[float, int]:
    """Estimate how far runs are from what line and seed let expect: standard deviation, degrees of freedom.

    precision: of the lines, such as W4A4. What is expected is fitted by least squares to lines and seeds, so that what
    a seed does to all lines alike is no part of the deviation. Lines with a run that strayed are left out. among: the
    lines whose runs are taken; empty: all.
    """
    strays = find_strays_among(take_lines(groups, precision))
    rows = [row for row in among or groups if row.precision == precision and not strays[row]]
    seeds = sorted({number for row in rows for number in groups[row]})
    runs = [(rows.index(row), seeds.index(number), groups[row][number]) for row in rows for number in groups[row]]
    design = np.zeros((len(runs), len(rows) + len(seeds)))
    for index, (row, number, _) in enumerate(runs):
        design[index, row] = design[index, len(rows) + number] = 1
    values = np.array([value for *_, value in runs])
    solved, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
    freedom = len(runs) - int(rank)
    if freedom <= 0:
        return float("nan"), 0
    return sqrt(float(((values - design @ solved) ** 2).sum()) / freedom), freedom


def pool_variance(lines: Sequence[Sequence[float]]) -> tuple[float, int]:
    """Pool the variance of values about the mean of their line: variance, degrees of freedom."""
    freedom = sum(len(values) - 1 for values in lines)
    if not freedom:
        return float("nan"), 0
    return sum(float(np.var(values)) * len(values) for values in lines) / freedom, freedom


def do_lines_spread_alike(groups: Groups, precision: str) -> bool:
    """Whether Levene's test leaves it open that the lines of a precision have one spread; runs that strayed apart."""
    return do_these_spread_alike(take_lines(groups, precision))


@lru_cache(maxsize=64)
def do_these_spread_alike(lines: Lines) -> bool:
    """Whether Levene's test leaves it open that these lines have one spread."""
    from scipy.stats import levene

    strays = find_strays_among(lines)
    tested = [[value for _, value in values] for row, values in lines if len(values) > 2 and not strays[row]]
    if len(tested) < 2:
        return True
    with np.errstate(divide="ignore", invalid="ignore"):  # values at equal distances from the median
        return not float(levene(*tested).pvalue) < ALIKE  # NaN where all are at the same distance


def describe_spreads(groups: Groups) -> list[str]:
    """Write a run's standard deviation about its row and its seed, at each precision that lets it be estimated."""
    found = {
        precision: estimate_spread(groups, precision) for precision in dict.fromkeys(row.precision for row in groups)
    }
    own = "; by Levene's test lines do not spread alike there, and a comparison has the spread of its own"
    return [
        f"{deviation:.2f} points at {precision} ({freedom} degrees of freedom"
        f"{'' if do_lines_spread_alike(groups, precision) else own})"
        for precision, (deviation, freedom) in found.items()
        if freedom
    ]


def find_strays(groups: Groups, row: MethodRow) -> list[int]:
    """Find the seeds with which runs of a line strayed, so that Student's t does not describe the line.

    A run strays that collapsed, or that is `FAR_OFF` standard deviations from its line's median. The deviation is that
    of the other lines of the precision.
    """
    return list(find_strays_among(take_lines(groups, row.precision)).get(row, ()))


@lru_cache(maxsize=64)
def find_strays_among(lines: Lines) -> Mapping[MethodRow, tuple[int, ...]]:
    """Find the seeds with which runs strayed, of each of the lines of one precision."""
    values = {row: [value for _, value in found] for row, found in lines}
    whole = [row for row, found in values.items() if min(found) >= max(found) - COLLAPSED]
    strays: dict[MethodRow, tuple[int, ...]] = {}
    for row, found in lines:
        variance, freedom = pool_variance([values[other] for other in whole if other != row])
        if row not in whole:
            strays[row] = tuple(number for number, value in found if value < max(values[row]) - COLLAPSED)
        elif len(found) < 3 or not freedom:
            strays[row] = ()
        else:
            middle, limit = float(np.median(values[row])), FAR_OFF * sqrt(variance)
            strays[row] = tuple(number for number, value in found if abs(value - middle) > limit > 0)
    return MappingProxyType(strays)
