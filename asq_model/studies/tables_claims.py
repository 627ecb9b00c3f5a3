"""What the paper claims of its Tables 2 to 5, and which claims a network's runs bear out. Free of torch.

A claim is a difference of two lines of a table, or a sum of such differences, that is said to be above zero.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from statistics import mean
from typing import NamedTuple

from asq_model.common.markdown import format_table_lines
from asq_model.spec.levels import KINDS
from asq_model.studies.method_names import name_network
from asq_model.studies.method_row import MethodRow
from asq_model.studies.paired_comparisons import (
    Interval,
    Pair,
    PairedTest,
    add_tests,
    compare_pairs,
    correct_by_holm,
    count_seeds_needed,
    judge_test,
    make_mean_tests,
)
from asq_model.studies.paper_tables import TABLES
from asq_model.studies.printed_tables import FULL_PRECISION, TOP_1
from asq_model.studies.spreads import find_strays
from asq_model.studies.table_runs import NetworkRuns
from asq_model.studies.verdicts import UNDECIDED

ORIGINAL = MethodRow(FULL_PRECISION, FULL_PRECISION, "full precision", "", "")  # the network that all runs start from
LSQ, ASQ = (MethodRow(4, 4, "uniform", "", activations) for activations in ("lsq", "asq"))
OUTCOMES = ("holds", "does not hold", UNDECIDED, "not measured")
PRINTED_NAMES = {"LSQ + APOT": "APOT"}  # where the paper's tables have another


class Claim(NamedTuple):
    """A claim in words, and the pairs of lines whose differences, added up, are said to be above zero."""

    words: str
    pairs: tuple[Pair, ...]


class JudgedClaim(NamedTuple):
    """A claim and what runs say of it, in points; seeds: the fewest that a pair of its lines shares.

    difference: None where a line was not measured. test, interval: None where the runs do not allow a test.
    """

    claim: Claim
    seeds: int
    difference: float | None
    test: PairedTest | None = None
    interval: Interval | None = None

    @property
    def outcome(self) -> str:
        """Whether the claim holds, in words."""
        if self.difference is None:
            return "not measured"
        if self.test is None or self.interval is None:
            return f"{UNDECIDED}, {'one seed' if self.seeds < 2 else 'a run strayed'}"
        wanted = "" if self.interval.decided else count_seeds_needed(self.test, self.interval, self.seeds)
        return judge_test(self.test, self.interval) + (f"; {wanted} would decide" if wanted else "")

    @property
    def points(self) -> str:
        """The difference and its interval, as far as they are known."""
        if self.difference is None:
            return "–"
        half_width = "" if self.interval is None else f" ± {self.interval.half_width:.2f}"
        return f"{round(self.difference, 2) + 0.0:+.2f}{half_width}"


def list_claims(table: int) -> Iterator[Claim]:
    """Yield what the paper claims of a table's networks. It names no kinds of levels: each has a claim of its own."""
    widths = sorted({row.bits for row in TABLES[table].rows}, reverse=True)
    narrow = [bits for bits in widths if bits in (3, 4)]
    post = [MethodRow(4, 4, "post", kind, "asq") for kind in KINDS]
    apot = LSQ._replace(family="apot")
    if table == 4:  # of Table 5, the ablation
        for kind in KINDS:
            weights = LSQ._replace(family="post", kind=kind)
            yield claim_ordering(weights, weights._replace(family="pot"))
            yield claim_ordering(weights, LSQ)
            yield claim_ordering(weights._replace(family="pot"), LSQ)
            yield claim_ordering(weights._replace(activations="asq"), weights)
    for rival in (LSQ, apot):
        for bits in widths:
            yield claim_ordering(at_width(ASQ, bits), at_width(rival, bits))
    for rival in (ASQ, LSQ, apot):
        for bits, row in product(narrow, post):
            yield claim_ordering(at_width(row, bits), at_width(rival, bits))
    for bits in (bits for bits in widths if bits in (4, 8)):
        yield claim_ordering(at_width(ASQ, bits), ORIGINAL)
    for row in post:
        yield claim_ordering(row, ORIGINAL)
    for row in post:  # said of Table 2
        growth = (row, ASQ), (at_width(ASQ, 3), at_width(row, 3))
        yield Claim(f"{row.label} over {ASQ.label}: 4 bits > 3 bits", growth)


def at_width(row: MethodRow, bits: int) -> MethodRow:
    """A line's method with other bits, of weights and activations."""
    return row._replace(bits=bits, activation_bits=bits)


def claim_ordering(better: MethodRow, worse: MethodRow) -> Claim:
    """Claim that a line is better than another, or than full precision."""
    rival = ORIGINAL.family if worse == ORIGINAL else worse.label
    return Claim(f"{better.bits} bits: {better.label} > {rival}", ((better, worse),))


def judge_claims(claims: Sequence[Claim], runs: NetworkRuns) -> list[JudgedClaim]:
    """Judge claims by a network's runs, with intervals that are corrected by Holm's method for how many claims are."""
    judged = [judge_claim(claim, runs) for claim in claims]
    intervals = iter(correct_by_holm([claim.test for claim in judged if claim.test is not None]))
    return [claim if claim.test is None else claim._replace(interval=next(intervals)) for claim in judged]


def judge_claim(claim: Claim, runs: NetworkRuns) -> JudgedClaim:
    """Measure and test what a claim says is above zero; its interval is still to be made."""
    pairs = [(runs.find_line(better), runs.find_line(worse)) for better, worse in claim.pairs]
    found = [measure_difference(pair, runs) for pair in pairs]
    differences = [difference for _, difference in found if difference is not None]
    seeds = min(count for count, _ in found)
    if len(differences) < len(found):
        return JudgedClaim(claim, seeds, None)
    tests = [test for pair in pairs if (test := make_test(pair, runs)) is not None]
    whole = seeds > 1 and len(tests) == len(found)
    return JudgedClaim(claim, seeds, sum(differences), add_tests(tests) if whole else None)


def measure_difference(pair: Pair, runs: NetworkRuns) -> tuple[int, float | None]:
    """Measure how far a line is above the other: by how many seeds, and points on average; None without a run."""
    (better, worse), values = pair, runs.top_1
    if worse == ORIGINAL:
        ours = values.get(better, {})
        known = bool(ours) and runs.full_precision is not None
        return len(ours), mean(ours.values()) - (runs.full_precision or 0) if known else None
    shared = values.get(better, {}).keys() & values.get(worse, {}).keys()
    difference = mean(values[better][number] - values[worse][number] for number in shared) if shared else None
    return len(shared), difference


def make_test(pair: Pair, runs: NetworkRuns) -> PairedTest | None:
    """Test a pair's difference; None where the runs do not allow it. Full precision is one network, without spread."""
    better, worse = pair
    if worse != ORIGINAL:
        return compare_pairs(runs.top_1, [pair])
    over = {
        row: {number: value - (runs.full_precision or 0) for number, value in values.items()}
        for row, values in runs.top_1.items()
        if row.precision == better.precision and not find_strays(runs.top_1, row)
    }
    return make_mean_tests(over).get(better)


def format_printed_difference(claim: Claim, network: str) -> str:
    """Write what a claim says is above zero in the paper's own figures of a network."""
    figures = []
    for better, worse in claim.pairs:
        for row, sign in ((better, 1), (worse, -1)):
            name = better.method if row == ORIGINAL else row.method
            figure = TOP_1.get((network, row.bits, PRINTED_NAMES.get(name, name)))
            if figure is None:
                return "–"
            figures.append(sign * figure)
    return f"{round(sum(figures), 1) + 0.0:+.1f}"


def count_outcomes(table: int, runs: NetworkRuns) -> dict[str, int]:
    """Count how many of a table's claims hold, do not hold, are undecided and were not measured on a network."""
    words = [claim.outcome for claim in judge_claims(list(list_claims(table)), runs)]
    counts = {outcome: sum(outcome in found for found in words) for outcome in OUTCOMES}
    return {outcome: count for outcome, count in counts.items() if count}


def list_stand_ins(table: int, runs: NetworkRuns) -> Iterator[dict[str, object]]:
    """Yield the lines of a table's claims that have no runs, but stand-ins: others with the same levels."""
    rows = dict.fromkeys(row for claim in list_claims(table) for pair in claim.pairs for row in pair)
    for row in rows:
        other = runs.find_line(row)
        if other != row:
            values = runs.top_1[other].values()
            yield {
                "row": f"{row.precision} {row.label}",
                "network": name_network(runs.network),
                "other": other.label,
                "percent": f"{mean(values):.2f}",
                "seeds": len(values),
            }


def render_claims_table(table: int, networks: Sequence[NetworkRuns]) -> list[str]:
    """Write each claim with what each network's runs say of it, and with the differences of the paper's own figures.

    The paper's are those of the networks that were measured, or where it has none of them, of the table's own.
    """
    claims = list(list_claims(table))
    judged = [judge_claims(claims, runs) for runs in networks]
    measured = [runs.network for runs in networks]
    printed = [name for name in TABLES[table].networks if name in measured] or TABLES[table].networks
    rows = []
    for number, claim in enumerate(claims):
        ours = [text for found in judged for text in (found[number].points, found[number].outcome)]
        rows.append([claim.words, *ours, *(format_printed_difference(claim, name) for name in printed)])
    titles = [title for name in measured for title in (f"{name_network(name)}, points", "verdict")]
    papers = [f"the paper's, {name_network(name)}" for name in printed]
    return format_table_lines(("claim", *titles, *papers), rows, "l" + "rl" * len(networks) + "r" * len(printed))
