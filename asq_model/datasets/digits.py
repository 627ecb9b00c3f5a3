"""The handwritten digits that ship with scikit-learn: 1,797 real 8×8 images, split once."""

import torch

from asq_model.datasets.in_memory import MemorySplit

TEST_IMAGES = 360
SPLIT_SEED = 2025
WHITE = 16.0


def load_digits() -> tuple[MemorySplit, MemorySplit, int]:
    """Load the digits: (training set, test set, number of classes), stratified by digit; the same split every time."""
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    digits = datasets.load_digits()
    images = torch.tensor(digits.images, dtype=torch.uint8).unsqueeze(1)
    labels = torch.tensor(digits.target, dtype=torch.int64)
    everything = MemorySplit(images, labels, WHITE, (0.0,), (1.0,), shift=1, mirror=False)
    train, test = train_test_split(
        range(len(labels)), test_size=TEST_IMAGES, random_state=SPLIT_SEED, stratify=digits.target
    )
    return everything.select(torch.tensor(train)), everything.select(torch.tensor(test)), 10
