"""The handwritten digits that ship with scikit-learn: 1,797 real 8×8 images, split once."""

from dataclasses import dataclass

import torch
from torch import Tensor

TEST_IMAGES = 360
SPLIT_SEED = 2025


@dataclass(frozen=True)
class Split:
    """Images float32 [N, 1, 8, 8] in [0, 1] and labels int64 [N]."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


def split_digits() -> tuple[Split, Split]:
    """(training set, test set), stratified by digit; the same split every time."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    labels = torch.tensor(digits.target, dtype=torch.int64)
    train, test = train_test_split(
        range(len(labels)), test_size=TEST_IMAGES, random_state=SPLIT_SEED, stratify=digits.target
    )
    return Split(images[train], labels[train]), Split(images[test], labels[test])


def shifted(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image moved by −1, 0 or 1 pixel in both directions, black filled in."""
    windows = torch.nn.functional.pad(images, (1, 1, 1, 1)).unfold(2, 8, 1).unfold(3, 8, 1)
    rows, columns = torch.randint(3, (2, len(images)), generator=generator)
    return windows[torch.arange(len(images)), :, rows, columns]
