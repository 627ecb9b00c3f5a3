"""Gradients against slow references: the written formula with straight-through rounding, differentiated by autograd."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from asq_model.codes import KINDS, LevelSet
from asq_model.quantisers import (
    ActivationQuantiser,
    Adapter,
    LevelSetWeightQuantiser,
    UniformWeightQuantiser,
    nearest_level,
    uniform_bounds,
)

LEVEL_SETS = [LevelSet(family, bits, kind) for family in ("post", "pot") for kind in KINDS for bits in (2, 3, 4)]


def straight_through(exact, rounded):
    """`rounded` forward, the gradient of `exact` backward."""
    return exact + (rounded - exact).detach()


def reference_uniform(x, step, low, high, scale):
    """Eq. 1, 2 with `scale` on the step's gradient; the clamp passes a gradient at its bounds too, as LSQ has it."""
    step = step * scale + (step * (1 - scale)).detach()
    v = x / step
    clamped = torch.where(v < low, torch.full_like(v, low), torch.where(v > high, torch.full_like(v, high), v))
    return straight_through(clamped, clamped.detach().round()) * step


def gradients(output, weights, *inputs):
    return torch.autograd.grad((output * weights).sum(), inputs)


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("signed", [False, True])
def test_lsq_activation(bits, signed):
    torch.manual_seed(bits)
    x = torch.randn(5, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    quantiser = ActivationQuantiser(bits, signed).double().train()
    low, high = uniform_bounds(bits, signed)
    out, weights = quantiser(x), torch.randn_like(x)
    step = quantiser.step
    assert torch.isclose(step, 2 * x.abs().mean() / high**0.5)
    expected = reference_uniform(x, step, low, high, 1 / (x.numel() * high) ** 0.5)
    torch.testing.assert_close(out, expected)
    for got, wanted in zip(gradients(out, weights, x, step), gradients(expected, weights, x, step), strict=True):
        torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize("channels", [4, 16])
def test_asq_activation(channels):
    """∂L/∂s = g·Σ β_i·G_i, ∂L/∂β_i = s·G_i without g, and ∂L/∂x through quantiser and adapter both."""
    torch.manual_seed(channels)
    x = torch.randn(5, channels, 4, 4, dtype=torch.float64, requires_grad=True)
    quantiser = ActivationQuantiser(3, adapter=Adapter(channels)).double().train()
    out, weights = quantiser(x), torch.randn_like(x)
    beta = quantiser.adapter(x)
    g = 1 / (x.numel() * quantiser.high) ** 0.5
    step = quantiser.step * g + (quantiser.step * (1 - g)).detach()
    expected = reference_uniform(x, step * beta.view(-1, 1, 1, 1), 0, 7, 1)
    torch.testing.assert_close(out, expected)
    inputs = (x, quantiser.step, *quantiser.adapter.parameters())
    for got, wanted in zip(gradients(out, weights, *inputs), gradients(expected, weights, *inputs), strict=True):
        torch.testing.assert_close(got, wanted)
    sample = x[1:2].detach()
    torch.testing.assert_close(quantiser.sample_step(x).flatten()[1:2], quantiser.sample_step(sample).flatten())


@pytest.mark.parametrize("levels", LEVEL_SETS, ids=lambda levels: levels.name)
def test_level_set_weight(levels):
    """∂ŵ/∂w = 1[|u| ≤ 1]; ∂ŵ/∂α = Π(u) − u inside and sign(u) outside, scaled by 1/sqrt(N/C)."""
    torch.manual_seed(levels.bits)
    w = torch.randn(6, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    quantiser = LevelSetWeightQuantiser(levels, 6).double()
    quantiser.initialise(w)
    torch.testing.assert_close(quantiser.scale.detach(), w.detach().abs().flatten(1).quantile(0.99, dim=1))
    quantiser.scale.data *= 0.7  # so that enough weights are clipped
    quantiser.levels = torch.tensor(levels.levels)
    quantiser.midpoints = torch.tensor(levels.midpoints)
    out, weights = quantiser(w), torch.randn_like(w)
    alpha = quantiser.scale.detach().view(-1, 1, 1, 1)
    u = (w.detach() / alpha).numpy()
    distance = np.abs(np.clip(u, -1, 1)[..., None] - levels.levels)
    nearest = torch.tensor(levels.levels[distance.argmin(-1)])
    torch.testing.assert_close(out.detach(), nearest * alpha)
    inside = torch.tensor(np.abs(u) <= 1)
    grad_w, grad_alpha = gradients(out, weights, w, quantiser.scale)
    torch.testing.assert_close(grad_w, weights * inside)
    slope = torch.where(inside, nearest - torch.tensor(u), torch.sign(torch.tensor(u)))
    torch.testing.assert_close(grad_alpha, (weights * slope).flatten(1).sum(1) / 27**0.5)


def test_uniform_weight():
    torch.manual_seed(0)
    w = torch.randn(6, 10, dtype=torch.float64, requires_grad=True)
    quantiser = UniformWeightQuantiser(LevelSet("uniform", 4), 6).double()
    quantiser.initialise(w)
    out, weights = quantiser(w), torch.randn_like(w)
    expected = reference_uniform(w, quantiser.scale.view(-1, 1), -8, 7, 1 / (10 * 7) ** 0.5)
    torch.testing.assert_close(out, expected)
    inputs = (w, quantiser.scale)
    for got, wanted in zip(gradients(out, weights, *inputs), gradients(expected, weights, *inputs), strict=True):
        torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize("levels", [*LEVEL_SETS, LevelSet("uniform", 8)], ids=lambda levels: levels.name)
def test_weight_codes_mean_the_fake_quantised_weights(levels):
    torch.manual_seed(1)
    w = torch.randn(6, 20)
    quantiser = (UniformWeightQuantiser if levels.family == "uniform" else LevelSetWeightQuantiser)(levels, 6)
    quantiser.initialise(w)
    codes, scale = quantiser.codes(w)
    meant = torch.tensor(levels.values, dtype=torch.float32)[codes] * scale.view(-1, 1)
    torch.testing.assert_close(meant, quantiser(w), rtol=1e-6, atol=1e-7)


def test_activation_codes_mean_the_fake_quantised_activations():
    torch.manual_seed(2)
    x = torch.rand(4, 8, 3, 3)
    quantiser = ActivationQuantiser(3, adapter=Adapter(8)).train()
    out = quantiser(x)
    codes, step = quantiser.eval().codes(x)
    assert codes.min() >= 0 and codes.max() <= 7
    torch.testing.assert_close(codes * step.view(-1, 1, 1, 1), out, rtol=0, atol=0)


@pytest.mark.parametrize("levels", LEVEL_SETS, ids=lambda levels: levels.name)
@given(u=st.lists(st.floats(-2, 2), min_size=1, max_size=20))
def test_nearest_level_is_the_specification_s(levels, u):
    index = nearest_level(torch.tensor(u, dtype=torch.float64), torch.tensor(levels.midpoints))
    np.testing.assert_array_equal(index.numpy(), levels.nearest(np.array(u)))


def test_nearest_level_at_ties():
    levels = LevelSet("post", 4, "asymmetric")
    index = nearest_level(torch.tensor(levels.midpoints), torch.tensor(levels.midpoints))
    np.testing.assert_array_equal(index.numpy(), levels.nearest(levels.midpoints))


@pytest.mark.parametrize("channels, layers", [(1, 1), (7, 1), (8, 2), (64, 2)])
def test_adapter_starts_at_one_and_stays_above_its_floor(channels, layers):
    torch.manual_seed(3)
    adapter = Adapter(channels)
    assert sum(isinstance(module, torch.nn.Linear) for module in adapter.modules()) == layers
    x = torch.rand(10, channels, 5, 5)
    beta = adapter(x)
    assert beta.shape == (10,) and (beta - 1).abs().max() < 0.2
    torch.testing.assert_close(adapter(x.mean((2, 3))), beta)
    adapter.output.bias.data.fill_(-5)
    assert torch.all(adapter(x) == 2.0**-4)


def test_all_zero_tensors_leave_finite_steps():
    x = torch.zeros(2, 8, 3, 3)
    quantiser = ActivationQuantiser(3, adapter=Adapter(8)).train()
    assert torch.equal(quantiser(x), x) and quantiser.step > 0
    weights = LevelSetWeightQuantiser(LevelSet("post", 3, "symmetric"), 4)
    weights.initialise(torch.zeros(4, 8))
    assert torch.equal(weights(torch.zeros(4, 8)), torch.zeros(4, 8)) and (weights.scale > 0).all()


def test_a_negative_scale_does_not_turn_the_quantiser_round():
    w = torch.randn(4, 8)
    quantiser = LevelSetWeightQuantiser(LevelSet("post", 3, "symmetric"), 4)
    quantiser.initialise(w)
    before = quantiser(w)
    quantiser.scale.data.neg_()
    torch.testing.assert_close(quantiser(w), before)
