"""Files of named tensors: safetensors, with the configuration and a digest of both in the header. Free of torch.

Reading one never executes code. The same contents give the same bytes: everything that is not a tensor is one metadata
entry, since safetensors writes several in random order.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from asq_model.common.errors import InputError, OtherFormat
from asq_model.common.files import check_file, format_canonical_json, parse_json, write_bytes


@dataclass(frozen=True)
class TensorFile:
    """A kind of safetensors file.

    title: what it is called in errors. format: the version that is written and read. megabytes: the most that is read.
    """

    title: str
    format: int
    megabytes: int

    def write(self, path: Path, tensors: dict[str, np.ndarray], config: Mapping[str, object]) -> str:
        """Write tensors and configuration (anything JSON holds), all or nothing; return their digest."""
        from safetensors.numpy import save

        contents = {"format": self.format, **config}
        digest = digest_contents(tensors, contents)
        write_bytes(path, save(tensors, {"config": format_canonical_json(contents | {"digest": digest})}))
        return digest

    def read(self, path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Read a file: (tensors, configuration with its `digest`).

        Raises InputError for a file missing, cut, edited or foreign.
        """
        tensors, config = self.read_unverified(path)
        return self.check_contents(path, tensors, config)

    def read_unverified(self, path: Path) -> tuple[dict[str, np.ndarray], object]:
        """Read any safetensors file: (tensors, whatever the header has as configuration). Raises InputError."""
        from safetensors import SafetensorError, safe_open

        if not path.exists():
            raise InputError(f"{self.title} {path} does not exist")
        check_file(path, self.title, self.megabytes)
        try:
            with safe_open(path, framework="numpy") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}
                metadata = file.metadata() or {}
        except (SafetensorError, OSError, ValueError, TypeError, AttributeError, KeyError, MemoryError) as error:
            # AttributeError: a type of number that numpy does not have
            reason = " ".join(str(error).split())
            raise InputError(
                f"{self.title} {path} is damaged or not a safetensors file of numpy's types: {reason}"
            ) from error
        return tensors, parse_json(metadata.get("config", "null"), f"the configuration in {self.title} {path}")

    def check_contents(
        self, path: Path, tensors: dict[str, np.ndarray], config: object
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return tensors and configuration. Raises InputError unless this program wrote them as they are."""
        if not isinstance(config, dict) or "digest" not in config:
            raise InputError(f"{self.title} {path} was not written by this program: its header has no configuration")
        if config.get("format") != self.format:
            stored_format = repr(config.get("format"))[:40]
            raise OtherFormat(f"{self.title} {path} has format {stored_format}; this program reads {self.format}")
        stored = config["digest"]
        if stored != digest_contents(tensors, {key: value for key, value in config.items() if key != "digest"}):
            raise InputError(f"{self.title} {path} was changed since it was written: its digest does not match")
        return tensors, config


def digest_contents(tensors: dict[str, np.ndarray], config: Mapping[str, object]) -> str:
    """Return the SHA-256 over the configuration and every tensor's name, type, shape and bytes."""
    total = hashlib.sha256(format_canonical_json(config).encode())
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        total.update(format_canonical_json([name, tensor.dtype.str, list(np.shape(tensors[name]))]).encode())
        total.update(tensor.tobytes())
    return total.hexdigest()
