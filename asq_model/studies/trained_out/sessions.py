"""What the record of networks trained out says of a use of a device, of its images, and of a run that ended there."""

import platform
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import cast

import torch

from asq_model.common.errors import InputError
from asq_model.common.result_schemas import RecipeRecord
from asq_model.config.fingerprints import find_versions
from asq_model.datasets import Dataset, MemorySplit
from asq_model.gpu.evaluation import adapters_of, count_weight_costs
from asq_model.gpu.side_by_side import Finished
from asq_model.studies.run_tables import find_commit
from asq_model.studies.trained_out.plan import PlannedRun
from asq_model.studies.trained_out.record import Session, Trained, TrainedOut
from asq_model.training.checkpoint_file import write_checkpoint
from asq_model.training.load import as_arrays
from asq_model.training.train import describe

PROGRAM = "asq-post trained-out"


def make_session(device: torch.device, commit: str, seconds: float) -> Session:
    """Describe this use of a device, after so many seconds of it."""
    name, used = name_processor(), find_versions("numpy") | {"torch": str(torch.__version__)}
    if device.type == "cuda":
        name = torch.cuda.get_device_name()
        used |= {"CUDA": str(torch.version.cuda), "cuDNN": str(torch.backends.cudnn.version())}
    return {
        "day": datetime.now(UTC).date().isoformat(),
        "device": name,
        "commit": commit or find_commit(),
        "program": PROGRAM,
        "versions": used,
        "seconds": round(seconds, 1),
    }


def name_processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The CPU's name, as Linux gives it, and how many threads torch has there; elsewhere its architecture."""
    threads = torch.get_num_threads()
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else platform.machine()}, {threads} thread{'s' if threads > 1 else ''}"


def digest_pixels(dataset: Dataset) -> dict[str, str]:
    """The SHA-256 of each split's images."""
    splits = {"train": dataset.train, "test": dataset.test}
    return {
        name: sha256(split.images.contiguous().numpy().tobytes()).hexdigest()
        for name, split in splits.items()
        if isinstance(split, MemorySplit)
    }


def check_images(study: TrainedOut, dataset: Dataset) -> None:
    """Raises InputError for images that are not those of the record."""
    for name, digest in digest_pixels(dataset).items():
        if digest != study["pixels"][name]:
            raise InputError(f"data_folder has other {name} images than the record: begin another", "data_folder")


def keep_run(finished: Finished[PlannedRun], folder: Path, session: int, ceiling: int | None) -> Trained:
    """Write a run's checkpoint; return what the record says of the run.

    session: the place of its session in the record. ceiling: how many images the network that it started from has
    right; None for a run that started from none.
    """
    training, recipe = finished.training, finished.job.recipe
    first, five, frozen = finished.counts
    config = describe(training.state, first if ceiling is None else ceiling)
    if recipe.quantised_epochs:
        config["quantised_correct"], config["quantised_top_5"] = first, five
    path = folder / f"{finished.job.what.name}.safetensors"
    trained: Trained = {
        "recipe": cast(RecipeRecord, asdict(recipe)),
        "correct": first,
        "images": len(training.images.test_labels),
        "top_5": five,
        "train_correct": finished.train_correct,
        "train_seen": training.state.steps * recipe.batch,
        "seconds": round(finished.seconds, 2),
        "session": session,
        "digest": write_checkpoint(path, as_arrays(training.model.state_dict()), config),
    }
    if recipe.quantised_epochs:
        costs = count_weight_costs(training.model)
        trained["weights"], trained["zeros"], trained["terms"] = costs["weights"], costs["zeros"], costs["terms"]
        trained["stored_bits"] = recipe.layer.stored_bits
    if adapters_of(training.model):
        trained["frozen"] = frozen
    return trained
