"""The page on networks trained out, made from its record, and what README says of it."""

from collections import Counter
from collections.abc import Iterator
from statistics import mean

from asq_model.common.cifar10_copy import yardsticks
from asq_model.common.markdown import table_lines
from asq_model.studies.paired_comparisons import CONFIDENCE, spread
from asq_model.studies.trained_out import (
    Row,
    TrainedOut,
    by_row,
    epochs,
    frozen_change,
    percent,
    row_of,
    seed,
)
from asq_model.studies.trained_out_adaptation import adaptation_section
from asq_model.studies.trained_out_claims import compare, pairs_table, summary_table
from asq_model.studies.trained_out_plan import PLAN, PlannedRun, missing_runs, read_plan
from asq_model.studies.trained_out_tables import (
    accuracy_table,
    collapsed_runs,
    curve_table,
    repeats_section,
    sessions_table,
    trials_section,
)

BLOCK = "accuracy"  # of README
AIMS = {4: 0.5, 3: 1.5}  # points below the ceiling, by bits
FEWEST_SEEDS = 5
LOSSES = {
    "uniform weights with LSQ": Row(4, 4, "uniform", "", "lsq"),
    "POST weights with ASQ": Row(4, 4, "post", "symmetric", "asq"),
}
CLAIMS = {  # that README tells of
    "ASQ > LSQ": "ASQ over LSQ",
    "ASQ > LSQ-features": "ASQ over LSQ with the gradient scale of LSQ's paper",
    "ASQ > LSQ-unscaled": "ASQ over LSQ with no gradient scale",
    "POST > uniform": "POST over uniform",
}


def findings(study: TrainedOut) -> str:
    """What README says of accuracy, in a few lines."""
    groups, ceiling = by_row(study["rows"]), percent(study["ceiling"])
    losses = [f"{name} lose {ceiling - mean(groups[row].values()):.2f} points" for name, row in LOSSES.items()]
    compared = [row for row in compare(groups, together=True) if row.precision == "W4A4" and row.claim in CLAIMS]
    claimed = [f"{CLAIMS[row.claim]} {row.difference} ({row.outcome.strip('*')})" for row in compared]
    changes = [frozen_change(run) for run in study["rows"] if "frozen" in run]
    return "\n".join(
        (
            f"ResNet-8 on CIFAR-10 (a JPEG copy, quality 75, 4:2:0) has {ceiling:.2f} % right in full precision.",
            f"At 4 bits {' and '.join(losses)} ({epochs(study['rows'][0])} epochs).",
            "Differences there, in points: " + ";\n".join(claimed) + ".",
            f"With every β held at its mean over images, ASQ's accuracy changes by {mean(changes):+.2f} points.",
            "",
        )
    )


def aims(study: TrainedOut) -> Iterator[str]:
    """What the aims say of POST weights."""
    groups, ceiling = by_row(study["rows"]), percent(study["ceiling"])
    for bits, aim in AIMS.items():
        precision = f"W{bits}A{bits}"
        rows = {row: mean(values.values()) for row, values in groups.items() if row.family == "post"}
        rows = {row: value for row, value in rows.items() if row.precision == precision}
        if rows:
            best = max(rows, key=rows.__getitem__)
            loss = ceiling - rows[best]
            reached = "reached" if loss <= aim else "not reached"
            yield f"- {precision} POST within {aim} points of the ceiling: {reached}, {best.label} loses {loss:.2f}."
    longest = max(study["curve"], key=lambda run: (epochs(run), percent(run)), default=None)
    if longest is not None:
        what = f"{row_of(longest).precision} {row_of(longest).label} with seed {seed(longest)}"
        yield f"- Trained for {epochs(longest)} epochs, {what} loses {ceiling - percent(longest):.2f}."


def how_each_row_starts(study: TrainedOut) -> str:
    """The recipe of the rows, in words."""
    run = study["rows"][0]
    rates = {row_of(run).bits: run["recipe"]["quantised_rate"] for run in study["rows"]}
    few = [
        f"{row.precision} {row.label}" for row, values in by_row(study["rows"]).items() if len(values) < FEWEST_SEEDS
    ]
    return (
        f"**Each row** starts from the ceiling: {epochs(run)} epochs, batch {run['recipe']['batch']}, cosine from"
        f" {', '.join(f'{rate:g} at {bits} bits' for bits, rate in rates.items())}, weight decay"
        f" {run['recipe']['weight_decay']:g}, first and last layer 8-bit LSQ. A seed is the order of images, their"
        " augmentation and the adapters' weights; rows of one seed see the same images in the same order. The test set"
        " was used once for each run, after the last epoch."
        + (f" Fewer than {FEWEST_SEEDS} seeds have: {'; '.join(few)}." if few else "")
    )


def opening(study: TrainedOut) -> Iterator[list[str]]:
    """Yield the paragraphs above the table of accuracies."""
    ceiling, recipe = study["ceiling"], study["ceiling"]["recipe"]
    control = [percent(run) for run in study["control"]]
    yield yardsticks([study["data"]])
    yield [
        f"**The ceiling**: full precision, {epochs(ceiling)} epochs of SGD, batch {recipe['batch']}, cosine from"
        f" {recipe['full_precision_rate']:g}, weight decay {recipe['weight_decay']:g}, seed {recipe['seed']}:"
        f" **{percent(ceiling):.2f} %** (digest `{ceiling['digest'][:12]}`)."
        + (
            f" Trained on like the rows below, but in full precision, it scores {mean(control):.2f} % on average of"
            f" {len(control)} seeds: the control."
            if control
            else ""
        )
    ]
    yield [how_each_row_starts(study)]


def accuracies(study: TrainedOut) -> Iterator[list[str]]:
    """Yield the table of accuracies and what is to be said of it."""
    yield accuracy_table(study)
    yield [
        "Zero weights and terms (signed powers of two, times 1 or √2) are those of the low-bit layers. *Training* is"
        " the accuracy on augmented images during the last epoch."
    ]
    yield list(aims(study))
    collapsed = collapsed_runs(study)
    if collapsed:
        yield [
            f"**Runs that collapsed**: {'; '.join(collapsed)}. They are in the table; their rows are in no comparison,"
            " since Student's t does not describe them."
        ]


def claims(study: TrainedOut) -> Iterator[list[str]]:
    """Yield the section on the paper's claims."""
    groups = by_row(study["rows"])
    spreads = {precision: spread(groups, precision) for precision in dict.fromkeys(row.precision for row in groups)}
    yield [
        f"Differences are of the same seeds. Intervals are {100 * CONFIDENCE:.0f} % by Student's t, corrected by Holm's"
        " method for all comparisons of a table. A run's standard deviation about its row and its seed:"
        + ",".join(f" {sd:.2f} points at {name} ({freedom} degrees)" for name, (sd, freedom) in spreads.items())
        + ". All runs start from one network and are tested on the same images: the intervals say nothing of other"
        " starts or other images."
    ]
    yield ["All pairs of lines of one precision together:"]
    yield summary_table(groups)
    yield ["Pair by pair:"]
    yield pairs_table(groups)


def planned_line(run: PlannedRun) -> str:
    """The name of the line that a planned run belongs to, with its length where lines of other lengths are there."""
    part, row, _, length = run.key
    name = "full precision" if part == "control" else f"{row.precision} {row.label}"
    return name if part == "rows" else f"{name} for {length} epochs"


def how_it_was_trained(study: TrainedOut) -> Iterator[list[str]]:
    """Yield the section on programs, devices and times."""
    again = [run for run in [study["ceiling"], *study["rows"]] if "again" in run]
    equal = sum(run["again"] == run["correct"] for run in again)
    agreement = ", ".join(f"{kind} {value:.1e}" for kind, value in study["agreement"].items())
    yield [
        "The layers are this program's own. The whole step is one CUDA graph, and several runs share the device."
        " Convolutions multiply in TF32 in training, as torch has it on such a device, and in float32 in the test."
        + (
            " Largest difference of a loss in the first 20 steps from the layers run one by one, all in float32:"
            f" {agreement}."
            if agreement
            else ""
        )
        + (f" Of {len(again)} networks tested once more by a CPU, {equal} have the same number right." if again else "")
    ]
    yield sessions_table(study)
    missing = Counter(map(planned_line, missing_runs(read_plan(PLAN), study)))
    if missing:
        runs = "; ".join(f"{line} {count}" for line, count in missing.items())
        yield [f"Runs of the plan that are not done yet: {runs}."]
    costs = [[how, f"{cost:.2f}"] for how, cost in study["step_ms"].items()]
    if costs:
        yield table_lines(("a step of batch 256, alone on the device (session 0)", "ms"), costs, "lr")


def sections(study: TrainedOut) -> Iterator[tuple[str, list[list[str]]]]:
    """Yield each section's title and paragraphs."""
    yield "Which claims hold", list(claims(study))
    yield "Does ASQ gain by adapting", list(adaptation_section(study))
    yield "Would more epochs change it", [curve_table(study)] if study["curve"] else []
    yield "The same run made again", list(repeats_section(study))
    yield "How recipes were chosen", list(trials_section(study))
    yield "How it was trained", list(how_it_was_trained(study))


def render_page(study: TrainedOut, name: str = "trained-out.json") -> str:
    """The page on networks trained out."""
    parts = [["# ResNet-8 on CIFAR-10, trained out"], [f"Made from the runs in `{name}` by `make pages`."]]
    parts += [*opening(study), *accuracies(study)]
    for title, paragraphs in sections(study):
        if paragraphs:
            parts += [[f"## {title}"], *paragraphs]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"
