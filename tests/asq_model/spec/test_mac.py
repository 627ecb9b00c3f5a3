from decimal import ROUND_HALF_UP, Decimal, getcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asq_model.common.errors import InputError
from asq_model.spec.fixed_point import signed_width
from asq_model.spec.levels import EXPONENTIAL, KINDS, MAX_BITS, MIN_BITS
from asq_model.spec.mac import MacSpec
from asq_model.spec.mac_parameters import MAX_TABLE_BITS
from asq_model.spec.sqrt2 import find_sqrt2_constant, make_sqrt2_table, multiply_by_sqrt2, split_sqrt2_table
from asq_model.spec.units import FAMILY_OF_UNIT, ROUNDING, UNITS

getcontext().prec = 80
ROOT = Decimal(2).sqrt()


def all_specs(bits=(2, 3, 4, 5, 6), abits=(1, 3, 4, 8), fracs=(0, 2)):
    for unit in UNITS:
        family = FAMILY_OF_UNIT[unit]
        for b in [width for width in (*bits, 8) if MIN_BITS[family] <= width <= MAX_BITS[family]]:
            for kind in KINDS if family in EXPONENTIAL else ("",):
                for frac in (*fracs, *((-1,) if unit == "post" else ())) if unit in ROUNDING else (None,):
                    for a in abits:
                        if unit == "uniform-table" and a + b > MAX_TABLE_BITS:
                            continue
                        for signed in (False, True):
                            yield MacSpec(unit, b, a, kind, frac, 9, signed)


def meant_values(spec):
    """What a unit multiplies by: the levels, but for the two that mean something else by them."""
    levels = spec.level_set
    return {"post-sorted": levels.even + levels.odd, "post-three-halves": levels.even + 1.5 * levels.odd}.get(
        spec.unit, levels.values
    )


@given(st.integers(-(10**12), 10**12), st.integers(-1, 8))
def test_times_sqrt2_is_correctly_rounded(x, frac):
    expected = int((abs(x) * ROOT * Decimal(2) ** frac).quantize(Decimal(1), ROUND_HALF_UP))
    assert multiply_by_sqrt2(x, frac) == (expected if x >= 0 else -expected)


def test_sqrt2_table_keeps_shape():
    a = np.array([[0, 1], [-3, 7]])
    np.testing.assert_array_equal(make_sqrt2_table(a, 2), [[0, 6], [-17, 40]])


@given(st.integers(0, 2**32 - 1), st.integers(-1, 20))
def test_sqrt2_tables_are_correctly_rounded(seed, frac):
    """Numbers of all sizes, and those whose products lie nearest to a half."""
    rng = np.random.default_rng(seed)
    numbers = np.concatenate([rng.integers(-(1 << bits), 1 << bits, 20) for bits in (8, 20, 30, 40)])
    numbers = np.concatenate([numbers, worst_cases(1 << 40)])
    assert make_sqrt2_table(numbers, frac).tolist() == [multiply_by_sqrt2(int(x), frac) for x in numbers]


def worst_cases(limit):
    """Integers x whose x·√2 lies nearest to a half: solutions of (2x)²·2 − (2m+1)² = −1 and their neighbours."""
    found, p, q = [], 1, 1  # convergents p/q of √2
    while q <= 2 * limit:
        if q % 2 == 0:
            found += [q // 2 - 1, q // 2, q // 2 + 1]
        found += [q - 1, q, q + 1]
        p, q = p + 2 * q, p + q
    return [x for x in found if 0 <= x <= limit]


@pytest.mark.parametrize("limit, frac", [(0, 0), (1, 8), (300, 0), (4095, 2), (34560, 0), (34560, 2), (2000, 8)])
def test_the_constant_multiplication_rounds_as_the_root_does(limit, frac):
    constant, shift = find_sqrt2_constant(limit, frac)
    for x in range(-limit, limit + 1):
        assert x * constant + (1 << shift - 1) >> shift == multiply_by_sqrt2(x, frac)


@given(st.integers(1, 10**9), st.integers(0, 8), st.data())
def test_the_constant_is_wide_enough_for_large_sums(limit, frac, data):
    constant, shift = find_sqrt2_constant(limit, frac)
    x = data.draw(st.one_of(st.integers(0, limit), st.sampled_from([limit, *worst_cases(limit)])))
    for value in (x, -x):
        assert value * constant + (1 << shift - 1) >> shift == multiply_by_sqrt2(value, frac)


@pytest.mark.parametrize("frac", [-1, 0, 2, 5])
@pytest.mark.parametrize("low_bits, high", [(4, range(0, 256, 16)), (4, range(-128, 128, 16)), (3, range(0, 32, 8))])
def test_two_tables_add_up_to_the_one(low_bits, high, frac):
    high, low = np.array(high), np.arange(1 << low_bits)
    first, second, guard = split_sqrt2_table(high, low, frac)
    np.testing.assert_array_equal(first[:, None] + second >> guard, make_sqrt2_table(high[:, None] + low, frac))
    assert (first[:, None] + second >> guard + 1 != make_sqrt2_table(high[:, None] + low, frac)).any()


def test_a_narrower_constant_would_be_seen():
    """The negative control of the two tests above: with far fewer bits some x rounds wrongly."""
    constant, shift = find_sqrt2_constant(34560, 0)
    cut = shift // 2
    wrong = [
        x
        for x in range(34561)
        if x * (constant >> cut) + (1 << shift - cut - 1) >> shift - cut != multiply_by_sqrt2(x, 0)
    ]
    assert wrong


@pytest.mark.parametrize(
    "low, high, width", [(0, 0, 1), (-1, 0, 1), (0, 1, 2), (-128, 127, 8), (-129, 0, 9), (0, 128, 9)]
)
def test_signed_width(low, high, width):
    assert signed_width(low, high) == width


@pytest.mark.parametrize("unit", UNITS)
def test_products_and_ranges(unit):
    """Products are within the stated error of the real ones, and the result range is that of `depth` equal terms."""
    for spec in all_specs():
        if spec.unit == unit:
            check_products_and_range(spec)


def check_products_and_range(spec):
    exact = np.outer(meant_values(spec), spec.activations) * 2.0**spec.result_frac
    codes = np.arange(1 << spec.level_set.code_bits)
    dots = spec.dot(codes[:, None, None], spec.activations[None, :, None])
    np.testing.assert_allclose(
        dots, exact, atol=max(spec.product_error(), 0.5 if spec.unit == "post-exact" else 0) + 1e-6
    )
    levels = spec.level_set
    if spec.unit == "post" and levels.magnitudes > 1:
        assert spec.product_error() <= 2 ** ((levels.magnitudes - 2) // 2) / (1 if spec.frac < 0 else 2)
    extremes = spec.activations.min(), spec.activations.max()
    repeated = [spec.dot(np.full(spec.depth, code), np.full(spec.depth, a)) for code in codes for a in extremes]
    low, high = spec.result_range
    assert (min(*repeated, 0), max(*repeated, 0)) == (low, high)
    assert -(1 << spec.result_width - 1) <= low and high < 1 << spec.result_width - 1
    narrower = spec.result_width - 1
    assert narrower == 0 or not (-(1 << narrower - 1) <= low and high < 1 << narrower - 1)


@given(st.sampled_from(list(all_specs())), st.data())
def test_dot_is_the_sum_of_real_products(spec, data):
    size = data.draw(st.integers(1, spec.depth))
    codes = np.array(
        data.draw(st.lists(st.integers(0, (1 << spec.level_set.code_bits) - 1), min_size=size, max_size=size))
    )
    activations = np.array(
        data.draw(st.lists(st.sampled_from(spec.activations.tolist()), min_size=size, max_size=size))
    )
    real = (meant_values(spec)[codes] * activations).sum() * 2.0**spec.result_frac
    bound = spec.product_error() * size + (0.5 if spec.unit == "post-exact" else 0) + 1e-6
    result = int(spec.dot(codes, activations))
    assert abs(result - real) <= bound
    assert spec.result_range[0] <= result <= spec.result_range[1]


def test_cycle_formulas():
    units = ("post", "post-exact", "pot", "apot", "uniform", "serial")
    assert [MacSpec(unit, 4, 4).interval for unit in units] == [1, 1, 1, 1, 1, 4]
    assert [MacSpec(unit, 4, 4).latency for unit in units] == [2, 3, 2, 2, 2, 5]
    assert [MacSpec("post", 4, 4, lanes=lanes).latency for lanes in (2, 3, 16)] == [3, 4, 6]
    assert MacSpec("serial", 4, 4).cycles(10) == 4 * 9 + 5 + 1


@pytest.mark.parametrize(
    "kwargs, name",
    [
        ({}, "post_mac_w3a3"),
        ({"unit": "post-exact", "weight_bits": 4, "activation_bits": 8}, "post_exact_mac_w4a8"),
        ({"kind": "extended", "frac": 0, "depth": 10, "signed_activation": True}, "post_mac_w3a3_extended_f0_d10_sa"),
        ({"unit": "uniform", "weight_bits": 8, "activation_bits": 8}, "uniform_mac_w8a8"),
    ],
)
def test_names_show_what_is_not_default(kwargs, name):
    assert MacSpec(**kwargs).name == name


@pytest.mark.parametrize(
    "kwargs, said",
    [
        ({"unit": "booth"}, "unit is 'booth'; allowed: post, post-exact, post-sorted, post-three-halves, pot, "),
        ({"activation_bits": 0}, "activation_bits is 0; allowed: 1 to 8"),
        ({"activation_bits": 9}, "activation_bits is 9"),
        ({"depth": 0}, "depth is 0"),
        ({"frac": 13}, "frac is 13; allowed: -1 to 12"),
        ({"unit": "post-exact", "frac": -1}, "frac is -1; allowed: 0 to 12"),
        ({"lanes": 0}, "lanes is 0; allowed: 1 to 256"),
        ({"unit": "serial", "lanes": 2}, "unit serial has one lane"),
        ({"unit": "serial", "gated": True}, "gated is 1, but unit serial has no sign apart from its product"),
        ({"unit": "uniform", "shared": True}, "shared is 1, but unit uniform needs nothing"),
        (
            {"unit": "uniform-table", "activation_bits": 6},
            "and activation_bits are 3 and 6 for unit uniform-table",
        ),
        ({"unit": "pot", "frac": 2}, "frac is 2, but unit pot has no choice of fraction bits"),
        ({"unit": "uniform", "kind": "extended"}, "only one level set"),
    ],
)
def test_impossible_units_are_refused_by_name(kwargs, said):
    with pytest.raises(InputError, match=said):
        MacSpec(**kwargs)
