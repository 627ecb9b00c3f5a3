"""What longer trainings say: their own table and comparisons."""

from collections.abc import Iterator
from statistics import mean, stdev

from asq_model.common.markdown import table_lines
from asq_model.studies.trained_out import Groups, TrainedOut, by_row, control_percents, epochs, percent
from asq_model.studies.trained_out_claims import summary_table
from asq_model.studies.trained_out_tables import curve_table


def groups_by_length(study: TrainedOut) -> dict[int, Groups]:
    """Lines with two seeds or more, by the number of epochs; the rows' own length comes first."""
    lengths = dict.fromkeys([epochs(study["rows"][0]), *sorted(epochs(run) for run in study["curve"])])
    runs = {length: [run for run in [*study["rows"], *study["curve"]] if epochs(run) == length] for length in lengths}
    groups = {
        length: {row: values for row, values in by_row(found).items() if len(values) > 1}
        for length, found in runs.items()
    }
    return {length: lines for length, lines in groups.items() if lines}


def longer_table(study: TrainedOut, length: int, groups: Groups) -> list[str]:
    """The lines of one length: mean and spread over seeds, the gain over the rows, the distance to full precision."""
    rows, ceiling, control = by_row(study["rows"]), percent(study["ceiling"]), control_percents(study, length)
    cells = []
    for row, values in groups.items():
        accuracy = mean(values.values())
        shorter = [rows[row][number] for number in values if number in rows.get(row, {})]
        gain = f"{accuracy - mean(shorter):+.2f}" if len(shorter) == len(values) else "–"
        spread = f"{accuracy:.2f} ± {stdev(values.values()):.2f}"
        to_control = f"{accuracy - mean(control):+.2f}" if control else "–"
        cells.append([row.precision, row.label, spread, len(values), gain, f"{accuracy - ceiling:+.2f}", to_control])
    gained = f"over {epochs(study['rows'][0])} epochs, same seeds"
    titles = ("bits", "method", "top-1, %", "seeds", gained, "to the ceiling", "to the control")
    return table_lines(titles, cells, "llrrrrr")


def longer_section(study: TrainedOut) -> Iterator[list[str]]:
    """Yield the section on longer trainings."""
    usual = epochs(study["rows"][0])
    for length, groups in groups_by_length(study).items():
        if length == usual:
            continue
        control = control_percents(study, length)
        yield [
            f"Rows of {length} epochs, with the rates of those of {usual}; they are compared with each other only."
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
