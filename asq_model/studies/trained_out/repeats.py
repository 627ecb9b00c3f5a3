"""What became of trainings that were made again: on the device of the first ones, and on another."""

from math import sqrt
from statistics import mean, stdev

from asq_model.common.markdown import format_table_lines
from asq_model.studies.paired_comparisons import CONFIDENCE
from asq_model.studies.spreads import estimate_spread
from asq_model.studies.trained_out.record import Trained, TrainedOut, group_by_row, percent, row_of, seed

RESULTS = ("first, %", "again, %", "a further run, %", "verdict")


def pair_repeats(study: TrainedOut) -> list[tuple[Trained, Trained]]:
    """(first, again): every repeat with the run of the rows that it repeats; repeats of runs not there are left out."""
    rows = {(row_of(run), seed(run)): run for run in study["rows"]}
    return [(rows[key], run) for run in study["repeats"] if (key := (row_of(run), seed(run))) in rows]


def describe_repeats(study: TrainedOut) -> dict[str, object] | None:
    """How runs that were made again differ from the first; None without any."""
    from scipy.stats import t

    groups, cells, inside = group_by_row(study["rows"]), [], 0
    for first, run in pair_repeats(study):
        row = row_of(run)
        deviation, freedom = estimate_spread(groups, row.precision)
        half_width = float(t.ppf((1 + CONFIDENCE) / 2, freedom)) * deviation * 2**0.5
        change = percent(run) - percent(first)
        inside += abs(change) <= half_width
        both = f"{percent(first):.2f}", f"{percent(run):.2f}"
        places = f"{first['session']} and {run['session']}"
        cells.append([row.precision, row.label, seed(run), places, *both, f"{change:+.2f}", f"± {half_width:.2f}"])
    if not cells:
        return None
    titles = ("bits", "method", "seed", "sessions", "first, %", "again, %", "difference", "interval")
    return {"inside": inside, "runs": len(cells), "table": "\n".join(format_table_lines(titles, cells, "llrlrrrr"))}


def expect_run(values: list[float]) -> tuple[float, float]:
    """Where a further run of a line is to be expected, by the runs that there are: the middle and half the width."""
    from scipy.stats import t

    width = float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * stdev(values) * sqrt(1 + 1 / len(values))
    return mean(values), width


def describe_repeats_elsewhere(study: TrainedOut) -> dict[str, object] | None:
    """Whether runs that were made again on another device than the first are as expected; None without any."""
    groups, sessions = group_by_row(study["rows"]), study["sessions"]
    cells, inside = [], 0
    for first, run in pair_repeats(study):
        row, session = row_of(run), sessions[run["session"]]
        values = list(groups[row].values())
        if session["device"] == sessions[first["session"]]["device"] or len(values) < 2:
            continue
        middle, width = expect_run(values)
        within = abs(percent(run) - middle) <= width
        inside += within
        minutes = f"{run['seconds'] / 60:.0f}"
        made = str(seed(run)), session["device"], session["day"], f"`{session['commit']}`", minutes
        expected = f"{middle:.2f} ± {width:.2f} ({len(values)} seeds)"
        results = f"{percent(first):.2f}", f"{percent(run):.2f}", expected, "inside" if within else "**outside**"
        cells.append([row.precision, row.label, *made, *results])
    if not cells:
        return None
    titles = ("bits", "method", "seed", "device", "day", "commit", "minutes", *RESULTS)
    return {"inside": inside, "runs": len(cells), "table": "\n".join(format_table_lines(titles, cells, "llrlllrrrrl"))}
