"""Checkpoints: one safetensors file with the tensors and, in its header, the configuration and a digest of both.

Reading one never executes code, and needs no torch. The same contents give the same bytes: everything that is not
a tensor is one metadata entry, since safetensors writes several in random order.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from asq_model.common.errors import InputError, OtherFormat
from asq_model.common.files import atomic_write, canonical_json, check_file, parsed_json

LARGEST_MB = 2048  # of a file; the largest network here has 90
FORMAT = 2  # 2: networks by name, a configuration per layer


def digest(tensors: dict[str, np.ndarray], config: dict[str, Any]) -> str:
    """The SHA-256 over the configuration and every tensor's name, type, shape and bytes."""
    total = hashlib.sha256(canonical_json(config).encode())
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        total.update(canonical_json([name, tensor.dtype.str, list(np.shape(tensors[name]))]).encode())
        total.update(tensor.tobytes())
    return total.hexdigest()


def write_checkpoint(path: Path, tensors: dict[str, np.ndarray], config: dict[str, Any]) -> str:
    """Write tensors and configuration (anything JSON holds), all or nothing; return their digest."""
    from safetensors.numpy import save

    config = {"format": FORMAT} | config
    config["digest"] = digest(tensors, config)
    contents = save(tensors, {"config": canonical_json(config)})
    atomic_write(path, lambda temporary: temporary.write_bytes(contents))
    return config["digest"]


def read_tensors(path: Path) -> tuple[dict[str, np.ndarray], str]:
    """Read the tensors of a checkpoint of this program, or of any safetensors file, and their digest.

    Of a file from elsewhere the digest is of its tensors alone.
    """
    tensors, config = read_file(path)
    if config is None:
        return tensors, digest(tensors, {})
    tensors, checked = check_contents(path, tensors, config)
    return tensors, checked["digest"]


def read_checkpoint(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read a checkpoint: (tensors, configuration with its `digest`).

    Raises InputError for a file missing, cut, edited or foreign.
    """
    tensors, config = read_file(path)
    return check_contents(path, tensors, config)


def read_file(path: Path) -> tuple[dict[str, np.ndarray], object]:
    """Read a safetensors file, unverified: (tensors, whatever the header has as configuration)."""
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        raise InputError(f"checkpoint {path} does not exist")
    check_file(path, "checkpoint", LARGEST_MB)
    try:
        with safe_open(path, framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
            metadata = file.metadata() or {}
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError, KeyError, MemoryError) as error:
        # AttributeError: a type of number that numpy does not have
        reason = " ".join(str(error).split())
        raise InputError(
            f"checkpoint {path} is damaged or not a safetensors file of numpy's types: {reason}"
        ) from error
    return tensors, parsed_json(metadata.get("config", "null"), f"the configuration in checkpoint {path}")


def check_contents(
    path: Path, tensors: dict[str, np.ndarray], config: object
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The tensors and the configuration. Raises InputError unless this program wrote them and the digest is theirs."""
    if not isinstance(config, dict) or "digest" not in config:
        raise InputError(f"checkpoint {path} was not written by this program: its header has no configuration")
    if config.get("format") != FORMAT:
        stored_format = repr(config.get("format"))[:40]
        raise OtherFormat(f"checkpoint {path} has format {stored_format}; this program reads {FORMAT}")
    stored = config["digest"]
    if stored != digest(tensors, {key: value for key, value in config.items() if key != "digest"}):
        raise InputError(f"checkpoint {path} was changed since it was written: its digest does not match")
    return tensors, config
