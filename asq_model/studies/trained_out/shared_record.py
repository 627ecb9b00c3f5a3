"""Add runs to the record of networks trained out, to which other processes may add theirs meanwhile."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from asq_model.common.files import hold_lock
from asq_model.common.records import read_record, write_record
from asq_model.gpu.side_by_side import Finished
from asq_model.studies.trained_out.plan import PlannedRun, list_missing_runs
from asq_model.studies.trained_out.record import TRAINED_OUT, Session, percent, place_of
from asq_model.studies.trained_out.sessions import keep_run


@dataclass
class SharedRecord:
    """A record that several processes add to. Each has a session of its own there, from its first run on.

    session: of this process. place: where it stands in the record's list; None: not yet there.
    """

    path: Path
    session: Session
    place: int | None = None

    def add(self, finished: Finished[PlannedRun], checkpoints: Path, seconds: float) -> str:
        """Add a run, unless its training diverged or the record has it; return its accuracy, or why it is not kept.

        checkpoints: the folder that its checkpoint is written to. seconds: for which this process has had the device.
        """
        if not is_finite(finished.training.model):  # the runs behind it are no worse for that
            return "not kept, since its training diverged: it has values that are not finite"
        run = finished.job.what
        assert run.part != "ceiling"
        with hold_lock(self.path.with_name(f".{self.path.name}.lock")):
            study = read_record(self.path, TRAINED_OUT)
            if run.part != "repeats" and not list_missing_runs([run], study):
                return "not kept, since another process has added it to the record"
            if self.place is None:
                study["sessions"].append(self.session)
                self.place = len(study["sessions"]) - 1
            study["sessions"][self.place]["seconds"] = round(seconds, 1)
            trained = keep_run(finished, checkpoints, self.place, study["ceiling"]["correct"])
            study[run.part] = sorted([*study[run.part], trained], key=place_of)
            write_record(self.path, TRAINED_OUT, study)
        return f"{percent(trained):.2f} %"


def is_finite(model: nn.Module) -> bool:
    """Whether all that a network has learned is finite."""
    return all(bool(torch.isfinite(parameter).all()) for parameter in model.parameters())
