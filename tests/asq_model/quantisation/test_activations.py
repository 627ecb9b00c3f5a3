import pytest
import torch

from asq_model.common.errors import InputError
from asq_model.config.layer_config import LayerConfig
from asq_model.quantisation import (
    Adapter,
    DorefaActivation,
    LsqActivation,
    LsqPlusActivation,
    PactActivation,
    PotActivation,
    make_activation_quantiser,
)
from asq_model.quantisation.activations import FROM_BATCH, NOT_STARTED
from asq_model.quantisation.adapter import average
from asq_model.spec.fixed_point import bounds

import reference  # isort: skip


def sample(seed, channels=3, requires_grad=True):
    torch.manual_seed(seed)
    return torch.randn(5, channels, 4, 4, dtype=torch.float64).requires_grad_(requires_grad)


@pytest.mark.parametrize("convention", ["numel", "features", "unscaled"])
@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("signed", [False, True])
def test_lsq(bits, signed, convention):
    x = sample(bits)
    quantiser = LsqActivation(bits, signed, step_gradient=convention).double().train()
    low, high = bounds(bits, signed)
    quantiser(x)
    assert torch.isclose(quantiser.step, 2 * x.abs().mean() / high**0.5)
    count = {"numel": x.numel(), "features": 48, "unscaled": 1 / high}[convention]
    step = reference.scaled_gradient(quantiser.step, 1 / (count * high) ** 0.5)
    reference.check(quantiser, reference.uniform(x, step, low, high), x, quantiser.step)


@pytest.mark.parametrize("bits, signed", [(2, False), (3, True), (8, False)])
def test_every_forward_is_the_nearest_of_all_levels(bits, signed):
    x = sample(7, requires_grad=False) * 3
    quantiser = LsqActivation(bits, signed).double().train()
    out = quantiser(x)
    low, high = bounds(bits, signed)
    levels = torch.arange(low, high + 1) * quantiser.step.detach()
    nearest = levels[(x.unsqueeze(-1) - levels).abs().argmin(-1)]
    torch.testing.assert_close(out.detach(), nearest)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("channels", [4, 16])
def test_asq(channels, scaled):
    """∂L/∂s = g·Σ β_i·G_i, ∂L/∂β_i = s·G_i without g (or with it), ∂L/∂x through quantiser and adapter both."""
    x = sample(channels, channels)
    adapter = Adapter(channels)
    quantiser = LsqActivation(3, adapter=adapter, scale_beta_gradient=scaled).double().train()
    quantiser(x)
    g = 1 / (x.numel() * quantiser.high) ** 0.5
    beta = adapter(x)
    beta = reference.scaled_gradient(beta, g) if scaled else beta
    step = reference.scaled_gradient(quantiser.step, g) * beta.view(-1, 1, 1, 1)
    reference.check(quantiser, reference.uniform(x, step, 0, 7), x, quantiser.step, *adapter.parameters())
    one = x[1:2].detach()
    torch.testing.assert_close(quantiser.compute_grid(x)[0].flatten()[1:2], quantiser.compute_grid(one)[0].flatten())


def test_the_adapter_s_gradient_by_finite_differences():
    """β itself is smooth where no ReLU switches."""
    adapter = Adapter(8).double()
    assert torch.autograd.gradcheck(adapter, sample(1, 8))


@pytest.mark.parametrize("signed", [False, True])
def test_lsq_plus(signed):
    x = sample(9)
    quantiser = LsqPlusActivation(3, signed).double().train()
    quantiser(x)
    low, high = bounds(3, signed)
    torch.testing.assert_close((low * quantiser.step + quantiser.offset).detach(), x.detach().min())
    torch.testing.assert_close((high * quantiser.step + quantiser.offset).detach(), x.detach().max())
    quantiser.step.data.mul_(0.6)  # so that something is clipped
    g = 1 / (x.numel() * quantiser.high) ** 0.5
    step, offset = (reference.scaled_gradient(p, g) for p in (quantiser.step, quantiser.offset))
    expected = reference.uniform(x - offset, step, low, high) + offset
    reference.check(quantiser, expected, x, quantiser.step, quantiser.offset)


@pytest.mark.parametrize("bits, signed", [(2, False), (3, False), (5, False), (3, True), (6, True)])
def test_pot(bits, signed):
    """∂x̂/∂x = 1[n ≤ v ≤ p], ∂x̂/∂s as Eq. 3 has it for α = p·s, multiplied by LSQ's g."""
    x = sample(bits)
    quantiser = PotActivation(bits, signed).double().train()
    quantiser(x)
    assert torch.isclose(quantiser.step, 2 * x.abs().mean() / quantiser.high**0.5)
    count = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
    positive = [0.0, *(2.0**-k for k in range(count))]
    levels = torch.tensor(sorted({*positive, *(-level for level in positive)} if signed else positive)).double()
    assert torch.equal(quantiser.levels, levels)
    alpha = reference.scaled_gradient(quantiser.step, 1 / (x.numel() * quantiser.high) ** 0.5) * quantiser.high
    v, least = x / alpha, -1.0 if signed else 0.0
    clamped = torch.where(v < least, torch.full_like(v, least), torch.where(v > 1, torch.ones_like(v), v))
    nearest = levels[(clamped.detach().unsqueeze(-1) - levels).abs().argmin(-1)]
    reference.check(quantiser, reference.straight_through(clamped, nearest) * alpha, x, quantiser.step)


def test_pot_activations_of_more_levels_than_a_float_has_powers_are_refused():
    for bits, signed, most in ((6, False, 5), (7, True, 6)):
        with pytest.raises(InputError, match=f"activation_bits is {bits} for pot activations; allowed: 2 to {most}"):
            LayerConfig(activations="pot", activation_bits=bits, signed=signed)
    with pytest.raises(InputError, match="have no integers of one step"):
        PotActivation(4).encode(torch.ones(1, 1))


def test_pact():
    x = sample(10) * 4
    quantiser = PactActivation(4).double()
    quantiser.clip.data.fill_(3.0)
    clip = quantiser.clip
    clipped = torch.where(x < 0, torch.zeros_like(x), torch.where(x >= clip, clip.expand_as(x), x))
    rounded = torch.round(clipped * 15 / clip) * clip / 15
    reference.check(quantiser, reference.straight_through(clipped, rounded), x, clip)


def test_dorefa():
    x = sample(11)
    clipped = torch.where(x < 0, torch.zeros_like(x), torch.where(x > 1, torch.ones_like(x), x))
    expected = reference.straight_through(clipped, torch.round(clipped * 7) / 7)
    reference.check(DorefaActivation(3).double(), expected, x)


@pytest.mark.parametrize("activations", ["asq", "lsq", "pact", "dorefa"])
@pytest.mark.parametrize("bits", [2, 8])
def test_codes_mean_the_fake_quantised_activations(activations, bits):
    torch.manual_seed(2)
    x = torch.rand(4, 8, 3, 3)
    quantiser = make_activation_quantiser(LayerConfig(activations=activations, activation_bits=bits), 8).train()
    out = quantiser(x)
    codes, step = quantiser.eval().encode(x)
    assert codes.min() >= 0 and codes.max() <= 2**bits - 1
    torch.testing.assert_close(codes * step.view(-1, 1, 1, 1), out, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    "channels, asked, layers", [(1, 0, 1), (7, 0, 1), (8, 0, 2), (64, 0, 2), (64, 1, 1), (2, 2, 2)]
)
def test_adapter_starts_at_one_and_stays_above_its_floor(channels, asked, layers):
    torch.manual_seed(3)
    adapter = Adapter(channels, asked)
    assert sum(isinstance(module, torch.nn.Linear) for module in adapter.modules()) == layers
    x = torch.rand(10, channels, 5, 5)
    beta = adapter(x)
    assert beta.shape == (10,) and (beta - 1).abs().max() < 0.2
    torch.testing.assert_close(adapter(x.mean((2, 3))), beta)
    adapter.output.bias.data.fill_(-5)
    assert torch.all(adapter(x) == 2.0**-4)
    assert torch.all(Adapter(channels, asked, floor=0.5).double()(x.double() * -1e4) >= 0.5)


@pytest.mark.parametrize("shape, axes", [((8, 16, 5, 7), (2, 3)), ((4, 9, 12), (1,)), ((3, 17, 6), (2,))])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_adapter_s_average_is_the_mean_bit_by_bit(shape, axes, dtype):
    """The gradient of an average in float32 takes no memory of its own: its strides over the positions are 0."""
    x = torch.randn(shape, dtype=dtype)
    (x, y), slopes = (x.clone().requires_grad_() for _ in range(2)), torch.randn(x.mean(axes).shape, dtype=dtype)
    found, wanted = average(x, axes), y.mean(axes)
    (gradient,), (reference,) = (torch.autograd.grad(mean, of, slopes) for mean, of in ((found, x), (wanted, y)))
    assert torch.equal(found, wanted) and torch.equal(gradient, reference)
    assert all(gradient.stride(axis) == 0 for axis in axes) == (dtype == torch.float32)
    with torch.no_grad():
        assert torch.equal(average(x, axes), wanted)


def test_zeros_say_nothing_of_the_step():
    """An all-zero first batch leaves the step to be found from the next."""
    x = torch.zeros(2, 8, 3, 3)
    quantiser = LsqActivation(3, adapter=Adapter(8)).train()
    assert torch.equal(quantiser(x), x) and quantiser.started == NOT_STARTED
    quantiser(x + 1)
    assert quantiser.started == FROM_BATCH and torch.isclose(quantiser.step, torch.tensor(2 / 7**0.5))


def test_signed_inputs_of_quantisers_without_a_sign_are_refused():
    for activations in ("pact", "dorefa"):
        with pytest.raises(InputError, match=f"activations are {activations}, which is defined for inputs ≥ 0 only"):
            LayerConfig(activations=activations, signed=True)


@pytest.mark.parametrize("activations", ["asq", "lsq", "lsq+", "pact", "dorefa"])
def test_an_activation_that_is_no_number_stays_none(activations):
    torch.manual_seed(0)
    x = torch.rand(4, 8, 3, 3)
    quantiser = make_activation_quantiser(LayerConfig(activations=activations), 8).train()
    quantiser(x)
    x[2, 1, 0, 0] = float("nan")
    found = quantiser.eval()(x)
    assert found[2, 1, 0, 0].isnan() and not found[[0, 1, 3]].isnan().any()
    with pytest.raises(InputError, match="its input has values that are not finite"):
        quantiser.encode(x)


def test_a_step_below_the_smallest_still_learns():
    quantiser = LsqActivation(3).train()
    quantiser.started.fill_(FROM_BATCH)
    for start in (0.0, 1e-12, -1e-12):
        quantiser.step.data.fill_(start)
        quantiser.step.grad = None
        quantiser(torch.ones(2, 8)).sum().backward()
        assert quantiser.step.grad != 0 and (quantiser.step.grad < 0) == (start < 0)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("channels", [8, 16, 64])
def test_adapters_start_awake(channels, signed):
    """Neurons respond to what is to be expected, whichever sign averages have; the authors' start may be dead."""
    dead = 0
    for seed in range(200):
        torch.manual_seed(seed)
        x = (torch.rand(32, channels, 2, 2) + torch.rand(channels, 1, 1)) * (1 - 2 * (seed % 2) if signed else 1)
        adapter = Adapter(channels, signed=signed)
        awake = (adapter.compute_neurons(adapter.pool(x)) > 0).all(0)
        assert awake.sum() >= (len(awake) // 2 if signed else len(awake))
        authors = Adapter(channels, start="authors")
        dead += int((authors.compute_neurons(authors.pool(x)) <= 0).all())
    assert dead > 0 or channels > 8


def test_beta_stops_at_its_ceiling():
    adapter = Adapter(8)
    adapter.output.bias.data.fill_(1000.0)
    assert torch.all(adapter(torch.rand(3, 8, 2, 2)) == 16)
