"""The accuracies that a table of the paper is judged by, by network, from either kind of record. Free of torch."""

from dataclasses import dataclass

from asq_model.common.result_schemas import RunTask, StudyResults
from asq_model.studies.method_row import Groups, MethodRow, have_equal_levels
from asq_model.studies.trained_out.longer import group_by_length
from asq_model.studies.trained_out.record import TrainedOut, epochs, group_by_row, network, percent, row_of, seed


@dataclass(frozen=True)
class NetworkRuns:
    """The runs of one network, in percent right of the test images.

    top_1, top_5: by line and seed; top_5 has no lines where it was not counted. stored_bits: of a weight, by line.
    full_precision: the network that all runs start from; None where its accuracy is not known. epochs: of each run.
    """

    network: str
    top_1: Groups
    top_5: Groups
    stored_bits: dict[MethodRow, int]
    full_precision: float | None
    epochs: int

    def find_line(self, row: MethodRow) -> MethodRow:
        """Find the line whose runs are a row's: its own or, if it has none, one whose weights have the same levels."""
        alike = (line for line in self.top_1 if have_equal_levels(line, row))
        return row if row in self.top_1 else next(alike, row)


def row_of_run(run: RunTask) -> MethodRow:
    """The line of the table that a run of a study belongs to."""
    return MethodRow(run["bits"], run["bits"], run["family"], run["kind"], run["activations"])


def list_study_runs(study: StudyResults) -> list[NetworkRuns]:
    """List the runs of each network of a study, in the study's order."""
    return [select_network(study, name) for name in dict.fromkeys(run["network"] for run in study["runs"])]


def select_network(study: StudyResults, name: str) -> NetworkRuns:
    """Select a study's runs of one network."""
    top_1: Groups = {}
    top_5: Groups = {}
    runs = [run for run in study["runs"] if run["network"] == name]
    for run in runs:
        top_1.setdefault(row_of_run(run), {})[run["seed"]] = 100 * run["correct"] / run["images"]
        if run["top_5"] is not None:
            top_5.setdefault(row_of_run(run), {})[run["seed"]] = 100 * run["top_5"] / run["images"]
    stored_bits = {row_of_run(run): run["stored_bits"] for run in runs}
    starts = [start for start in study["start"] if start["network"] == name and "correct" in start]
    full_precision = 100 * starts[0]["correct"] / runs[0]["images"] if starts else None
    return NetworkRuns(name, top_1, top_5, stored_bits, full_precision, study["epochs"])


def take_trained_out(study: TrainedOut) -> NetworkRuns:
    """Take the rows of a record of networks trained out."""
    top_5: Groups = {}
    for run in study["rows"]:
        top_5.setdefault(row_of(run), {})[seed(run)] = 100 * run["top_5"] / run["images"]
    stored_bits = {row_of(run): run["stored_bits"] for run in study["rows"] if "stored_bits" in run}
    length, ceiling = epochs(study["rows"][0]), percent(study["ceiling"])
    return NetworkRuns(network(study), group_by_row(study["rows"]), top_5, stored_bits, ceiling, length)


def list_longer_runs(study: TrainedOut) -> list[NetworkRuns]:
    """List the runs of each length but the rows' own: the lines that have two seeds or more, without their top-5."""
    ceiling = percent(study["ceiling"])
    return [
        NetworkRuns(network(study), lines, {}, {}, ceiling, length)
        for length, lines in group_by_length(study).items()
        if length != epochs(study["rows"][0])
    ]
