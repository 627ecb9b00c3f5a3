"""Images to train and test on: the digits that are built in, CIFAR-10 in either of its layouts, a folder of images.

A dataset has a training and a test split, and a split gives batches: `split.batches(order, batch, generator)` yields
(images float32 [n, C, H, W], labels int64 [n]) of this process's part of each batch, augmented if there is a generator.
"""

from dataclasses import dataclass
from pathlib import Path

from asq_model.common.errors import InputError, check_choice
from asq_model.config.recipe import DATASETS
from asq_model.datasets.cifar10 import load_cifar10
from asq_model.datasets.digits import load_digits
from asq_model.datasets.image_folder import FolderSplit, load_folder
from asq_model.datasets.in_memory import MemorySplit

Split = MemorySplit | FolderSplit


@dataclass(frozen=True)
class Dataset:
    """`train` and `test`, and how many classes their labels count."""

    train: Split
    test: Split
    classes: int


def load_dataset(name: str, data_folder: Path | None = None, workers: int = 2) -> Dataset:
    """Load a dataset by its name; `workers` processes decode an image folder's images.

    Raises InputError for an unknown name, and for files missing, cut or mislabelled.
    """
    check_choice("dataset", name, DATASETS)
    if name == "digits":
        if data_folder is not None:
            why = "the digits come with scikit-learn; leave it out"
            raise InputError(f"data_folder is {data_folder}, but {why}", "data_folder")
        return Dataset(*load_digits())
    if data_folder is None:
        raise InputError(f"dataset {name} needs data_folder, the folder that it lies in", "data_folder")
    return Dataset(*(load_cifar10(data_folder) if name == "cifar10" else load_folder(data_folder, workers=workers)))


def load_in_memory(name: str, data_folder: Path | None = None) -> tuple[MemorySplit, MemorySplit]:
    """Load the training and the test set of a dataset of small images. Raises InputError for one that is decoded."""
    dataset = load_dataset(name, data_folder)
    if not isinstance(dataset.train, MemorySplit) or not isinstance(dataset.test, MemorySplit):
        raise InputError(f"dataset is {name}; allowed here: digits, cifar10")
    return dataset.train, dataset.test


__all__ = ["Dataset", "FolderSplit", "MemorySplit", "Split", "load_dataset", "load_in_memory"]
