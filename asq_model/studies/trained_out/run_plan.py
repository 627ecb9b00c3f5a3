"""Do the runs of a plan that the record of networks trained out does not have yet, and add each to the record.

A killed run of the program loses the trainings under way; those that ended are in the record. Several processes may add
to one record, each by a plan of its own.
"""

import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch

from asq_model.common.cifar10_copy import digest_labels
from asq_model.common.errors import InputError
from asq_model.common.progress import SILENT, Bar
from asq_model.common.records import read_record, write_record
from asq_model.cpu.compiled_functions import compiled_functions
from asq_model.datasets import load_dataset
from asq_model.gpu.device_images import DeviceImages
from asq_model.gpu.device_queue import find_training_device
from asq_model.gpu.side_by_side import Job, train_side_by_side
from asq_model.studies.trained_out.plan import PlannedRun, list_missing_runs, read_plan
from asq_model.studies.trained_out.record import TRAINED_OUT, TrainedOut, network, percent
from asq_model.studies.trained_out.sessions import check_images, digest_pixels, keep_run, make_session
from asq_model.studies.trained_out.shared_record import SharedRecord
from asq_model.training.checkpoint_file import read_tensors


@dataclass(frozen=True)
class RunOptions:
    """How runs are done, and where they are kept.

    results: the record. checkpoints: the folder of theirs. start: the ceiling's checkpoint; None: the one in that
    folder. side_by_side: how many runs share the device. seconds: no run is begun that would not end within them.
    commit: of the program; empty: what git says.
    """

    data_folder: Path | None
    results: Path
    checkpoints: Path
    start: Path | None = None
    device: str = "cuda"
    side_by_side: int = 10
    seconds: float = float("inf")
    commit: str = ""


def run_plan(path: Path, options: RunOptions, bar: Bar = SILENT) -> Iterator[str]:
    """Do what is missing of a plan; yield a line on each run that is done. bar: counts epochs. Raises InputError."""
    begun, device, plan = time.monotonic(), find_training_device(options.device), read_plan(path)
    study = read_record(options.results, TRAINED_OUT) if options.results.exists() else None
    if study is not None and network(study) != plan[0].recipe.network:
        has = f"{options.results} is the record of {network(study)}"
        raise InputError(
            f"plan {path} is for {plan[0].recipe.network}, but {has}; allowed: a record of its own", "plan"
        )
    start = find_start(study, plan[0], options)
    images = DeviceImages(load_dataset(plan[0].recipe.data, options.data_folder), device)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS takes for itself is the same in each run
    with use_fast_kernels(device):
        if study is None:
            study = train_ceiling(plan[0], images, options, bar)
            write_record(options.results, TRAINED_OUT, study)
            record = SharedRecord(options.results, study["sessions"][0], 0)
            yield f"ceiling: {percent(study['ceiling']):.2f} %"
        else:
            check_images(study, images.dataset)
            record = SharedRecord(options.results, make_session(device, options.commit, 1))
        jobs = [Job(run, run.recipe, start) for run in list_missing_runs(plan, study)]
        seconds, number = options.seconds - (time.monotonic() - begun), 0
        for number, finished in enumerate(train_side_by_side(jobs, images, options.side_by_side, seconds, bar), 1):
            run = finished.job.what
            what = f"{run.key.part} {run.key.row.precision} {run.key.row.label}, {run.key.epochs} epochs"
            outcome = record.add(finished, options.checkpoints, time.monotonic() - begun)
            yield f"{number} of {len(jobs)}: {what}, seed {run.key.seed}: {outcome}"
        if number < len(jobs):
            yield f"{len(jobs) - number} runs are left for want of time"


def use_fast_kernels(device: torch.device) -> AbstractContextManager[object]:
    """Have quantisers compute by one kernel each, inside a `with`; on a GPU, let cuDNN choose its algorithms."""
    if device.type != "cuda":
        return compiled_functions()
    from asq_model.gpu.fused_functions import fused_functions

    torch.backends.cudnn.benchmark = True
    return fused_functions()


def find_start(study: TrainedOut | None, ceiling: PlannedRun, options: RunOptions) -> Path:
    """Find the checkpoint of the record's ceiling, or where it will be. Raises InputError where there is another."""
    trained_here = options.checkpoints / f"{ceiling.name}.safetensors"
    if study is None:
        if options.start is not None:
            raise InputError(
                f"start is given, but {options.results} is not there: its ceiling is trained first", "start"
            )
        return trained_here
    wanted = study["ceiling"]["digest"]
    if options.start is None and not trained_here.exists():
        raise InputError(
            f"start is needed, the checkpoint with digest {wanted[:12]} that {options.results} has", "start"
        )
    path = options.start or trained_here
    digest = read_tensors(path)[1]
    if digest != wanted:
        raise InputError(f"start has digest {digest[:12]}; {options.results} starts from {wanted[:12]}", "start")
    return path


def train_ceiling(run: PlannedRun, images: DeviceImages, options: RunOptions, bar: Bar) -> TrainedOut:
    """Train in full precision what all runs start from; return a new record with it."""
    begun = time.monotonic()
    (finished,) = train_side_by_side([Job(run, run.recipe)], images, 1, bar=bar)
    return {
        "sessions": [make_session(images.device, options.commit, time.monotonic() - begun)],
        "pixels": digest_pixels(images.dataset),
        "data": digest_labels(images.test_labels.cpu().numpy()),
        "trials": [],
        "ceiling": keep_run(finished, options.checkpoints, 0, None),
        "control": [],
        "rows": [],
        "curve": [],
        "repeats": [],
        "step_ms": {},
        "agreement": {},
    }
