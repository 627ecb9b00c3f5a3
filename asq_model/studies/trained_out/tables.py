"""The tables on networks trained out: accuracies, longer trainings, trials, sessions."""

from statistics import mean, stdev
from typing import Literal

from asq_model.common.markdown import format_table_lines
from asq_model.studies.method_row import MethodRow
from asq_model.studies.printed_tables import TOP_1
from asq_model.studies.spreads import COLLAPSED, FAR_OFF, find_strays
from asq_model.studies.trained_out.record import (
    Trained,
    TrainedOut,
    epochs,
    group_by_row,
    list_control_percents,
    network,
    percent,
    row_of,
    seed,
)

ACCURACY_COLUMNS = (
    "bits",
    "method",
    "stored bits",
    "zero weights",
    "terms a weight",
    "top-1, %",
    "top-5, %",
    "training, %",
    "seeds",
    "to the ceiling",
    "to the control",
)


def average_count(runs: list[Trained], name: Literal["zeros", "terms"]) -> str:
    """The mean of a count per weight over a line's runs, as text."""
    shares = [run[name] / run["weights"] for run in runs if name in run]
    return f"{mean(shares):.2f}" if shares else "–"


def render_accuracy_table(study: TrainedOut) -> list[str]:
    """Every line: what a weight costs, mean and spread over seeds, and how far it is from ceiling and control."""
    ceiling, control = percent(study["ceiling"]), list_control_percents(study, epochs(study["rows"][0]))
    paper, cells = find_printed_top_1(study), []
    for row in group_by_row(study["rows"]):
        runs = [run for run in study["rows"] if row_of(run) == row]
        values = [percent(run) for run in runs]
        five = mean(100 * run["top_5"] / run["images"] for run in runs)
        training = mean(100 * run["train_correct"] / run["train_seen"] for run in runs)
        weights = runs[0].get("stored_bits", "–"), average_count(runs, "zeros"), average_count(runs, "terms")
        deviation = f" ± {stdev(values):.2f}" if len(values) > 1 else ""
        accuracy = f"{mean(values):.2f}{deviation}", f"{five:.2f}", f"{training:.2f}", len(runs)
        to_control = f"{mean(values) - mean(control):+.2f}" if control else "–"
        distances = f"{mean(values) - ceiling:+.2f}", to_control
        in_print = [f"{paper[row]:.1f}" if row in paper else "–"] if paper else []
        cells.append([row.precision, row.label, *weights, *accuracy, *distances, *in_print])
    columns = (*ACCURACY_COLUMNS, "the paper's top-1, %") if paper else ACCURACY_COLUMNS
    return format_table_lines(columns, cells, "ll" + "r" * (len(columns) - 2))


def find_printed_top_1(study: TrainedOut) -> dict[MethodRow, float]:
    """The paper's figure for each line that it has; theirs have equal bits, and no kinds of levels."""
    keys = {row: (network(study), row.bits, row.method) for row in group_by_row(study["rows"])}
    return {row: TOP_1[key] for row, key in keys.items() if key in TOP_1 and row.bits == row.activation_bits}


def describe_strays(study: TrainedOut) -> dict[str, object] | None:
    """Say which runs strayed, by what rule, and how many of how many of each method's; None where none did."""
    groups = group_by_row(study["rows"])
    strays = {row: found for row in groups if (found := find_strays(groups, row))}
    counts = []
    for precision in dict.fromkeys(row.precision for row in strays):
        alike = [row for row in groups if row.precision == precision]
        for method in dict.fromkeys(row._replace(family="uniform", kind="") for row in alike):
            rows = [row for row in alike if row._replace(family="uniform", kind="") == method]
            strayed, runs = sum(len(strays.get(row, [])) for row in rows), sum(len(groups[row]) for row in rows)
            counts.append(f"{precision} {method.label} {strayed} of {runs}")
    far = [
        f"{row.precision} {row.label} with seed {number} ({groups[row][number]:.2f} %)"
        for row, found in strays.items()
        for number in found
    ]
    return {"runs": far, "counts": counts, "collapsed": COLLAPSED, "far": FAR_OFF} if strays else None


def render_curve_table(study: TrainedOut) -> list[str]:
    """Accuracy by epochs, of seed 0 of each line."""
    rows = list(dict.fromkeys(row_of(run) for run in study["curve"]))
    runs = [run for run in [*study["curve"], *study["rows"]] if row_of(run) in rows and seed(run) == 0]
    lengths = sorted({epochs(run) for run in runs})
    by_length = {(row_of(run), epochs(run)): percent(run) for run in runs}
    cells = []
    for row in rows:
        accuracies = (f"{by_length[row, length]:.2f}" if (row, length) in by_length else "–" for length in lengths)
        cells.append([f"{row.precision} {row.label}", *accuracies])
    return format_table_lines(["seed 0", *(f"{length} epochs" for length in lengths)], cells, "l" + "r" * len(lengths))


def render_trials_table(study: TrainedOut) -> list[str]:
    """The trainings that the recipes were chosen by; nothing without any."""
    cells = []
    for run in study["trials"]:
        recipe, quantised, row = run["recipe"], run["recipe"]["quantised_epochs"], row_of(run)
        name = f"{row.precision} {row.label}" if quantised else "full precision"
        rate = recipe["quantised_rate"] if quantised else recipe["full_precision_rate"]
        cells.append([name, epochs(run), f"{rate:g}", f"{recipe['weight_decay']:g}", f"{percent(run):.2f}"])
    titles = "network", "epochs", "rate", "weight decay", "right of the images held back, %"
    return format_table_lines(titles, cells, "lrrrr") if cells else []


def render_sessions_table(study: TrainedOut) -> list[str]:
    """Which program trained what, at which commit, and for how long a device was held."""
    trained = [study["ceiling"], *study["control"], *study["rows"], *study["curve"], *study["repeats"]]
    cells = []
    for number, session in enumerate(study["sessions"]):
        runs = [run for run in trained if run["session"] == number]
        versions = ", ".join(f"{library} {version}" for library, version in session["versions"].items())
        made = session["program"], f"`{session['commit']}`", session["device"], versions
        work = len(runs), sum(map(epochs, runs)), f"{session['seconds'] / 60:.0f}"
        cells.append([number, session["day"], *made, *work])
    titles = ("session", "day", "program", "commit", "device", "versions", "runs", "epochs", "minutes")
    return format_table_lines(titles, cells, "rlllllrrr")
