"""What the paper claims of its Tables 2 to 5, and which claims a study's runs bear out. Free of torch.

A claim is a difference of lines of the table, or a difference of such differences, that is said to be above zero.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import inf, sqrt
from statistics import mean, variance
from typing import Literal, NamedTuple

from asq_model.common.markdown import format_table_lines
from asq_model.common.result_schemas import RunTask, StudyResults
from asq_model.spec.levels import KINDS
from asq_model.studies.paired_comparisons import PairedTest, correct_by_holm
from asq_model.studies.paper_tables import TABLES
from asq_model.studies.printed_tables import FULL_PRECISION, TOP_1
from asq_model.studies.verdicts import UNDECIDED

Key = tuple[str, int, str, str]  # network, bits, label and level set: a line of the table
Groups = dict[Key, list[float]]  # each line's percentages, one per seed
Comparison = tuple[float, float]  # a difference and the half-width of its interval
ORIGINAL = "full precision"  # the label of the network that all runs start from
PRINTED_NAMES = {ORIGINAL: "ASQ", "LSQ + APOT": "APOT"}  # where the paper's tables have another


class Claim(NamedTuple):
    """A claim in words, and how often each line counts in what is said to be above zero."""

    words: str
    terms: Mapping[Key, int]


def key_of(run: RunTask) -> Key:
    """The line of the table that a run belongs to."""
    return run["network"], run["bits"], run["label"], run["kind"]


def group_runs(study: StudyResults, count: Literal["correct", "top_5"] = "correct") -> Groups:
    """Group runs: each line's percentages, one per seed, in the table's order; of `correct` or `top_5` images."""
    percentages: Groups = {}
    for run in study["runs"]:
        images = run[count]
        if images is not None:
            percentages.setdefault(key_of(run), []).append(100 * images / run["images"])
    return percentages


def find_originals(study: StudyResults) -> dict[Key, float]:
    """Find the accuracy in full precision of each network that runs start from, where it is known."""
    images = study["runs"][0]["images"]
    return {
        (start["network"], FULL_PRECISION, ORIGINAL, ""): 100 * start["correct"] / images
        for start in study["start"]
        if "correct" in start
    }


def pool_spread(groups: Groups) -> tuple[float, int]:
    """Estimate the standard deviation of one run and its degrees of freedom, from every row's spread about its mean."""
    freedom = sum(len(values) - 1 for values in groups.values())
    if not freedom:
        return float("nan"), 0
    return sqrt(sum((len(v) - 1) * variance(v) for v in groups.values() if len(v) > 1) / freedom), freedom


def compare_terms(groups: Groups, terms: Mapping[Key, int], known: Mapping[Key, float] = {}) -> Comparison | None:
    """Compute what the terms sum to, and the half-width of its 95 % interval by the pooled spread.

    known: figures of lines that are no runs, without a spread. None where a line was not measured.
    """
    from scipy.stats import t

    if any(key not in groups and key not in known for key in terms):
        return None
    spread, freedom = pool_spread(groups)
    total = sum(times * (mean(groups[key]) if key in groups else known[key]) for key, times in terms.items())
    if not freedom:
        return total, inf
    variances = sum(times**2 / len(groups[key]) for key, times in terms.items() if key in groups)
    return total, float(t.ppf(0.975, freedom)) * spread * sqrt(variances)


def compare_rows(groups: Groups, one: Key, other: Key) -> Comparison | None:
    """Compare two rows' means: difference and half-width of its interval; None where one was not measured."""
    return compare_terms(groups, {one: 1, other: -1})


def judge_comparison(comparison: Comparison | None) -> str:
    """Say in words whether the claim holds that a difference is above zero."""
    if comparison is None:
        return "not measured"
    difference, interval = comparison
    if interval == inf:
        return f"{UNDECIDED}, one seed"
    if abs(difference) <= interval:
        return UNDECIDED
    return "holds" if difference > 0 else "**does not hold**"


def format_difference(comparison: Comparison | None) -> str:
    """Write a difference and its interval, as far as they are known."""
    if comparison is None:
        return "–"
    difference, interval = comparison
    return f"{round(difference, 2) + 0.0:+.2f}" + ("" if interval == inf else f" ± {interval:.2f}")


def list_claims(study: StudyResults) -> Iterator[Claim]:
    """Yield what the paper claims of a table's networks. It names no kinds of levels: each has a claim of its own."""
    table = TABLES[study["table"]]
    for network in dict.fromkeys(run["network"] for run in study["runs"]):
        widths = sorted({row.bits for row in table.rows}, reverse=True)
        post = [bits for bits in widths if bits in (3, 4)]
        if study["table"] == 4:  # of Table 5, the ablation
            for kind in KINDS:
                yield claim_ordering(network, 4, ("LSQ + POST", kind), ("LSQ + POT", kind))
                yield claim_ordering(network, 4, ("LSQ + POST", kind), ("LSQ", ""))
        for bits in widths:
            yield claim_ordering(network, bits, ("ASQ", ""), ("LSQ", ""))
        for bits in post:
            for kind in KINDS:
                yield claim_ordering(network, bits, ("ASQ + POST", kind), ("ASQ", ""))
        for rival in ("LSQ", "LSQ + APOT"):
            for bits in post:
                yield claim_ordering(network, bits, ("ASQ + POST", "symmetric"), (rival, ""))
        for bits in (bits for bits in widths if bits in (4, 8)):
            yield claim_over_the_original(network, bits, ("ASQ", ""))
        yield claim_over_the_original(network, 4, ("ASQ + POST", "symmetric"))
        yield claim_growth(network, ("ASQ + POST", "symmetric"), ("ASQ", ""))


def name_of(label: str, kind: str) -> str:
    """A method's name with its level set."""
    return f"{label} ({kind})" if kind else label


def claim_ordering(network: str, bits: int, better: tuple[str, str], worse: tuple[str, str]) -> Claim:
    """Claim that a method is better than another at some bits."""
    words = f"{bits} bits: {name_of(*better)} > {name_of(*worse)}"
    return Claim(words, {(network, bits, *better): 1, (network, bits, *worse): -1})


def claim_over_the_original(network: str, bits: int, method: tuple[str, str]) -> Claim:
    """Claim that a method is above full precision."""
    words = f"{bits} bits: {name_of(*method)} > {ORIGINAL}"
    return Claim(words, {(network, bits, *method): 1, (network, FULL_PRECISION, ORIGINAL, ""): -1})


def claim_growth(network: str, better: tuple[str, str], worse: tuple[str, str]) -> Claim:
    """Claim that a method gains more over another at 4 bits than at 3."""
    at_4, at_3 = (claim_ordering(network, bits, better, worse).terms for bits in (4, 3))
    return Claim(
        f"{name_of(*better)} over {name_of(*worse)}: 4 bits > 3 bits",
        {**at_4, **{key: -times for key, times in at_3.items()}},
    )


def format_printed_difference(claim: Claim) -> str:
    """Write what a claim's terms sum to in the paper's own figures; ResNet-8 is set beside ResNet-20."""
    figures = []
    for (network, bits, label, _), times in claim.terms.items():
        name = PRINTED_NAMES.get(label, label)
        figure = TOP_1.get((network, bits, name), TOP_1.get(("resnet20", bits, name)))
        if figure is None:
            return "–"
        figures.append(times * figure)
    return f"{round(sum(figures), 1) + 0.0:+.1f}"


def correct_comparisons(groups: Groups, comparisons: Sequence[Comparison | None]) -> list[Comparison | None]:
    """Widen the comparisons' intervals for how many comparisons there are, by Holm's method."""
    from scipy.stats import t

    _, freedom = pool_spread(groups)
    tests = {}
    for place, comparison in enumerate(comparisons):
        if comparison is not None and freedom and comparison[1]:
            difference, half_width = comparison
            error = half_width / float(t.ppf(0.975, freedom))
            p = float(2 * t.sf(abs(difference) / error, freedom))
            tests[place] = PairedTest(difference, error, freedom, p, 1)
    intervals = dict(zip(tests, correct_by_holm(list(tests.values())), strict=True))
    return [
        (tests[place].difference, intervals[place].half_width) if place in tests else comparison
        for place, comparison in enumerate(comparisons)
    ]


def render_claims_table(study: StudyResults, groups: Groups) -> list[str]:
    """Write each claim with the measured difference, whether it holds, and the printed difference, as a table."""
    known, several, rows = find_originals(study), len({run["network"] for run in study["runs"]}) > 1, []
    every = list(list_claims(study))
    differences = correct_comparisons(groups, [compare_terms(groups, claim.terms, known) for claim in every])
    for claim, difference in zip(every, differences, strict=True):
        network = f"{next(iter(claim.terms))[0]}, " if several else ""
        measured = format_difference(difference), judge_comparison(difference)
        rows.append([network + claim.words, *measured, format_printed_difference(claim)])
    return format_table_lines(("claim", "difference, points", "verdict", "the paper's"), rows, "lrlr")
