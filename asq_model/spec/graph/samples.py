"""Test images of a graph in a file: what it is given, and the right classes. Simulation reads it without torch."""

from pathlib import Path

import numpy as np

from asq_model.common.errors import InputError
from asq_model.common.tensor_file import TensorFile
from asq_model.spec.graph.elementwise import Input

SAMPLES_FILE = "images.safetensors"  # beside the graph
SAMPLES = TensorFile("test images", 1, megabytes=2048)


def write_samples(path: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """Write images, uint8 or int64 [N, C, H, W], and their classes, int64 [N], to a file, all or nothing."""
    SAMPLES.write(path, {"images": images, "labels": labels}, {})


def read_samples(path: Path, given: Input) -> tuple[np.ndarray, np.ndarray]:
    """Read the images and their classes. Raises InputError for a damaged file, or one that is not for this input."""
    arrays, _ = SAMPLES.read(path)
    images, labels = arrays.get("images"), arrays.get("labels")
    if images is None or labels is None or images.ndim != 4 or len(images) == 0 or labels.shape != images.shape[:1]:
        raise InputError(f"test images {path} have no images [N, C, H, W] and labels [N]")
    kind = "uint8" if given.table is not None else "int64"
    if images.shape[1:] != given.shape or images.dtype != kind or labels.dtype != np.int64:
        raise InputError(
            f"test images {path} are {images.dtype} {list(images.shape[1:])}; allowed: {kind} {list(given.shape)}"
        )
    return images, labels
