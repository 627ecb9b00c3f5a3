"""Whether ASQ gains by adapting: its lead over LSQ with other gradient scales, and with every β held at its mean."""

from collections.abc import Iterator
from statistics import mean

from asq_model.common.markdown import table_lines
from asq_model.studies.paired_comparisons import Interval, PairedTest, holm, mean_tests
from asq_model.studies.trained_out.claims import Comparison, compare
from asq_model.studies.trained_out.record import Groups, TrainedOut, TrainedOutRow, by_row, frozen_change, row_of, seed
from asq_model.studies.verdicts import UNDECIDED

SCALES = {
    "numel": "N counted over the whole batch, as public codes have it",
    "features": "N counted in one image, as LSQ's paper has it",
    "unscaled": "no scale, as β has none",
}
LEADS = ("ASQ > LSQ", "ASQ > LSQ-features", "ASQ > LSQ-unscaled")


def explanation(groups: Groups) -> str:
    """What the names of the lines with other gradient scales mean."""
    scales = [scale for scale in SCALES if any(row.step_gradient == scale for row in groups)]
    names = (f"{'LSQ' if scale == 'numel' else f'LSQ-{scale}'} has {SCALES[scale]}" for scale in scales)
    return (
        "LSQ multiplies the gradient of its step by 1/√(N·p): " + "; ".join(names) + ". ASQ's β moves without such a"
        " scale, so a lead of ASQ over LSQ may come from adapting to the image, or from a step that is free to move."
    )


def lead_sentences(groups: Groups) -> Iterator[str]:
    """Yield, for each precision, what is left of ASQ's lead over LSQ when LSQ's gradient is scaled otherwise."""
    leads = {(row.precision, row.claim): row for row in compare(groups, together=True) if row.claim in LEADS}
    for precision in dict.fromkeys(precision for precision, _ in leads):
        rows = [leads[precision, claim] for claim in LEADS if (precision, claim) in leads]
        if len(rows) > 1:
            words = (f"{row.claim.removeprefix('ASQ > ')} by {lead(row)}" for row in rows)
            yield f"- **{precision}**: ASQ leads {', '.join(words)}."


def conclusion(groups: Groups) -> str:
    """At which precisions ASQ leads LSQ, and at which of them also an LSQ whose step is as free as β."""
    compared = compare(groups, together=True)
    against = {claim: [row for row in compared if row.claim == claim] for claim in (LEADS[0], LEADS[-1])}
    leads = {claim: [row.precision for row in rows if row.outcome == "holds"] for claim, rows in against.items()}
    both = [row.precision for row in against[LEADS[-1]]]
    if not both:
        return ""
    words = {claim: ", ".join(name for name in names if name in both) or "none" for claim, names in leads.items()}
    return (
        f"Of {', '.join(both)}, ASQ's lead over LSQ holds at {words[LEADS[0]]}; its lead over LSQ-unscaled holds at"
        f" {words[LEADS[-1]]}. A lead that LSQ-unscaled does away with is not one of adapting to the image."
    )


def lead(row: Comparison) -> str:
    """ASQ's lead in words, with its interval and whether it is one."""
    return f"{row.difference} points ({row.outcome})"


def scales_table(groups: Groups) -> list[str]:
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
    names = [TrainedOutRow(4, 4, "uniform", "", activations, scale).label for activations, scale in columns]
    return table_lines(("bits", "weights", *(f"{name}, %" for name in names)), cells, "ll" + "r" * len(columns))


def frozen_changes(study: TrainedOut) -> Groups:
    """By how many points each line's networks change, by seed, when every layer's β is held at its mean."""
    changes: Groups = {}
    for run in study["rows"]:
        if "frozen" in run:
            changes.setdefault(row_of(run), {})[seed(run)] = frozen_change(run)
    return changes


def change_words(test: PairedTest, interval: Interval) -> tuple[str, str]:
    """A mean change with its interval, in points, and whether it is one."""
    outcome = ("gains" if test.difference > 0 else "loses") if interval.decided else UNDECIDED
    return f"{test.difference:+.2f} ± {interval.half_width:.2f}", outcome


def mean_change(changes: Groups) -> tuple[str, str] | None:
    """The mean change of all networks together with its interval, and whether it is one; None for fewer than two."""
    together = dict(enumerate(value for values in changes.values() for value in values.values()))
    tests = list(mean_tests(dict.fromkeys(list(changes)[:1], together)).values())
    return change_words(tests[0], holm(tests)[0]) if tests else None


def frozen_table(changes: Groups) -> list[str]:
    """What the same ASQ networks score with every layer's β held at its mean, with intervals corrected together."""
    tests = mean_tests(changes)
    words = dict(zip(tests, map(change_words, tests.values(), holm(list(tests.values()))), strict=True))
    cells = []
    for row, found in changes.items():
        values = found.values()
        extremes = f"{min(values):+.2f}", f"{max(values):+.2f}"
        cells.append([row.precision, row.label, len(values), *extremes, *words.get(row, ("–", UNDECIDED))])
    titles = ("bits", "method", "networks", "least", "most", "mean change, points", "verdict")
    return table_lines(titles, cells, "llrrrrl")


def adaptation_section(study: TrainedOut) -> Iterator[list[str]]:
    """Yield the paragraphs on what ASQ's lead comes from."""
    groups = by_row(study["rows"])
    if any(row.step_gradient != "numel" for row in groups):
        yield [explanation(groups)]
        yield list(lead_sentences(groups))
        yield [conclusion(groups)]
        yield scales_table(groups)
    changes = frozen_changes(study)
    together = mean_change(changes)
    if together:
        values = [value for found in changes.values() for value in found.values()]
        yield [
            f"With each layer's β held at its mean over 1,024 training images, {len(values)} networks change by"
            f" {min(values):+.2f} to {max(values):+.2f} points, {together[0]} on average ({together[1]}). Intervals are"
            " by Student's t; the table's have the spread of all lines of one precision, and are corrected by Holm's"
            " method for its lines."
        ]
        yield frozen_table(changes)
