"""ImageNet, or any images in one folder per class: `train/<class>/*` and `val/<class>/*`.

Images are decoded when a batch needs them, by worker processes that stay a few batches ahead: memory does not grow
with the dataset. Each image's augmentation has a seed of its own, so the workers' number and speed change nothing.
"""

import math
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from asq_model.common.errors import InputError
from asq_model.common.files import reported_os_errors
from asq_model.datasets.image_file import SUFFIXES, read_image
from asq_model.distributed import rank, world_size

MEAN = (0.485, 0.456, 0.406)  # of ImageNet's training images, per channel
DEVIATION = (0.229, 0.224, 0.225)
CROP = 224
SHORT_SIDE = 256  # what a test image is resized to before its centre is cut out


@dataclass(frozen=True)
class FolderSplit:
    """Names (bytes, relative to `folder`) and labels int64 [N] of a split's images; a network sees crop × crop pixels.

    Names are one array, not a million objects whose reference counts would unshare the workers' memory.
    """

    folder: Path
    names: np.ndarray
    labels: Tensor
    crop: int
    workers: int

    def __len__(self) -> int:
        return len(self.names)

    def select(self, indices: Tensor) -> "FolderSplit":
        """Take the images with these indices."""
        return replace(self, names=self.names[indices.numpy()], labels=self.labels[indices])

    def path(self, index: int) -> Path:
        """Where the image with that index lies."""
        return self.folder / os.fsdecode(self.names[index])

    def image(self, index: int) -> Tensor:
        """One image as a network sees it, float32 [C, H, W], not augmented. Raises InputError if it cannot be read."""
        item = _Images(self, None)[index]
        if isinstance(item, InputError):
            raise item
        return item[0]

    def batches(self, order: Tensor, batch: int, generator: torch.Generator | None) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield batches of images and labels, see `asq_model.datasets`."""
        seed = None if generator is None else int(torch.randint(1 << 62, (), generator=generator))
        mine = [part[rank() :: world_size()].tolist() for part in order.split(batch)]
        images = _Images(self, seed)
        loader = DataLoader(
            images,
            batch_sampler=[part for part in mine if part],
            num_workers=self.workers,
            collate_fn=stack_items,
            generator=torch.Generator().manual_seed(0),  # or the loader draws from torch's global one
        )
        for item in loader:
            if isinstance(item, InputError):
                raise item
            yield item


@dataclass(frozen=True)
class _Images(torch.utils.data.Dataset[tuple[Tensor, Tensor] | InputError]):
    """The images and labels that the loader's workers fetch, augmented from `seed` and the index unless it is None."""

    split: FolderSplit
    seed: int | None

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor] | InputError:
        """One image and its label, or the error of an image that cannot be read.

        The error is an item too: raised in a worker, it would lose its one line.
        """
        path, crop = self.split.path(index), self.split.crop
        try:
            image = read_image(path)
        except InputError as error:
            return error
        if self.seed is None:
            image = crop_centre(image, crop)
        else:
            image = crop_at_random(image, crop, random.Random(f"{self.seed} {index}"))
        pixels = torch.from_numpy(np.array(image, np.float32)).permute(2, 0, 1) / 255
        mean, deviation = (torch.tensor(values).view(-1, 1, 1) for values in (MEAN, DEVIATION))
        return (pixels - mean) / deviation, self.split.labels[index]


def stack_items(items: list[tuple[Tensor, Tensor] | InputError]) -> tuple[Tensor, Tensor] | InputError:
    """Make a batch of items, or return the first error among them."""
    images, labels = [], []
    for item in items:
        if isinstance(item, InputError):
            return item
        images.append(item[0])
        labels.append(item[1])
    return torch.stack(images), torch.stack(labels)


def crop_centre(image: Image.Image, crop: int) -> Image.Image:
    """Resize an image to a short side of 256/224 of the crop, and cut out its centre."""
    short = crop * SHORT_SIDE / CROP
    scale = short / min(image.size)
    edge = crop / scale
    left, top = (image.width - edge) / 2, (image.height - edge) / 2
    return image.resize((crop, crop), Image.Resampling.BILINEAR, (left, top, left + edge, top + edge))


def crop_at_random(image: Image.Image, crop: int, chance: random.Random) -> Image.Image:
    """Cut out a random part of an image: 8 to 100 % of the area, sides 3:4 to 4:3; resize it, mirror half of them."""
    width, height = image.size
    for _ in range(10):
        area = width * height * chance.uniform(0.08, 1.0)
        ratio = math.exp(chance.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, top = chance.randint(0, width - w), chance.randint(0, height - h)
            break
    else:
        w = h = min(width, height)
        left, top = (width - w) // 2, (height - h) // 2
    image = image.resize((crop, crop), Image.Resampling.BILINEAR, (left, top, left + w, top + h))
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if chance.random() < 0.5 else image


def load_folder(folder: Path, crop: int = CROP, workers: int = 2) -> tuple[FolderSplit, FolderSplit, int]:
    """Find the images of a folder: (training set, test set, number of classes).

    Labels count the class folders in the order of their names.

    Hidden files and folders (`.DS_Store`, `.ipynb_checkpoints`) are no part of it. Raises InputError where `train` or
    `val` is missing, a class has no image or has something else beside, or the two have other classes.
    """
    train, test = Path(folder) / "train", Path(folder) / "val"
    classes = list_class_names(train)
    if list_class_names(test) != classes:
        odd = sorted(set(classes) ^ set(list_class_names(test)))
        raise InputError(f"{train} and {test} must have the same class folders; only one has {', '.join(odd[:3])}")
    return find_images(train, classes, crop, workers), find_images(test, classes, crop, workers), len(classes)


def list_visible_entries(folder: Path) -> list[os.DirEntry[str]]:
    """List the entries of a folder in the order of their names, hidden ones left out."""
    with reported_os_errors("read", folder), os.scandir(folder) as entries:
        return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)


def is_image(name: str) -> bool:
    """Whether a file's name ends as that of an image."""
    return Path(name).suffix.lower() in SUFFIXES


def list_class_names(folder: Path) -> list[str]:
    """List a split's class folders. Raises InputError where there is none, or an image lies beside them."""
    if not folder.is_dir():
        raise InputError(f"image folder {folder} does not exist; wanted: train/<class>/ and val/<class>/ with images")
    entries = list_visible_entries(folder)
    names = [entry.name for entry in entries if entry.is_dir()]
    if not names:
        raise InputError(f"image folder {folder} has no class folders")
    beside = [entry.name for entry in entries if not entry.is_dir() and is_image(entry.name)]
    if beside:
        raise InputError(f"image {folder / beside[0]} is in no class folder")
    return names


def find_images(folder: Path, classes: list[str], crop: int, workers: int) -> FolderSplit:
    """Find a split's images and their labels. Raises InputError for a class without images, or with other files."""
    names, labels = [], []
    allowed = f"allowed: {', '.join(sorted(SUFFIXES))}"
    for label, name in enumerate(classes):
        entries = list_visible_entries(folder / name)
        for entry in entries:
            if not is_image(entry.name) or entry.is_dir():
                raise InputError(f"{entry.path} in a class folder is no image; {allowed}")
        if not entries:
            raise InputError(f"class folder {folder / name} has no image; {allowed}")
        names += [os.fsencode(f"{name}/{entry.name}") for entry in entries]
        labels += [label] * len(entries)
    return FolderSplit(folder, np.array(names), torch.tensor(labels), crop, workers)
