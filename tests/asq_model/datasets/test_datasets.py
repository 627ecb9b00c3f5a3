import pytest
import torch

from asq_model.common.errors import InputError
from asq_model.datasets import load_dataset


def test_the_digits_split_is_fixed_and_disjoint():
    digits, again = load_dataset("digits"), load_dataset("digits")
    assert len(digits.train) == 1437 and len(digits.test) == 360 and digits.classes == 10
    assert torch.equal(digits.train.images, again.train.images)
    scaled = digits.train.scale(digits.train.images)
    assert scaled.min() == 0 and scaled.max() == 1
    assert torch.bincount(digits.test.labels).min() >= 34  # stratified: about 36 of each digit


def test_shifts_move_by_at_most_one_pixel():
    images = torch.zeros(200, 1, 8, 8, dtype=torch.uint8)
    images[:, :, 4, 4] = 1
    moved = load_dataset("digits").train.augment(images, torch.Generator().manual_seed(0)).flatten(1).argmax(1)
    assert {(int(m) // 8 - 4, int(m) % 8 - 4) for m in moved} == {(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1)}


def test_batches_cover_the_order_and_follow_the_generator():
    digits = load_dataset("digits").train
    order = torch.randperm(100, generator=torch.Generator().manual_seed(1))
    labels = torch.cat([labels for _, labels in digits.batches(order, 32, None)])
    assert torch.equal(labels, digits.labels[order])
    first, second, other = (
        torch.cat([images for images, _ in digits.batches(order, 32, torch.Generator().manual_seed(seed))])
        for seed in (5, 5, 6)
    )
    assert torch.equal(first, second) and not torch.equal(first, other)


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(InputError, match="no CIFAR-10 in"):
        load_dataset("cifar10", tmp_path)
    with pytest.raises(InputError, match="needs data_folder, the folder that it lies in"):
        load_dataset("cifar10")
    with pytest.raises(InputError, match=r"dataset is 'mnist'; allowed: digits, cifar10, imagenet"):
        load_dataset("mnist")
    with pytest.raises(InputError, match=r"image folder .*train does not exist"):
        load_dataset("imagenet", tmp_path)
