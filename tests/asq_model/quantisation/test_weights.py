import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from asq_model.common.errors import InputError
from asq_model.config.layer_config import LayerConfig
from asq_model.quantisation import (
    DorefaWeight,
    LevelSetWeight,
    UniformWeight,
    find_nearest_level,
    make_weight_quantiser,
)
from asq_model.spec.levels import KINDS, LevelSet

import reference  # isort: skip

LEVEL_SETS = [
    *[LevelSet(family, bits, kind) for family in ("post", "pot") for kind in KINDS for bits in (2, 3, 4)],
    *[LevelSet("apot", bits) for bits in (3, 4, 5)],
    LevelSet("e2m1", 4),
]


@pytest.mark.parametrize("levels", LEVEL_SETS, ids=lambda levels: levels.name)
def test_level_set_weight(levels):
    """∂ŵ/∂w = 1[|u| ≤ 1]; ∂ŵ/∂α = Π(u) − u inside and sign(u) outside, scaled by 1/sqrt(N/C)."""
    torch.manual_seed(levels.bits)
    w = torch.randn(6, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    quantiser = LevelSetWeight(levels, 6).double()
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
    grad_w, grad_alpha = reference.gradients(out, weights, w, quantiser.scale)
    torch.testing.assert_close(grad_w, weights * inside)
    slope = torch.where(inside, nearest - torch.tensor(u), torch.sign(torch.tensor(u)))
    torch.testing.assert_close(grad_alpha, (weights * slope).flatten(1).sum(1) / 27**0.5)


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("per_channel", [True, False])
def test_uniform_weight(bits, per_channel):
    torch.manual_seed(0)
    w = torch.randn(6, 10, dtype=torch.float64, requires_grad=True)
    quantiser = UniformWeight(LevelSet("uniform", bits), 6, per_channel).double()
    quantiser.initialise(w)
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    count = 10 if per_channel else 60
    mean = w.detach().abs().mean(1) if per_channel else w.detach().abs().mean().view(1)
    torch.testing.assert_close(quantiser.scale.detach(), 2 * mean / high**0.5)
    step = reference.scaled_gradient(quantiser.scale, 1 / (count * high) ** 0.5).view(-1, 1)
    reference.check(quantiser, reference.uniform(w, step, low, high), w, quantiser.scale)


def test_level_sets_per_tensor_share_one_scale():
    torch.manual_seed(4)
    w = torch.randn(6, 10, dtype=torch.float64, requires_grad=True)
    whole, rows = (LevelSetWeight(LevelSet("post", 4, "symmetric"), 6, shared).double() for shared in (False, True))
    whole.initialise(w)
    rows.scale.data = whole.scale.data.expand(6).clone()
    torch.testing.assert_close(whole(w), rows(w))
    weights = torch.randn_like(w)
    (one,) = reference.gradients(whole(w), weights, whole.scale)
    (each,) = reference.gradients(rows(w), weights, rows.scale)
    torch.testing.assert_close(one * 60**0.5, each.sum().view(1) * 10**0.5)


@pytest.mark.parametrize("bits", [2, 3, 8])
def test_dorefa_weight(bits):
    torch.manual_seed(5)
    w = torch.randn(6, 10, dtype=torch.float64, requires_grad=True)
    steps = 2**bits - 1
    unit = torch.tanh(w) / (2 * torch.tanh(w).abs().max()) + 0.5
    expected = 2 * reference.straight_through(unit, torch.round(unit * steps) / steps) - 1
    reference.check(DorefaWeight(bits), expected, w)
    odd = (DorefaWeight(bits)(w) * steps).detach()
    torch.testing.assert_close(odd, odd.round())
    assert torch.all(odd.round() % 2 == 1)


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("levels", [*LEVEL_SETS, LevelSet("uniform", 8)], ids=lambda levels: levels.name)
def test_codes_mean_the_fake_quantised_weights(levels, per_channel):
    torch.manual_seed(1)
    w = torch.randn(6, 20)
    quantiser = make_weight_quantiser(LayerConfig(levels.family, levels.bits, levels.kind, per_channel=per_channel), 6)
    quantiser.initialise(w)
    codes, scale = quantiser.encode(w)
    meant = torch.tensor(levels.values, dtype=torch.float32)[codes] * scale.view(-1, 1)
    torch.testing.assert_close(meant, quantiser(w), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("levels", LEVEL_SETS, ids=lambda levels: levels.name)
@given(u=st.lists(st.floats(-2, 2), min_size=1, max_size=20))
def test_nearest_level_is_the_specification_s(levels, u):
    index = find_nearest_level(torch.tensor(u, dtype=torch.float64), torch.tensor(levels.midpoints))
    np.testing.assert_array_equal(index.numpy(), levels.find_nearest(np.array(u)))


def test_nearest_level_at_ties():
    levels = LevelSet("post", 4, "asymmetric")
    index = find_nearest_level(torch.tensor(levels.midpoints), torch.tensor(levels.midpoints))
    np.testing.assert_array_equal(index.numpy(), levels.find_nearest(levels.midpoints))


@pytest.mark.parametrize("family", ["post", "uniform"])
def test_zeros_take_the_scale_of_other_channels(family):
    quantiser = make_weight_quantiser(LayerConfig(family, 3), 4)
    quantiser.initialise(torch.zeros(4, 8))
    assert torch.equal(quantiser(torch.zeros(4, 8)), torch.zeros(4, 8)) and torch.all(quantiser.scale == 1)
    w = torch.randn(4, 8)
    w[2] = 0
    quantiser.initialise(w)
    assert quantiser.scale[2] == quantiser.scale.max() > 0


def test_a_negative_scale_does_not_turn_the_quantiser_round():
    w = torch.randn(4, 8)
    quantiser = LevelSetWeight(LevelSet("post", 3, "symmetric"), 4)
    quantiser.initialise(w)
    before = quantiser(w)
    quantiser.scale.data.neg_()
    torch.testing.assert_close(quantiser(w), before)


@pytest.mark.parametrize(
    "config", [LayerConfig(weights, 4) for weights in ("post", "pot", "apot", "e2m1", "uniform", "dorefa")]
)
def test_a_weight_that_is_no_number_stays_none(config):
    """A level for NaN would hide a broken network; and no code stands for it."""
    w = torch.randn(4, 6)
    quantiser = make_weight_quantiser(config, 4)
    quantiser.initialise(w)
    w[1, 2] = float("nan")
    found = quantiser(w)
    assert found[1, 2].isnan() and (config.weights == "dorefa" or found.isnan().sum() == 1)
    if config.weights != "dorefa":
        with pytest.raises(InputError, match="its weights have values that are not finite"):
            quantiser.encode(w)


def test_a_scale_below_the_smallest_still_learns():
    quantiser = make_weight_quantiser(LayerConfig(per_channel=False), 1)
    for start in (0.0, 1e-12, -1e-12, 0.5):
        quantiser.scale.data.fill_(start)
        quantiser.scale.grad = None
        quantiser(torch.ones(1, 8)).sum().backward()
        assert torch.isfinite(quantiser.scale.grad).all() and quantiser.scale.grad != 0
        assert (quantiser.scale.grad < 0) == (start < 0)


def test_sign_magnitude_has_no_smallest_integer():
    quantiser = make_weight_quantiser(LayerConfig("uniform", 3, "sign-magnitude"), 1)
    quantiser.scale.data.fill_(1.0)
    w = torch.tensor([[-9.0, -4.0, -3.0, -0.2, 0.0, 1.4, 3.0, 9.0]])
    assert quantiser(w).tolist() == [[-3, -3, -3, 0, 0, 1, 3, 3]]
    codes, scale = quantiser.encode(w)
    assert codes.tolist() == [[7, 7, 7, 0, 0, 1, 3, 3]] and scale == 1
    two_s_complement = make_weight_quantiser(LayerConfig("uniform", 3), 1)
    two_s_complement.scale.data.fill_(1.0)
    assert two_s_complement.encode(w)[0].tolist() == [[4, 4, 5, 0, 0, 1, 3, 3]]
