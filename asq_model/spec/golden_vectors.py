"""Golden vectors on disk: reading them with every hash checked, and writing them. Format: docs/golden-vectors.md.

A folder with one `.npz` per layer and a `manifest.json`. Free of torch, since test benches read it.
"""

import hashlib
import io
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from asq_model.common.errors import InputError, OtherFormat
from asq_model.common.files import (
    fingerprint,
    hash_file,
    read_bytes,
    read_json,
    reported_os_errors,
    write_atomically,
    write_json,
)
from asq_model.spec.golden_arrays import ARRAYS_MB, check_layer_arrays, check_maps_arrays, unpack_arrays
from asq_model.spec.golden_checks import parse_manifest
from asq_model.spec.golden_manifest import (
    GraphFile,
    LayerEntry,
    LayerFile,
    Manifest,
    MapsEntry,
    spec_of,
)
from asq_model.spec.levels import LevelSet
from asq_model.spec.mac import MacSpec

FORMAT = 3  # 3: feature maps; 2: `activations`, and int8 codes where they are signed
MANIFEST = "manifest.json"
GRAPH_FILE: Final = "graph.safetensors"  # the network in integers, beside its vectors
MANIFEST_MB, FILE_MB = 64, ARRAYS_MB
Arrays = dict[str, np.ndarray]
Entry = TypeVar("Entry", LayerEntry, MapsEntry)


@dataclass(frozen=True)
class GoldenLayer:
    """One layer's vectors. V vectors of N terms, from a layer of C output channels.

    `arrays`: `activations` uint8 [V, N] (int8 where the layer's are signed), `channels` int64 [V], `images`,
    `positions` int64 [V], `steps` float64 [V], `torch` float64 [V]; per level set `codes_<set>` uint8 [C, N] and
    `scales_<set>` float64 [C]; per unit `expected_<unit name>` int64 [V].
    """

    name: str
    entry: LayerEntry
    arrays: dict[str, np.ndarray]

    @property
    def activations(self) -> np.ndarray:
        """Activation values, int [V, N]."""
        return self.arrays["activations"]

    @property
    def channels(self) -> np.ndarray:
        """The output channel of each vector, int64 [V]."""
        return self.arrays["channels"]

    def has(self, spec: MacSpec) -> bool:
        """Whether results of that unit are stored."""
        return spec.name in self.entry["units"]

    def fits(self, spec: MacSpec) -> bool:
        """Whether the layer's operands are those of a unit."""
        widths = spec.weight_bits, spec.activation_bits
        signed = any(unit["spec"]["signed_activation"] for unit in self.entry["units"].values())
        return (self.entry["weight_bits"], self.entry["activation_bits"]) == widths and spec.signed_activation == signed

    @property
    def trained(self) -> LevelSet:
        """The level set that the layer's weights were trained with."""
        units = self.entry["units"].values()
        return next(spec_of(unit).level_set for unit in units if unit["level_set"] == self.entry["level_set"])

    def codes(self, levels: LevelSet) -> np.ndarray:
        """Weight codes, int [C, N]: those stored for a level set, else those nearest to the trained weights.

        The largest level of one set is laid on the largest of the other.
        """
        if f"codes_{levels.name}" in self.arrays:
            return self.arrays[f"codes_{levels.name}"]
        trained = self.trained
        weights = trained.values[self.arrays[f"codes_{trained.name}"]] / trained.level_unit
        return levels.codes[levels.find_nearest(weights)]

    def expected(self, spec: MacSpec) -> np.ndarray:
        """The stored results of a unit, int64 [V]."""
        return self.arrays[f"expected_{spec.name}"]


def write_layer(folder: Path, name: str, arrays: dict[str, np.ndarray]) -> LayerFile:
    """Write a layer's arrays, the same bytes for the same arrays; return the manifest's entry for the file."""
    path = folder / f"{name}.npz"

    def write(temporary: Path) -> None:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            for key in sorted(arrays):
                buffer = io.BytesIO()
                np.lib.format.write_array(buffer, np.ascontiguousarray(arrays[key]), allow_pickle=False)
                archive.writestr(zipfile.ZipInfo(f"{key}.npy"), buffer.getvalue(), zipfile.ZIP_DEFLATED)

    write_atomically(path, write)
    return {"file": path.name, "sha256": hash_file(path)}


def digest_manifest(manifest: Mapping[str, object]) -> str:
    """Return the SHA-256 over everything in the manifest but the digest itself."""
    return fingerprint({key: value for key, value in manifest.items() if key != "digest"})


def invalidate(folder: Path) -> None:
    """Take the manifest away before layers are written anew: a killed export leaves no folder that looks edited."""
    with reported_os_errors("replace", folder / MANIFEST):
        (folder / MANIFEST).unlink(missing_ok=True)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, last of all: it is what makes the folder valid.

    Raises InputError for one that could not be read again.
    """
    try:
        parse_manifest(manifest)
    except InputError as error:
        raise InputError(f"golden manifest {folder / MANIFEST} cannot be written: {error}") from error
    write_json(folder / MANIFEST, {**manifest, "digest": digest_manifest(manifest)})


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest, its digest and all that it says checked.

    Raises InputError when it is missing, edited or of another format.
    """
    path = folder / MANIFEST
    if not os.path.lexists(folder):
        raise InputError(f"cannot read golden manifest {path}: no such folder; `asq-post export` writes one")
    manifest = read_json(path, "golden manifest", MANIFEST_MB)
    if manifest.get("format") != FORMAT:
        found = repr(manifest.get("format"))[:40]
        raise OtherFormat(f"golden manifest {path} has format {found}; this program reads {FORMAT}")
    if manifest.get("digest") != digest_manifest(manifest):
        raise InputError(f"golden manifest {path} was changed since it was exported: its digest does not match")
    try:
        return parse_manifest(manifest)
    except InputError as error:
        raise InputError(f"golden manifest {path} cannot be used: {error}") from error


def read_checked_bytes(folder: Path, entry: LayerFile | GraphFile) -> bytes:
    """Read a file's contents. Raises InputError for one that is missing or not the one that was exported."""
    path = folder / entry["file"]
    if not path.is_file():
        raise InputError(f"golden file {path} is missing; export the golden vectors again")
    contents = read_bytes(path, "golden file", FILE_MB)
    found = hashlib.sha256(contents).hexdigest()
    if found != entry["sha256"]:
        raise InputError(
            f"golden file {path} was changed since it was exported: SHA-256 is {found[:12]}…, the manifest says"
            f" {entry['sha256'][:12]}…"
        )
    return contents


def check_files(folder: Path, manifest: Manifest) -> None:
    """Raises InputError for a file that is missing or not the one that was exported."""
    for entry in [*manifest["layers"], *manifest["maps"]]:
        read_checked_bytes(folder, entry)
    if "graph" in manifest:
        read_checked_bytes(folder, manifest["graph"])


def read_arrays(folder: Path, entry: Entry, check: Callable[[Entry, Arrays], None]) -> Arrays:
    """Read a file's arrays, which `check` compares with the manifest's entry. Raises InputError, naming the file."""
    contents = read_checked_bytes(folder, entry)
    try:
        arrays = unpack_arrays(contents)
        check(entry, arrays)
    except InputError as error:
        raise InputError(f"golden file {folder / entry['file']} cannot be used: {error}") from error
    return arrays


def read_golden(folder: Path) -> Iterator[GoldenLayer]:
    """Yield every layer in order, all hashes checked first. Raises InputError."""
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    for entry in manifest["layers"]:
        yield GoldenLayer(entry["name"], entry, read_arrays(folder, entry, check_layer_arrays))


@dataclass(frozen=True)
class GoldenMaps:
    """One layer's feature maps: arrays and manifest entry as in docs/golden-vectors.md."""

    name: str
    entry: MapsEntry
    arrays: dict[str, np.ndarray]


def read_maps(folder: Path) -> Iterator[GoldenMaps]:
    """Yield every layer's maps in order, all hashes checked first. Raises InputError."""
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    for entry in manifest["maps"]:
        yield GoldenMaps(entry["name"], entry, read_arrays(folder, entry, check_maps_arrays))
