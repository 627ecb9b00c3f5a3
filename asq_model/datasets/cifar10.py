"""CIFAR-10 (Krizhevsky 2009) from the files of its own page, in the binary or in the Python layout.

The Python layout is pickles. They are read by an unpickler that knows three names, those that rebuild a numpy array,
and makes inert objects of them: whatever else a file asks for is refused, and nothing that a file names is ever called.
"""

import io
import pickle
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from asq_model.common.errors import InputError, shown
from asq_model.common.files import read_bytes
from asq_model.datasets.in_memory import MemorySplit

Reader = Callable[[Path], tuple[np.ndarray, np.ndarray]]  # of a batch: images and labels
BINARY, PYTHON = "cifar-10-batches-bin", "cifar-10-batches-py"
TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST = ("test_batch",)
CLASSES = 10
IMAGE = (3, 32, 32)
PIXELS = 3 * 32 * 32
RECORDS = 10_000  # per file
MEAN, DEVIATION = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)  # of the training images, per channel
LARGEST_MB = 40  # of a file: both layouts have 31 million bytes
LARGEST_LABEL = 1 << 31  # that a message shows
LARGEST_PICKLE = 1_000_000  # operations: the names and labels of 10,000 images take tens of thousands


def load_cifar10(folder: Path) -> tuple[MemorySplit, MemorySplit, int]:
    """Read CIFAR-10: (training set, test set, number of classes).

    `folder` holds one of the two layouts, or is that layout's own folder.

    Raises InputError for a file that is missing, cut, or whose labels are not 0 … 9.
    """
    folder = Path(folder)
    for name, read in ((BINARY, read_binary), (PYTHON, read_python)):
        for place in (folder / name, folder):
            if any((place / f"{TEST[0]}{suffix}").exists() for suffix in suffixes_of(name)):
                return read_split(place, TRAIN, read), read_split(place, TEST, read), CLASSES
    raise InputError(f"no CIFAR-10 in {folder}: neither {BINARY}/{TEST[0]}.bin nor {PYTHON}/{TEST[0]} is there")


def suffixes_of(layout: str) -> tuple[str, ...]:
    """The ends of the file names of a layout's batches."""
    return (".bin",) if layout == BINARY else ("",)


def read_split(folder: Path, names: tuple[str, ...], read: Reader) -> MemorySplit:
    """Read the batches of a split from their files."""
    parts = [read(folder / name) for name in names]
    images = torch.from_numpy(np.concatenate([images for images, _ in parts]))
    labels = torch.from_numpy(np.concatenate([labels for _, labels in parts]).astype(np.int64))
    return MemorySplit(images, labels, 255.0, MEAN, DEVIATION, shift=4, mirror=True)


def read_binary(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a batch of the binary layout: (images uint8 [10000, 3, 32, 32], labels uint8 [10000]).

    A record is one label byte and 3072 pixel bytes.
    """
    path = path.with_name(f"{path.name}.bin")
    contents = np.frombuffer(read_bytes(path, "CIFAR-10 batch", LARGEST_MB), np.uint8)
    expected = RECORDS * (1 + PIXELS)
    if contents.size != expected:
        raise InputError(f"{path} has {contents.size} bytes; a whole CIFAR-10 batch has {expected}")
    records = contents.reshape(RECORDS, 1 + PIXELS)
    return records[:, 1:].reshape(RECORDS, *IMAGE), check_labels(path, records[:, 0])


def read_python(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a batch of the Python layout: (images uint8 [10000, 3, 32, 32], labels int64 [10000]).

    The file is a pickled dictionary with `data` uint8 [10000, 3072] and a list of `labels`.
    """
    contents = read_bytes(path, "CIFAR-10 batch", LARGEST_MB)
    try:
        check_pickle(contents)
        batch = InertUnpickler(io.BytesIO(contents), encoding="bytes").load()
        pixels, labels = batch[b"data"].make_array(), batch[b"labels"]
        if not (
            isinstance(labels, list) and all(type(label) is int and abs(label) < LARGEST_LABEL for label in labels)
        ):
            raise ValueError("labels that are not a list of small integers")
        labels = np.array(labels)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except Exception as error:  # a damaged pickle can fail in any way; none of them runs its code
        raise InputError(f"{path} is damaged or no CIFAR-10 batch: {' '.join(repr(error).split())}") from error
    if pixels.shape != (RECORDS, PIXELS) or labels.shape != (RECORDS,):
        raise InputError(
            f"{path} has data {pixels.shape} and labels {labels.shape};"
            f" a CIFAR-10 batch has {(RECORDS, PIXELS)} and {(RECORDS,)}"
        )
    return pixels.reshape(RECORDS, *IMAGE), check_labels(path, labels)


def check_pickle(contents: bytes) -> None:
    """Raises ValueError for a pickle that would take far more memory than a batch.

    Such a pickle numbers what it remembers beyond its own length, or has too many operations.
    """
    for count, (operation, argument, _) in enumerate(pickletools.genops(contents)):
        if count > LARGEST_PICKLE:
            raise ValueError(f"more than {LARGEST_PICKLE:,} operations")
        if operation.name in ("PUT", "LONG_BINPUT") and argument is not None and argument > count:
            raise ValueError("a memory of objects that is larger than the file")


def check_labels(path: Path, labels: np.ndarray) -> np.ndarray:
    """Return the labels. Raises InputError for one that is no class of CIFAR-10."""
    wrong = np.flatnonzero((labels < 0) | (labels >= CLASSES))
    if wrong.size:
        raise InputError(f"{path} has label {labels[wrong[0]]} at image {wrong[0]}; allowed: 0 to {CLASSES - 1}")
    return labels


class InertType:
    """A stand-in for `numpy.dtype` that holds the type's name and does nothing."""

    def __init__(self, name: str | bytes = "", *_: object):
        self.name = name if isinstance(name, str) else bytes(name).decode("ascii")

    def __setstate__(self, state: object) -> None:
        """Ignore byte order and alignment, which bytes do not have."""


class InertArray:
    """A stand-in for `numpy.ndarray` and the function that makes an empty one: holds what a pickle says of it."""

    def __init__(self, *_: object):
        self.state: Any = None

    def __setstate__(self, state: object) -> None:
        self.state = state

    def make_array(self) -> np.ndarray:
        """Make the array of bytes, shape and type checked."""
        _, shape, kind, fortran, contents = self.state
        if kind.name != "u1" or fortran:
            raise ValueError(f"array of type {kind.name!r}")
        return np.frombuffer(contents, np.uint8).reshape(shape)


INERT = {
    **{(module, "_reconstruct"): InertArray for module in ("numpy.core.multiarray", "numpy._core.multiarray")},
    ("numpy", "ndarray"): InertArray,
    ("numpy", "dtype"): InertType,
}


class InertUnpickler(pickle.Unpickler):
    """An unpickler that makes numbers, strings, lists, dictionaries and inert arrays, and refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:
        """Find the inert class for a name in the file. Raises InputError for names that `INERT` does not have."""
        if (module, name) not in INERT:
            wanted = shown(f"{module}.{name}")
            raise InputError(f"{wanted} has no place in a CIFAR-10 batch; nothing of it is read")
        return INERT[module, name]
