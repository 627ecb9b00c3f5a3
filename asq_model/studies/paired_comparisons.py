"""Which differences between rows of a study are real: paired by seed, with intervals corrected for their number.

Student's t with a spread that is pooled over rows of one width; Holm's method for many comparisons. Free of torch.
"""

from collections.abc import Iterator
from itertools import product
from math import ceil, sqrt
from statistics import mean

import numpy as np

from asq_model.studies.trained_out import Key

CONFIDENCE = 0.95
MOST_SEEDS = 1000  # beyond it, a difference is as good as none
FALLEN = 10  # points below the best seed of its row: a run that collapsed, which is no matter of spread

Test = tuple[float, float, float, float]  # difference, standard error, degrees of freedom, two-sided p


def spread(groups: dict[Key, dict[int, float]], bits: int) -> tuple[float, int]:
    """A run's standard deviation about its line's mean and its seed's share, and the degrees of freedom.

    By least squares over lines and seeds, so that what a seed does to every line counts for none. Lines with a run that
    collapsed are left out.
    """
    rows = [row for row in groups if row[0] == bits and not fallen(groups[row])]
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


def fallen(values: dict[int, float]) -> list[int]:
    """The seeds of a line whose runs collapsed."""
    return [number for number, value in values.items() if value < max(values.values()) - FALLEN]


def paired(groups: dict[Key, dict[int, float]], one: Key, other: Key) -> Test | None:
    """The test of a difference, by the seeds that both lines have; None without two, or where a run collapsed."""
    from scipy.stats import t

    seeds = groups.get(one, {}).keys() & groups.get(other, {}).keys()
    if len(seeds) < 2 or fallen(groups[one]) or fallen(groups[other]):
        return None
    deviation, freedom = spread(groups, one[0])
    if not freedom:
        return None
    difference = mean(groups[one][number] - groups[other][number] for number in seeds)
    error = deviation * sqrt(2 / len(seeds))
    return difference, error, freedom, float(2 * t.sf(abs(difference) / error, freedom))


def claims() -> Iterator[tuple[str, Key, Key]]:
    """Yield each claim that is tested: (heading, line said to be better, line that it is set against)."""
    kinds = ("symmetric", "asymmetric", "extended")
    sets = [("uniform", ""), *(("post", kind) for kind in kinds)]
    for bits, (family, kind) in product((4, 3, 2), sets):
        yield "ASQ > LSQ", (bits, family, kind, "asq"), (bits, family, kind, "lsq")
    for bits, kind, activations in product((4, 3, 2), kinds, ("lsq", "asq")):
        yield "POST > uniform", (bits, "post", kind, activations), (bits, "uniform", "", activations)
    for bits, rival in ((4, "pot"), (3, "pot"), (4, "apot"), (3, "apot"), (4, "e2m1")):
        against = bits, rival, "symmetric" if rival == "pot" else "", "lsq"
        yield f"POST > {rival.upper()}", (bits, "post", "symmetric", "lsq"), against


def holm(tests: list[Test]) -> list[tuple[float, bool]]:
    """The half-width of each test's interval and whether it is decided, by Holm's steps.

    The k-th smallest p is set against its share of what all m may err, 1/(m − k + 1); after the first that fails, none
    is decided.
    """
    from scipy.stats import t

    found: dict[int, tuple[float, bool]] = {}
    level, open_still = (1 - CONFIDENCE) / max(len(tests), 1), True
    for place, index in enumerate(sorted(range(len(tests)), key=lambda index: tests[index][3])):
        _, error, freedom, p = tests[index]
        if open_still:
            level = (1 - CONFIDENCE) / (len(tests) - place)
            open_still = p <= level
        found[index] = float(t.ppf(1 - level / 2, freedom)) * error, open_still
    return [found[index] for index in range(len(tests))]


def seeds_needed(test: Test, seeds: int, half_width: float) -> str:
    """How many seeds would make the interval as narrow as the difference that was seen is wide."""
    difference = abs(test[0])
    wanted = ceil(seeds * (half_width / difference) ** 2) if difference else MOST_SEEDS + 1
    return f"about {wanted} seeds" if wanted <= MOST_SEEDS else f"more than {MOST_SEEDS} seeds"


def verdict(test: Test, seeds: int, half_width: float, decided: bool) -> str:
    """Whether a claim holds, or how many seeds would tell."""
    if decided:
        return "holds" if test[0] > 0 else "**does not hold**"
    return f"cannot be told; {seeds_needed(test, seeds, half_width)} would"
