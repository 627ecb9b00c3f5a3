import pytest
import torch

from asq_model.config.recipe import Recipe
from asq_model.datasets import Dataset, MemorySplit, load_dataset
from asq_model.gpu.device_images import DeviceImages

CPU = torch.device("cpu")


@pytest.fixture(scope="session")
def digits():
    """The digits, where networks of this folder's tests are trained on."""
    return DeviceImages(load_dataset("digits"), CPU)


@pytest.fixture(scope="session")
def colours():
    """Random images that are moved and mirrored, higher than they are wide."""
    generator = torch.Generator().manual_seed(5)
    images = torch.randint(0, 256, (40, 3, 10, 8), dtype=torch.uint8, generator=generator)
    split = MemorySplit(images, torch.arange(40) % 10, 255.0, (0.5, 0.4, 0.3), (0.2, 0.3, 0.25), shift=2, mirror=True)
    return DeviceImages(Dataset(split, split.select(torch.arange(12)), 10), CPU)


@pytest.fixture(scope="session")
def quantised():
    """Make a recipe of the digits' network that is quantised from the start."""

    def make(**fields):
        return Recipe(**{"full_precision_epochs": 0, "quantised_epochs": 1, "batch": 128} | fields)

    return make
