"""Do the runs of a plan that the record of networks trained out does not have yet, and add each to the record.

A killed run of the program loses the trainings under way; those that ended are in the record.
"""

import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch

from asq_model.common.cifar10_copy import labels_digest
from asq_model.common.errors import InputError
from asq_model.common.records import read_record, write_record
from asq_model.cpu.compiled_functions import compiled_functions
from asq_model.datasets import load_dataset
from asq_model.gpu.device_images import DeviceImages
from asq_model.gpu.device_queue import training_device
from asq_model.gpu.side_by_side import Job, train_side_by_side
from asq_model.studies.trained_out import TRAINED_OUT, Trained, TrainedOut, percent, place
from asq_model.studies.trained_out_plan import PlannedRun, missing_runs, read_plan
from asq_model.studies.trained_out_sessions import check_images, digest_pixels, keep_run, make_session
from asq_model.training.checkpoint_file import read_tensors


@dataclass(frozen=True)
class Queue:
    """How runs are done. checkpoints: a folder; start: the ceiling's checkpoint; seconds: after which no run ends."""

    data_folder: Path | None
    results: Path
    checkpoints: Path
    start: Path | None = None
    device: str = "cuda"
    side_by_side: int = 10
    seconds: float = float("inf")
    commit: str = ""


def run_plan(path: Path, queue: Queue) -> Iterator[str]:
    """Do what is missing of a plan; yield a line on each run that is done. Raises InputError."""
    begun, device, plan = time.monotonic(), training_device(queue.device), read_plan(path)
    study = read_record(queue.results, TRAINED_OUT) if queue.results.exists() else None
    start = find_start(study, plan[0], queue)
    images = DeviceImages(load_dataset(plan[0].recipe.data, queue.data_folder), device)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS takes for itself is the same in each run
    with fused_on(device):
        if study is None:
            study = train_ceiling(plan[0], images, queue)
            write_record(queue.results, TRAINED_OUT, study)
            yield f"ceiling: {percent(study['ceiling']):.2f} %"
        else:
            check_images(study, images.dataset)
            study["sessions"].append(make_session(device, queue.commit, 1))
        jobs = [Job(run, run.recipe, start) for run in missing_runs(plan, study)]
        seconds, number = queue.seconds - (time.monotonic() - begun), 0
        for number, finished in enumerate(train_side_by_side(jobs, images, queue.side_by_side, seconds), 1):
            run, session = finished.job.what, len(study["sessions"]) - 1
            trained = keep_run(finished, queue.checkpoints, session, study["ceiling"]["correct"])
            add_run(study, run, trained)
            study["sessions"][session]["seconds"] = round(time.monotonic() - begun, 1)
            write_record(queue.results, TRAINED_OUT, study)
            what = f"{run.key.part} {run.key.row.precision} {run.key.row.label}, {run.key.epochs} epochs"
            yield f"{number} of {len(jobs)}: {what}, seed {run.key.seed}: {percent(trained):.2f} %"
        if number < len(jobs):
            yield f"{len(jobs) - number} runs are left for want of time"


def fused_on(device: torch.device) -> AbstractContextManager[object]:
    """Have quantisers compute by one kernel each; on a GPU, let cuDNN choose the fastest algorithms."""
    if device.type != "cuda":
        return compiled_functions()
    from asq_model.gpu.fused_functions import fused_functions

    torch.backends.cudnn.benchmark = True
    return fused_functions()


def find_start(study: TrainedOut | None, ceiling: PlannedRun, queue: Queue) -> Path:
    """The checkpoint of the record's ceiling, or where it will be. Raises InputError where there is another."""
    trained_here = queue.checkpoints / f"{ceiling.name}.safetensors"
    if study is None:
        if queue.start is not None:
            raise InputError(f"start is given, but {queue.results} is not there: its ceiling is trained first", "start")
        return trained_here
    wanted = study["ceiling"]["digest"]
    if queue.start is None and not trained_here.exists():
        raise InputError(f"start is needed, the checkpoint with digest {wanted[:12]} that {queue.results} has", "start")
    path = queue.start or trained_here
    digest = read_tensors(path)[1]
    if digest != wanted:
        raise InputError(f"start has digest {digest[:12]}; {queue.results} starts from {wanted[:12]}", "start")
    return path


def train_ceiling(run: PlannedRun, images: DeviceImages, queue: Queue) -> TrainedOut:
    """Train in full precision what all runs start from; a new record with it."""
    begun = time.monotonic()
    (finished,) = train_side_by_side([Job(run, run.recipe)], images, 1)
    return {
        "sessions": [make_session(images.device, queue.commit, time.monotonic() - begun)],
        "pixels": digest_pixels(images.dataset),
        "data": labels_digest(images.test_labels.cpu().numpy()),
        "trials": [],
        "ceiling": keep_run(finished, queue.checkpoints, 0, None),
        "control": [],
        "rows": [],
        "curve": [],
        "repeats": [],
        "step_ms": {},
        "agreement": {},
    }


def add_run(study: TrainedOut, run: PlannedRun, trained: Trained) -> None:
    """Put a run into its part of the record, where its line stands."""
    assert run.part != "ceiling"
    study[run.part] = sorted([*study[run.part], trained], key=place)
