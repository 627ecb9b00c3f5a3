"""The kernels compute what the functions of `straight_through` do, in Triton's interpreter: `pytest --triton`."""

import os

import pytest
import torch

os.environ["TRITON_INTERPRET"] = "1"  # read when kernels are defined

from asq_model.gpu.fused_functions import FusedFakeQuantise, FusedNearestLevel, FusedPositive, fused_functions
from asq_model.quantisation.straight_through import DEVICE_FUNCTIONS, FakeQuantise, NearestLevel, keep_positive
from asq_model.spec.levels import LevelSet


def results(function, arguments, moved):
    """The result of a function and its gradients with respect to the first arguments."""
    leaves = [argument.clone().requires_grad_() for argument in arguments[:moved]]
    result = function(*leaves, *arguments[moved:])
    gradient = torch.randn(result.shape, generator=torch.Generator().manual_seed(1))
    return result.detach(), *torch.autograd.grad(result, leaves, gradient)


def check_same(one, other, arguments, moved):
    """The same result, bit for bit, and gradients but for the order of sums."""
    (result, *gradients), (expected, *others) = results(one, arguments, moved), results(other, arguments, moved)
    assert torch.equal(result, expected)
    for gradient, wanted in zip(gradients, others, strict=True):
        torch.testing.assert_close(gradient, wanted, rtol=1e-4, atol=1e-4)


def sample(*shape):
    """Normal values of a seed, channels last."""
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    return values.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    "step, low, high",
    [(torch.tensor(0.3), 0, 15), (torch.rand(4, 1, 1, 1) + 0.1, -8, 7), (torch.rand(4, 1, 1, 1) + 0.1, 0, 3)],
)
def test_fake_quantise(step, low, high):
    for x in (sample(4, 8, 16, 16) * 2, sample(4, 3, 5, 7), torch.tensor([0.15, 0.45, -0.15, 4.5]).view(4, 1, 1, 1)):
        check_same(FusedFakeQuantise.apply, FakeQuantise.apply, (x, step, low, high), 2)


@pytest.mark.parametrize(
    "family, bits, kind",
    [("post", 4, "symmetric"), ("post", 2, "asymmetric"), ("post", 4, "extended"), ("apot", 4, ""), ("e2m1", 4, "")],
)
def test_nearest_level(family, bits, kind):
    level_set = LevelSet(family, bits, kind)
    levels, midpoints = (torch.tensor(values).float() for values in (level_set.levels, level_set.midpoints))
    w = sample(16, 8, 3, 3)
    check_same(FusedNearestLevel.apply, NearestLevel.apply, (w, torch.rand(16, 1, 1, 1) + 0.5, levels, midpoints), 2)
    ties = torch.cat([midpoints, levels, -midpoints]).view(1, -1)
    check_same(FusedNearestLevel.apply, NearestLevel.apply, (ties, torch.ones(1, 1), levels, midpoints), 2)


def test_weights_that_are_not_finite_give_nan_as_in_torch():
    level_set = LevelSet("post", 4, "symmetric")
    levels, midpoints = (torch.tensor(values).float() for values in (level_set.levels, level_set.midpoints))
    w = torch.tensor([[float("nan"), float("inf"), -float("inf"), 0.3]])
    found, wanted = (
        function.apply(w, torch.ones(1, 1), levels, midpoints) for function in (FusedNearestLevel, NearestLevel)
    )
    assert wanted.isnan().tolist() == [[True, True, True, False]]
    assert torch.equal(found.nan_to_num(9.0), wanted.nan_to_num(9.0))


@pytest.mark.parametrize("steps", [torch.tensor([-0.3, 0.2, 0.0, 1e-9, -1e-9]), torch.tensor(-0.3)])
def test_positive(steps):
    result, gradient = results(FusedPositive.apply, (steps,), 1)
    expected, wanted = results(keep_positive, (steps,), 1)
    torch.testing.assert_close(result, expected, rtol=1e-6, atol=0)
    assert torch.equal(gradient, wanted)


def test_functions_are_fused_for_a_while_only():
    with fused_functions():
        assert DEVICE_FUNCTIONS["cuda"][FakeQuantise] is FusedFakeQuantise
    assert not DEVICE_FUNCTIONS
