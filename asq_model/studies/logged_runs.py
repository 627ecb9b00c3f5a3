"""Every training that a committed record holds: what was trained, for how long, on which device, by which commit.

A field that a record does not have is None. Free of torch.
"""

from collections.abc import Iterator
from typing import NamedTuple

from asq_model.common.result_schemas import StudyResults
from asq_model.studies.method_names import name_network
from asq_model.studies.paper_tables import TABLES
from asq_model.studies.table_runs import row_of_run
from asq_model.studies.trained_out.record import TrainedOut, Trial, epochs, row_of, seed


class LoggedRun(NamedTuple):
    """One training of a record. seconds: how long it took on a device, with others beside it."""

    part: str
    network: str
    row: str
    seed: int
    epochs: int
    right: str
    seconds: float | None = None
    day: str | None = None
    device: str | None = None
    commit: str | None = None
    checkpoint: str | None = None


class Log(NamedTuple):
    """The trainings of a record. held: for how many seconds devices were held, None where that was not kept."""

    runs: list[LoggedRun]
    held: float | None


FIELDS = ("seconds", "day", "device", "commit", "checkpoint")  # that a record may lack
PARTS = ("control", "rows", "curve", "repeats")


def list_runs_trained_out(study: TrainedOut) -> Iterator[LoggedRun]:
    """Yield the trainings of a record of `trained-out`, those that chose the recipes first."""
    for trial in study["trials"]:
        yield describe_trial("trials", trial)
    parts = [("ceiling", study["ceiling"])]
    parts += [(part, run) for part in PARTS for run in study[part]]  # type: ignore[literal-required]
    for part, run in parts:
        session = study["sessions"][run["session"]]
        yield describe_trial(part, run)._replace(
            seconds=run["seconds"],
            day=session["day"],
            device=session["device"],
            commit=session["commit"],
            checkpoint=run["digest"][:12],
        )


def describe_trial(part: str, run: Trial) -> LoggedRun:
    """Describe what every training of such a record has."""
    row, recipe = row_of(run), run["recipe"]
    name = f"{row.precision} {row.label}" if recipe["quantised_epochs"] else "full precision"
    network = name_network(recipe["network"])
    return LoggedRun(part, network, name, seed(run), epochs(run), f"{run['correct']} of {run['images']}")


def list_runs_of_tables(study: StudyResults) -> Iterator[LoggedRun]:
    """Yield the trainings of a record of `reproduce`, the full-precision networks that it started from first."""
    for start in study["start"]:
        if "recipe" in start:
            recipe, right = start["recipe"], f"{start['correct']} of {study['runs'][0]['images']}"
            length = recipe["full_precision_epochs"] + recipe["quantised_epochs"]
            network = name_network(start["network"])
            run = LoggedRun("start", network, "full precision", recipe["seed"], length, right)
            yield run._replace(checkpoint=start["digest"][:12])
    part = TABLES[study["table"]].title.partition(":")[0]
    for trained in study["runs"]:
        row = row_of_run(trained)
        right = f"{trained['correct']} of {trained['images']}"
        network = name_network(trained["network"])
        run = LoggedRun(part, network, f"{row.precision} {row.label}", trained["seed"], study["epochs"], right)
        yield run._replace(commit=study["commit"], checkpoint=trained["digest"][:12])
