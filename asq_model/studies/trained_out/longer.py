"""What longer trainings say: their own table and comparisons."""

from statistics import mean, stdev

from asq_model.common.markdown import format_table_lines
from asq_model.studies.method_row import Groups, MethodRow
from asq_model.studies.paired_comparisons import correct_by_holm, judge_test, make_mean_tests
from asq_model.studies.trained_out.claims import compare, render_summary_table, summarise_claims
from asq_model.studies.trained_out.devices import list_cpu_lines
from asq_model.studies.trained_out.record import (
    Trained,
    TrainedOut,
    epochs,
    group_by_row,
    list_control_percents,
    percent,
    row_of,
)

CHANGES = {"holds": "grows", "**does not hold**": "shrinks"}  # of a difference, by what its test says


def group_by_length(study: TrainedOut) -> dict[int, Groups]:
    """Lines with two seeds or more, by the number of epochs; the rows' own length comes first."""
    lengths = dict.fromkeys([epochs(study["rows"][0]), *sorted(epochs(run) for run in study["curve"])])
    runs = {length: [run for run in [*study["rows"], *study["curve"]] if epochs(run) == length] for length in lengths}
    groups = {
        length: {row: values for row, values in group_by_row(found).items() if len(values) > 1}
        for length, found in runs.items()
    }
    return {length: lines for length, lines in groups.items() if lines}


def select_runs(study: TrainedOut, length: int, groups: Groups) -> list[Trained]:
    """Select the longer runs of one length that are of some lines."""
    return [run for run in study["curve"] if epochs(run) == length and row_of(run) in groups]


def subtract_rows(rows: Groups, groups: Groups) -> Groups:
    """Subtract from longer runs those of the rows, by the seeds that both have; lines with two of them or more."""
    gains: Groups = {}
    for row, values in groups.items():
        shared = values.keys() & rows.get(row, {}).keys()
        if len(shared) > 1:
            gains[row] = {number: values[number] - rows[row][number] for number in sorted(shared)}
    return gains


def measure_gains(rows: Groups, groups: Groups) -> dict[MethodRow, tuple[str, str]]:
    """What each line gains over the same line of the rows, by the seeds of both, with its interval; whether it does."""
    tests = make_mean_tests(subtract_rows(rows, groups))
    intervals = correct_by_holm(list(tests.values()))
    return {
        row: (f"{test.difference:+.2f} ± {interval.half_width:.2f}", judge_test(test, interval))
        for (row, test), interval in zip(tests.items(), intervals, strict=True)
    }


def render_longer_table(study: TrainedOut, length: int, groups: Groups) -> list[str]:
    """The lines of one length: mean and spread over seeds, the gain over the rows, the distance to full precision."""
    ceiling, control = percent(study["ceiling"]), list_control_percents(study, length)
    gains, cells = measure_gains(group_by_row(study["rows"]), groups), []
    for row, values in groups.items():
        accuracy = mean(values.values())
        spread = f"{accuracy:.2f} ± {stdev(values.values()):.2f}"
        to_control = f"{accuracy - mean(control):+.2f}" if control else "–"
        distances = f"{accuracy - ceiling:+.2f}", to_control
        cells.append([row.precision, row.label, spread, len(values), *gains.get(row, ("–", "–")), *distances])
    gained = f"over {epochs(study['rows'][0])} epochs, same seeds"
    titles = ("bits", "method", "top-1, %", "seeds", gained, "verdict", "to the ceiling", "to the control")
    return format_table_lines(titles, cells, "llrrrlrr")


def render_changes_table(rows: Groups, groups: Groups) -> list[str]:
    """By how much each claim's difference is another than in the rows, by the seeds of both; nothing without any."""
    cells = [
        [row.claim, row.precision, row.test.runs, row.difference, CHANGES.get(row.outcome, row.outcome)]
        for row in compare(subtract_rows(rows, groups), together=True)
    ]
    titles = ("claim", "bits", "pairs of runs", "change, points", "verdict")
    return format_table_lines(titles, cells, "llrrl") if cells else []


def list_sure_changes(rows: Groups, groups: Groups) -> list[str]:
    """Say which lines gain or lose for sure by more epochs, and which differences grow or shrink."""
    words = {"holds": "gains", "**does not hold**": "loses"}
    gains = measure_gains(rows, groups)
    lines = [
        f"{row.precision} {row.label} {words[verdict]} ({points})"
        for row, (points, verdict) in gains.items()
        if verdict in words
    ]
    changes = [
        f"The difference of {row.claim} {CHANGES[row.outcome]} at {row.precision} ({row.difference})"
        for row in compare(subtract_rows(rows, groups), together=True)
        if row.outcome in CHANGES
    ]
    return lines + changes


def describe_longer(study: TrainedOut) -> list[dict[str, object]]:
    """The rows of each length but the usual one: their control, their table and their comparisons."""
    found: list[dict[str, object]] = []
    for length, groups in group_by_length(study).items():
        if length != epochs(study["rows"][0]):
            control = list_control_percents(study, length)
            runs = select_runs(study, length, groups)
            found.append(
                {
                    "epochs": length,
                    "control_seeds": len(control),
                    "control_percent": f"{mean(control):.2f}" if control else None,
                    "table": "\n".join(render_longer_table(study, length, groups)),
                    "summary": "\n".join(render_summary_table(groups)),
                    "changes": "\n".join(render_changes_table(group_by_row(study["rows"]), groups)),
                    "claims": summarise_claims(groups),
                    "cpu_lines": list_cpu_lines(study, runs),
                    "gains": list_sure_changes(group_by_row(study["rows"]), groups),
                }
            )
    return found
