"""What longer trainings say: their own table and comparisons."""

from collections.abc import Iterator
from statistics import mean, stdev

from asq_model.common.markdown import table_lines
from asq_model.studies.paired_comparisons import holm, mean_tests, verdict
from asq_model.studies.trained_out.claims import summary_table
from asq_model.studies.trained_out.record import (
    Groups,
    TrainedOut,
    TrainedOutRow,
    by_row,
    control_percents,
    epochs,
    percent,
)
from asq_model.studies.trained_out.tables import curve_table


def groups_by_length(study: TrainedOut) -> dict[int, Groups]:
    """Lines with two seeds or more, by the number of epochs; the rows' own length comes first."""
    lengths = dict.fromkeys([epochs(study["rows"][0]), *sorted(epochs(run) for run in study["curve"])])
    runs = {length: [run for run in [*study["rows"], *study["curve"]] if epochs(run) == length] for length in lengths}
    groups = {
        length: {row: values for row, values in by_row(found).items() if len(values) > 1}
        for length, found in runs.items()
    }
    return {length: lines for length, lines in groups.items() if lines}


def gains_over(rows: Groups, groups: Groups) -> dict[TrainedOutRow, tuple[str, str]]:
    """What each line gains over the same line of the rows, by the seeds of both, with its interval; whether it does."""
    gains: Groups = {}
    for row, values in groups.items():
        shared = values.keys() & rows.get(row, {}).keys()
        if len(shared) > 1:
            gains[row] = {number: values[number] - rows[row][number] for number in shared}
    tests = mean_tests(gains)
    intervals = holm(list(tests.values()))
    return {
        row: (f"{test.difference:+.2f} ± {interval.half_width:.2f}", verdict(test, interval))
        for (row, test), interval in zip(tests.items(), intervals, strict=True)
    }


def longer_table(study: TrainedOut, length: int, groups: Groups) -> list[str]:
    """The lines of one length: mean and spread over seeds, the gain over the rows, the distance to full precision."""
    ceiling, control = percent(study["ceiling"]), control_percents(study, length)
    gains, cells = gains_over(by_row(study["rows"]), groups), []
    for row, values in groups.items():
        accuracy = mean(values.values())
        spread = f"{accuracy:.2f} ± {stdev(values.values()):.2f}"
        to_control = f"{accuracy - mean(control):+.2f}" if control else "–"
        distances = f"{accuracy - ceiling:+.2f}", to_control
        cells.append([row.precision, row.label, spread, len(values), *gains.get(row, ("–", "–")), *distances])
    gained = f"over {epochs(study['rows'][0])} epochs, same seeds"
    titles = ("bits", "method", "top-1, %", "seeds", gained, "verdict", "to the ceiling", "to the control")
    return table_lines(titles, cells, "llrrrlrr")


def longer_section(study: TrainedOut) -> Iterator[list[str]]:
    """Yield the section on longer trainings."""
    usual = epochs(study["rows"][0])
    for length, groups in groups_by_length(study).items():
        if length == usual:
            continue
        control = control_percents(study, length)
        yield [
            f"Rows of {length} epochs, with the rates of those of {usual}; they are compared with each other only,"
            " but for what they gain over fewer epochs: a mean over seeds with its interval by Student's t, the spread"
            " that of all lines of one precision, corrected by Holm's method for this table."
            + (
                f" Their control, full precision for {length} epochs more, scores {mean(control):.2f} % on average of"
                f" {len(control)} seeds."
                if control
                else ""
            )
        ]
        yield longer_table(study, length, groups)
        yield ["Intervals as above, corrected for the comparisons of this table:"]
        yield summary_table(groups)
    if study["curve"]:
        yield ["Seed 0 by its epochs:"]
        yield curve_table(study)
