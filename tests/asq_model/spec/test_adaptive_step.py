"""ASQ's integers against the written formulas in exact arithmetic."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from asq_model.quantisation import Adapter
from asq_model.spec.adaptive_step import IntegerAdapter, IntegerDense, IntegerQuantiser, sum_channels
from asq_model.spec.precision import GUARD, Precision


@given(
    r=st.integers(-(2**19), 2**19 - 1),
    step=st.integers(1, 2**32),
    bits=st.integers(1, 8),
    signed=st.booleans(),
)
def test_codes_are_the_formula_s(r, step, bits, signed):
    """q = clamp(floor((r + s/2) / s), n, p) with s = S / 2^GUARD, in rational numbers."""
    s = Fraction(step, 2**GUARD)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    exact = min(max(floor((r + s / 2) / s), low), high)
    found = IntegerQuantiser(bits, signed, step, 0, None)
    x, steps = np.array([[r]]), np.array([step])
    assert found.encode(x, steps)[0, 0] == exact
    assert found.find_ties(x, steps)[0, 0] == ((r + s / 2) % s == 0)


def test_channel_sums():
    x = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    np.testing.assert_array_equal(sum_channels(x), x.sum((2, 3)))


@given(st.integers(0, 2**32 - 1))
def test_a_dense_layer_is_the_real_one_rounded(seed):
    rng = np.random.default_rng(seed)
    weights, bias, x = rng.normal(size=(3, 7)), rng.normal(size=3), rng.integers(-(2**15), 2**15, (4, 7))
    layer, point = IntegerDense.from_real(weights, bias, 12, 16, 16, 2**15, 55)
    assert point == 16
    real = (x * 2.0**-12) @ weights.T + bias
    # Weights are off by half a unit of their 16 bits, the sum by half a unit of its point.
    bound = np.abs(weights).max() * 2.0**-15 * np.abs(x * 2.0**-12).sum(1, keepdims=True) + 2.0**-16
    assert np.all(np.abs(layer(x) * 2.0**-16 - real) <= bound)


@pytest.mark.parametrize("channels, layers", [(1, 0), (5, 0), (16, 0), (64, 1), (64, 2)])
def test_beta_is_torch_s(channels, layers):
    torch.manual_seed(channels)
    module = Adapter(channels, layers)
    for parameter in module.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    x = torch.randint(0, 2**15, (50, channels, 6, 6))
    parameters = {name: value.detach().numpy() for name, value in module.named_parameters()}
    found = (
        IntegerAdapter.from_real(parameters, module.floor, 36, 13, 12, Precision(16))(sum_channels(x.numpy()))
        * 2.0**-16
    )
    with torch.no_grad():
        wanted = module(x.double().mul(2.0**-13).float()).numpy()
    np.testing.assert_allclose(found, np.minimum(wanted, 16), atol=3e-3)


def test_beta_stays_between_floor_and_ceiling():
    one = {"output.weight": np.ones((1, 1)), "output.bias": np.zeros(1)}
    found = IntegerAdapter.from_real(one, 2.0**-4, 1, 8, 0, Precision(16))
    assert found(np.array([[-(2**20)], [0], [2**20]])).tolist() == [2**12, 2**12, 16 << 16]


def test_the_worked_example_of_the_document():
    """`docs/integer-spec.md`: P = 16, f = 12, s = 0.28663, β = 1.0002, a value of 1.2."""
    one = {"output.weight": np.zeros((1, 1)), "output.bias": np.array([1.0002])}
    found = IntegerQuantiser.from_real(
        3, False, 0.28663, 12, IntegerAdapter.from_real(one, 2.0**-4, 1, 12, 0, Precision(16)), Precision(16)
    )
    x = np.full((1, 1, 1, 1), 4915)
    assert (found.mantissa, found.adapter(sum_channels(x)).tolist()) == (300553, [65549])
    step = found.compute_step(x)
    assert step.tolist() == [300613] and found.encode(x, step).item() == 4
    assert [part.item() for part in found.make_division(x, step)] == [4915 * 512 + 300613, 601226]


def test_a_step_without_an_adapter_is_its_mantissa():
    found = IntegerQuantiser.from_real(8, False, 0.3, 10, None, Precision(16))
    step = found.compute_step(np.zeros((3, 2, 1, 1), np.int64))
    assert step.tolist() == [found.mantissa] * 3
    assert found.mantissa == round(0.3 * 2**18)


@pytest.mark.parametrize(("step", "mantissa"), [(1e-9, 1), (1e9, 2**24 - 1)])
def test_a_step_beyond_its_bits_is_the_nearest_that_fits(step, mantissa):
    assert IntegerQuantiser.from_real(3, False, step, 10, None, Precision(16)).mantissa == mantissa
