"""Which set of levels of POST to take: what the others gain over `symmetric` in a network's runs. Free of torch."""

from collections.abc import Iterator

from asq_model.studies.method_names import name_network
from asq_model.studies.method_row import MethodRow
from asq_model.studies.paired_comparisons import Interval, PairedTest, compare_pairs, correct_by_holm
from asq_model.studies.table_runs import NetworkRuns
from asq_model.studies.verdicts import UNDECIDED

WIDTHS = (4, 3)  # at which the paper has POST
RIVALS = ("asymmetric", "extended")  # of `symmetric`; `extended` stores a bit more


def judge_level_sets(runs: NetworkRuns) -> Iterator[dict[str, object]]:
    """Yield what there is to say at each width; intervals are corrected by Holm's method for all that is compared.

    Lines with LSQ's activations and with ASQ's are compared together.
    """
    tests = {}
    for bits in WIDTHS:
        for kind in RIVALS:
            symmetric = [MethodRow(bits, bits, "post", "symmetric", activations) for activations in ("lsq", "asq")]
            test = compare_pairs(runs.top_1, [(row._replace(kind=kind), row) for row in symmetric])
            if test is not None:
                tests[bits, kind] = test
    gains = {
        place: describe_gain(test, interval)
        for (place, test), interval in zip(tests.items(), correct_by_holm(list(tests.values())), strict=True)
    }
    for bits in WIDTHS:
        if (bits, "asymmetric") in gains:
            found = {kind: gains.get((bits, kind)) for kind in RIVALS}
            yield {"network": name_network(runs.network), "bits": bits, **found}


def describe_gain(test: PairedTest, interval: Interval) -> dict[str, str]:
    """Write a gain with its interval, and say whether it is one."""
    decided = "gains" if test.difference > 0 else "loses"
    points = f"{test.difference:+.2f} ± {interval.half_width:.2f}"
    return {"points": points, "verdict": decided if interval.decided else UNDECIDED}
