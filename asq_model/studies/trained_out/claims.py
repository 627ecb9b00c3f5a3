"""What networks trained out say of the paper's claims, and of what else could explain them. Free of torch.

Each claim sets lines of the table against others that differ in one thing. It is judged twice: for each pair of lines,
and for all pairs of one precision together.
"""

from collections.abc import Iterable, Iterator
from itertools import product
from typing import NamedTuple

from asq_model.common.markdown import format_table_lines
from asq_model.config.layer_config import STEP_GRADIENTS
from asq_model.studies.method_row import Groups, MethodRow
from asq_model.studies.paired_comparisons import (
    Interval,
    Pair,
    PairedTest,
    compare_pairs,
    correct_by_holm,
    count_seeds_needed,
    is_comparable,
    judge_test,
)

RIVALS = {"uniform": "", "pot": "symmetric", "apot": "", "e2m1": ""}  # of POST, with the kind that is compared


class Comparison(NamedTuple):
    """A claim about pairs of lines of one precision, its test and its corrected interval."""

    claim: str
    precision: str
    pairs: list[Pair]
    test: PairedTest
    interval: Interval

    @property
    def outcome(self) -> str:
        """Whether the claim holds here."""
        return judge_test(self.test, self.interval)

    @property
    def difference(self) -> str:
        """The difference with its interval, in points."""
        return f"{self.test.difference:+.2f} ± {self.interval.half_width:.2f}"


def list_pairs(rows: Iterable[MethodRow]) -> Iterator[tuple[str, Pair]]:
    """Yield each claim's pairs among the table's lines."""
    rows = list(rows)
    published = [row for row in rows if row.step_gradient == "numel"]
    for scale, row in product(STEP_GRADIENTS, published):
        if row.activations == "asq":
            rival = row._replace(activations="lsq", step_gradient=scale)
            yield f"ASQ > {rival._replace(family='uniform', kind='').label}", (row, rival)
    for row in rows:
        if (row.activations, row.step_gradient) == ("asq", "features"):
            yield "ASQ-features > LSQ-features", (row, row._replace(activations="lsq"))
    for scale, row in product(STEP_GRADIENTS[1:], rows):
        if (row.activations, row.step_gradient) == ("lsq", scale):
            yield f"LSQ-{scale} > LSQ", (row, row._replace(step_gradient="numel"))
    for row in published:
        if row.activations == "lsq":
            yield "LSQ > POT activations", (row, row._replace(activations="pot"))
    for (family, kind), row in product(RIVALS.items(), published):
        if row.family == "post" and (family == "uniform" or row.kind == "symmetric"):
            name = family if family == "uniform" else family.upper()
            yield f"POST > {name}", (row, row._replace(family=family, kind=kind))


def compare(groups: Groups, together: bool) -> list[Comparison]:
    """Every comparison that the runs allow, corrected for how many they are.

    together: one comparison of all pairs of a claim and a precision instead of one a pair.
    """
    pairs_of: dict[tuple[str, str, Pair | None], list[Pair]] = {}
    for claim, pair in list_pairs(groups):
        if is_comparable(groups, pair):
            pairs_of.setdefault((claim, pair[0].precision, None if together else pair), []).append(pair)
    tests = {key: test for key, pairs in pairs_of.items() if (test := compare_pairs(groups, pairs)) is not None}
    intervals = correct_by_holm(list(tests.values()))
    return [
        Comparison(claim, precision, pairs_of[claim, precision, pair], test, interval)
        for ((claim, precision, pair), test), interval in zip(tests.items(), intervals, strict=True)
    ]


def summarise_claims(groups: Groups) -> dict[str, str]:
    """Say of each claim at which precisions it holds, does not hold or is undecided, all its pairs together."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in compare(groups, together=True):
        precisions = found.setdefault(row.claim, {}).setdefault(row.outcome.strip("*"), [])
        precisions.append(f"{row.precision} ({row.difference})")
    return {
        claim: "; ".join(f"{outcome} at {', '.join(places)}" for outcome, places in outcomes.items())
        for claim, outcomes in found.items()
    }


def render_summary_table(groups: Groups) -> list[str]:
    """Each claim at each precision, all its pairs of lines together."""
    cells = [
        [row.claim, row.precision, len(row.pairs), row.test.runs, row.difference, row.outcome]
        for row in compare(groups, together=True)
    ]
    return format_table_lines(
        ("claim", "bits", "pairs of lines", "pairs of runs", "difference, points", "verdict"), cells, "llrrrl"
    )


def render_pairs_table(groups: Groups) -> list[str]:
    """Every pair of lines that a claim is about."""
    cells = []
    for row in compare(groups, together=False):
        ((one, other),) = row.pairs
        outcome = row.outcome
        if not row.interval.decided:
            outcome += f"; {count_seeds_needed(row.test, row.interval, row.test.runs)} would decide"
        cells.append(
            [row.claim, row.precision, f"{one.label} against {other.label}", row.test.runs, row.difference, outcome]
        )
    return format_table_lines(("claim", "bits", "lines", "seeds", "difference, points", "verdict"), cells, "lllrrl")
