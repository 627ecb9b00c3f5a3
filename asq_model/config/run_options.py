"""Where a training run gets its images and does its work; none of it is meant to change the result."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunOptions:
    """What a training run is told beside its recipe.

    data_folder: where the images lie; None for the digits. device: `cpu` or `cuda`.
    start: a full-precision checkpoint, or any safetensors file with the network's parameter names, to start from.
    log: a folder for TensorBoard files.
    workers: processes that decode an image folder's images, per training process.
    """

    data_folder: Path | None = None
    start: Path | None = None
    device: str = "cpu"
    log: Path | None = None
    workers: int = 2


DEFAULT_RUN = RunOptions()
