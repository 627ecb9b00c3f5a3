"""Checkpoints: one file with the tensors of a network or a training run, and what it was trained with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from asq_model.common.tensor_file import TensorFile, digest_contents

LARGEST_MB = 2048  # of a file; the largest network here has 90
FORMAT = 2  # 2: networks by name, a configuration per layer
CHECKPOINT = TensorFile("checkpoint", FORMAT, LARGEST_MB)


def write_checkpoint(path: Path, tensors: dict[str, np.ndarray], config: Mapping[str, object]) -> str:
    """Write tensors and configuration (anything JSON holds), all or nothing; return their digest."""
    return CHECKPOINT.write(path, tensors, config)


def read_checkpoint(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read a checkpoint: (tensors, configuration with its `digest`).

    Raises InputError for a file missing, cut, edited or foreign.
    """
    return CHECKPOINT.read(path)


def read_tensors(path: Path) -> tuple[dict[str, np.ndarray], str]:
    """Read the tensors of a checkpoint of this program, or of any safetensors file, and their digest.

    The digest of a file from elsewhere is over its tensors alone. Raises InputError for one that is damaged or edited.
    """
    tensors, config = CHECKPOINT.read_unverified(path)
    if config is None:
        return tensors, digest_contents(tensors, {})
    tensors, checked = CHECKPOINT.check_contents(path, tensors, config)
    return tensors, checked["digest"]
