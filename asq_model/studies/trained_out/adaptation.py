"""Whether ASQ gains by adapting: its lead over LSQ with other gradient scales, and with every β held at its mean."""

from statistics import mean

from asq_model.common.markdown import format_table_lines
from asq_model.studies.method_row import Groups, MethodRow
from asq_model.studies.paired_comparisons import Interval, PairedTest, correct_by_holm, make_mean_tests
from asq_model.studies.trained_out.claims import compare
from asq_model.studies.trained_out.record import TrainedOut, frozen_change, group_by_row, row_of, seed
from asq_model.studies.verdicts import UNDECIDED

SCALES = {
    "numel": "N counted over the whole batch, as public codes have it",
    "features": "N counted in one image, as LSQ's paper has it",
    "unscaled": "no scale, as β has none",
}
LEADS = ("ASQ > LSQ", "ASQ > LSQ-features", "ASQ > LSQ-unscaled")


def describe_scales(groups: Groups) -> list[dict[str, str]]:
    """The gradient scales that lines have: the name of LSQ with each, and what it means."""
    scales = [scale for scale in SCALES if any(row.step_gradient == scale for row in groups)]
    return [{"name": "LSQ" if scale == "numel" else f"LSQ-{scale}", "means": SCALES[scale]} for scale in scales]


def describe_leads(groups: Groups) -> list[dict[str, object]]:
    """What is left of ASQ's lead over LSQ when LSQ's gradient is scaled otherwise, for each precision with both."""
    leads = {(row.precision, row.claim): row for row in compare(groups, together=True) if row.claim in LEADS}
    found: list[dict[str, object]] = []
    for precision in dict.fromkeys(precision for precision, _ in leads):
        rows = [leads[precision, claim] for claim in LEADS if (precision, claim) in leads]
        if len(rows) > 1:
            over = [
                {"name": row.claim.removeprefix("ASQ > "), "points": row.difference, "outcome": row.outcome}
                for row in rows
            ]
            found.append({"precision": precision, "over": over})
    return found


def find_sure_leads(groups: Groups) -> dict[str, str] | None:
    """At which precisions ASQ leads LSQ for sure, and at which of them also an LSQ whose step is as free as β.

    None where no precision has such an LSQ.
    """
    compared = compare(groups, together=True)
    against = {claim: [row for row in compared if row.claim == claim] for claim in (LEADS[0], LEADS[-1])}
    leads = {claim: [row.precision for row in rows if row.outcome == "holds"] for claim, rows in against.items()}
    both = [row.precision for row in against[LEADS[-1]]]
    if not both:
        return None
    words = {claim: ", ".join(name for name in names if name in both) or "none" for claim, names in leads.items()}
    return {"compared": ", ".join(both), "lsq": words[LEADS[0]], "unscaled": words[LEADS[-1]]}


def render_scales_table(groups: Groups) -> list[str]:
    """The mean accuracy of LSQ and ASQ by gradient scale, for weights with more than one scale."""
    rows = [row for row in groups if row.activations == "asq" and row.step_gradient == "numel"]
    columns = [(activations, scale) for activations in ("lsq", "asq") for scale in SCALES]
    columns = [key for key in columns if any((row.activations, row.step_gradient) == key for row in groups)]
    cells = []
    for row in rows:
        others = [row._replace(activations=activations, step_gradient=scale) for activations, scale in columns]
        if any(other in groups and other.step_gradient != "numel" for other in others):
            weights = row._replace(activations="").label.removeprefix(" + ") or "uniform"
            accuracies = [f"{mean(groups[other].values()):.2f}" if other in groups else "–" for other in others]
            cells.append([row.precision, weights, *accuracies])
    names = [MethodRow(4, 4, "uniform", "", activations, scale).label for activations, scale in columns]
    return format_table_lines(("bits", "weights", *(f"{name}, %" for name in names)), cells, "ll" + "r" * len(columns))


def list_frozen_changes(study: TrainedOut) -> Groups:
    """By how many points each line's networks change, by seed, when every layer's β is held at its mean."""
    changes: Groups = {}
    for run in study["rows"]:
        if "frozen" in run:
            changes.setdefault(row_of(run), {})[seed(run)] = frozen_change(run)
    return changes


def describe_change(test: PairedTest, interval: Interval) -> tuple[str, str]:
    """A mean change with its interval, in points, and whether it is one."""
    outcome = ("gains" if test.difference > 0 else "loses") if interval.decided else UNDECIDED
    return f"{round(test.difference, 2) + 0.0:+.2f} ± {interval.half_width:.2f}", outcome


def measure_mean_change(changes: Groups) -> tuple[PairedTest, Interval] | None:
    """Measure the mean change of all networks together, with its interval; None for fewer than two."""
    together = dict(enumerate(value for values in changes.values() for value in values.values()))
    tests = list(make_mean_tests(dict.fromkeys(list(changes)[:1], together)).values())
    return (tests[0], correct_by_holm(tests)[0]) if tests else None


def describe_mean_change(changes: Groups) -> tuple[str, str] | None:
    """The mean change of all networks together with its interval, and whether it is one; None for fewer than two."""
    found = measure_mean_change(changes)
    return describe_change(*found) if found else None


def render_frozen_table(changes: Groups) -> list[str]:
    """What the same ASQ networks score with every layer's β held at its mean, with intervals corrected together."""
    tests = make_mean_tests(changes)
    words = dict(zip(tests, map(describe_change, tests.values(), correct_by_holm(list(tests.values()))), strict=True))
    cells = []
    for row, found in changes.items():
        values = found.values()
        extremes = f"{min(values):+.2f}", f"{max(values):+.2f}"
        cells.append([row.precision, row.label, len(values), *extremes, *words.get(row, ("–", UNDECIDED))])
    titles = ("bits", "method", "networks", "least", "most", "mean change, points", "verdict")
    return format_table_lines(titles, cells, "llrrrrl")


def describe_gradients(study: TrainedOut) -> dict[str, object] | None:
    """What is left of ASQ's lead by the scale of LSQ's gradient; None where all lines have the same scale."""
    groups = group_by_row(study["rows"])
    if all(row.step_gradient == "numel" for row in groups):
        return None
    return {
        "scales": describe_scales(groups),
        "leads": describe_leads(groups),
        "sure": find_sure_leads(groups),
        "table": "\n".join(render_scales_table(groups)),
    }


def describe_frozen(study: TrainedOut) -> dict[str, object] | None:
    """How networks change when every β is held at its mean; None for fewer than two networks."""
    changes = list_frozen_changes(study)
    found = measure_mean_change(changes)
    if found is None:
        return None
    test, interval = found
    values = [value for found in changes.values() for value in found.values()]
    points, outcome = describe_change(test, interval)
    return {
        "networks": len(values),
        "least": f"{min(values):+.2f}",
        "most": f"{max(values):+.2f}",
        "mean": points,
        "bound": f"{abs(test.difference) + interval.half_width:.2f}",
        "outcome": outcome,
        "table": "\n".join(render_frozen_table(changes)),
    }
