"""A dataset's images on the device, and their augmentation there, with the random numbers that `MemorySplit` draws."""

import torch
from torch import Tensor
from torch.nn import functional

from asq_model.common.errors import InputError
from asq_model.config.recipe import Recipe
from asq_model.datasets import Dataset, MemorySplit
from asq_model.training.train import compute_learning_rate, make_epoch_generator

EXAMPLES = 1024  # training images that show each layer's mean β


class DeviceImages:
    """Training images as bytes with a black border, test images as a network sees them; on the device, for all runs.

    What runs need of an epoch is kept for good, since streams read it at times of their own.
    """

    def __init__(self, dataset: Dataset, device: torch.device):
        train, test = dataset.train, dataset.test
        if not isinstance(train, MemorySplit) or not isinstance(test, MemorySplit):
            raise InputError("images are decoded from a folder; allowed here: digits, cifar10")
        self.dataset, self.device, self.split = dataset, device, train
        _, self.channels, self.height, self.width = train.images.shape
        bordered = functional.pad(train.images, (train.shift,) * 4)
        self.bordered_height, self.bordered_width = bordered.shape[2:]
        self.pixels = bordered.permute(0, 2, 3, 1).reshape(-1, self.channels).contiguous().to(device)
        self.labels = train.labels.to(device)
        self.mean, self.deviation = (
            torch.tensor(values, device=device).view(1, -1, 1, 1) for values in (train.mean, train.deviation)
        )
        self.rows = torch.arange(self.height, device=device).view(1, -1, 1)
        self.columns = torch.arange(self.width, device=device)
        self.test, self.test_labels = self.scale_first(test, len(test)), test.labels.to(device)
        self.examples = self.scale_first(train, EXAMPLES)
        self.plans: dict[tuple[int, int, int], Tensor] = {}
        self.rates: dict[tuple[float, ...], Tensor] = {}

    def scale_first(self, split: MemorySplit, count: int) -> Tensor:
        """Scale the first images of a split to what a network sees, on the device."""
        return split.scale(split.images[:count]).contiguous(memory_format=torch.channels_last).to(self.device)

    def plan(self, recipe: Recipe, epoch: int) -> Tensor:
        """Plan what each step of an epoch shows, int64 [steps, 4, batch].

        Which images, how far each is moved down and to the right, and whether it is mirrored: as `train_epoch` draws.
        """
        key = recipe.seed, epoch, recipe.batch
        if key not in self.plans:
            generator, count = make_epoch_generator(recipe.seed, epoch), len(self.split)
            steps = count // recipe.batch
            order = torch.randperm(count, generator=generator)[: steps * recipe.batch]
            plan = torch.zeros(steps, 4, recipe.batch, dtype=torch.int64)
            plan[:, 0] = order.view(steps, recipe.batch)
            for step in range(steps):
                plan[step, 1:3] = torch.randint(2 * self.split.shift + 1, (2, recipe.batch), generator=generator)
                if self.split.mirror:
                    plan[step, 3] = torch.rand(recipe.batch, generator=generator) < 0.5
            self.plans[key] = self.copy_to_device(plan)
        return self.plans[key]

    def compute_learning_rates(self, recipe: Recipe) -> Tensor:
        """Compute the learning rate of every step, float32 [epochs, steps]."""
        steps = len(self.split) // recipe.batch
        phases = recipe.full_precision_epochs, recipe.quantised_epochs
        key = *phases, recipe.full_precision_rate, recipe.quantised_rate, steps
        if key not in self.rates:
            rates = [
                [compute_learning_rate(recipe, epoch, step / steps) for step in range(steps)]
                for epoch in range(recipe.epochs)
            ]
            self.rates[key] = self.copy_to_device(torch.tensor(rates))
        return self.rates[key]

    def copy_to_device(self, tensor: Tensor) -> Tensor:
        """Copy a tensor to the device by the default stream: on those of the runs it would wait for their work."""
        if self.device.type != "cuda":
            return tensor
        with torch.cuda.stream(torch.cuda.default_stream()):
            copy = tensor.to(self.device)
        torch.cuda.current_stream().wait_stream(torch.cuda.default_stream())
        return copy

    def batch(self, plan: Tensor) -> tuple[Tensor, Tensor]:
        """Gather the images and labels of one step's plan [4, batch]."""
        order, down, right, mirrored = (part.view(-1, 1, 1) for part in plan)
        columns = torch.where(mirrored.bool(), self.width - 1 - self.columns, self.columns) + right
        places = (order * self.bordered_height + self.rows + down) * self.bordered_width + columns
        images = self.pixels.index_select(0, places.flatten())
        images = images.view(-1, self.height, self.width, self.channels).permute(0, 3, 1, 2)
        return (images / self.split.white - self.mean) / self.deviation, self.labels.index_select(0, plan[0])
