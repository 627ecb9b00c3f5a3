"""Images on the device are those that a training reads, in the same order and moved alike."""

import pytest
import torch

from asq_model.common.errors import InputError
from asq_model.config.recipe import Recipe
from asq_model.datasets import Dataset
from asq_model.gpu.device_images import DeviceImages
from asq_model.training.train import compute_learning_rate, make_epoch_generator

RECIPE = Recipe(batch=16, seed=3, full_precision_epochs=0, quantised_epochs=4)


@pytest.mark.parametrize("epoch", [0, 3])
def test_every_batch_is_the_one_that_a_training_reads(colours, epoch):
    plan, generator = colours.plan(RECIPE, epoch), make_epoch_generator(RECIPE.seed, epoch)
    order = torch.randperm(len(colours.split), generator=generator)[:32]
    batches = list(colours.split.batches(order, 16, generator))
    assert len(plan) == len(batches) == 2
    for step, (images, labels) in zip(plan, batches, strict=True):
        shown, their_labels = colours.batch(step)
        assert torch.equal(shown, images) and torch.equal(their_labels, labels)
    assert colours.plan(RECIPE, epoch) is plan


def test_images_that_are_not_augmented_stay_as_they_are(digits):
    plan = digits.plan(Recipe(batch=100), 0)
    assert not plan[:, 3].any() or digits.split.mirror
    shown, labels = digits.batch(plan[0])
    generator = make_epoch_generator(0, 0)
    order = torch.randperm(len(digits.split), generator=generator)[:1400]
    images, expected = next(iter(digits.split.batches(order, 100, generator)))
    assert torch.equal(shown, images) and torch.equal(labels, expected)


def test_learning_rates_are_those_of_each_step(colours):
    rates = colours.compute_learning_rates(RECIPE)
    assert rates.shape == (4, 2)
    assert rates[2, 1].item() == pytest.approx(compute_learning_rate(RECIPE, 2, 0.5))


def test_images_of_a_folder_are_refused(colours):
    with pytest.raises(InputError, match="decoded from a folder; allowed here: digits, cifar10"):
        DeviceImages(Dataset(object(), colours.split, 10), torch.device("cpu"))
