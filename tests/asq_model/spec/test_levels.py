import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asq_model.common.errors import InputError
from asq_model.spec.levels import APOT_TERMS, KINDS, MAX_BITS, LevelSet

SETS = [LevelSet(family, bits, kind) for family in ("post", "pot") for kind in KINDS for bits in range(2, 7)]
SETS += [LevelSet("apot", bits) for bits in range(2, 7)] + [LevelSet("uniform", bits) for bits in range(2, 9)]
ids = [s.name for s in SETS]


@pytest.mark.parametrize("levels", SETS, ids=ids)
def test_every_code_means_a_level_and_every_level_has_a_canonical_code(levels):
    assert set(levels.values[levels.codes]) == set(levels.values)
    assert np.all(np.diff(levels.levels) > 0) and levels.levels[-1] == 1
    rows = [levels.describe(code) for code in range(1 << levels.code_bits)]
    assert len(rows) == 1 << levels.code_bits
    for row, value in zip(rows, levels.values, strict=True):
        assert row["zero"] == (value == 0)


@pytest.mark.parametrize("base, family", [(2**0.5, "post"), (2.0, "pot")])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bits", range(2, 7))
def test_exponential_levels_are_those_of_the_method(base, family, kind, bits):
    """α·{0, ±r^−k}: k up to 2^(b−1) − 2, one more for extended, and without the smallest negative for asymmetric."""
    last = 2 ** (bits - 1) - (2 if kind == "symmetric" else 1)
    magnitudes = [base**-k for k in range(last + 1)]
    expected = sorted([0.0, *magnitudes, *(-m for m in magnitudes)])
    if kind == "asymmetric":
        expected.remove(-magnitudes[-1])
    levels = LevelSet(family, bits, kind)
    np.testing.assert_allclose(levels.levels, expected, rtol=1e-14)
    assert len(levels.levels) == 2**bits + {"symmetric": -1, "extended": 1, "asymmetric": 0}[kind]
    assert levels.code_bits == bits + (kind == "extended")


@pytest.mark.parametrize(
    "bits, magnitudes",
    [
        (3, [0, 0.25, 0.5, 1]),
        (4, [0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1]),
        (5, np.array([0, 1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 33, 36, 48]) / 48),
    ],
)
def test_apot_levels_are_the_published_ones(bits, magnitudes):
    levels = LevelSet("apot", bits).levels
    np.testing.assert_allclose(levels[levels >= 0], magnitudes)
    np.testing.assert_allclose(levels, -levels[::-1])


def test_apot_needs_two_terms_up_to_five_bits():
    assert all(len(terms) <= 2 for bits, terms in APOT_TERMS.items() if bits <= 5)


@pytest.mark.parametrize("levels", SETS, ids=ids)
@given(data=st.data())
def test_nearest_is_the_nearest_with_ties_to_the_larger_magnitude(levels, data):
    u = data.draw(st.one_of(st.floats(-1.5, 1.5), st.sampled_from(levels.midpoints.tolist())))
    distance = np.abs(levels.levels - u)
    best = levels.levels[distance == distance.min()]
    found = levels.levels[levels.find_nearest(np.array(u))]
    # A midpoint is rounded to a float, so neighbours may differ by that; the choice must still be the outer one.
    assert np.abs(found - u) <= distance.min() * (1 + 1e-12) + 1e-15
    assert abs(found) >= np.abs(best).max() - 1e-15 or len(best) == 1


def test_the_sign_bit_alone_negates():
    for levels in SETS:
        if levels.family != "uniform" and levels.kind != "asymmetric":
            half = 1 << levels.code_bits - 1
            np.testing.assert_array_equal(levels.values[:half], -levels.values[half:])


def test_e2m1_is_the_float_of_the_microscaling_formats():
    """Every code, read as a 4-bit float: bias 1, exponent 0 subnormal; levels are twice its value."""
    levels = LevelSet("e2m1", 4)
    for code in range(16):
        sign, exponent, mantissa = -1 if code & 8 else 1, code >> 1 & 3, code & 1
        value = mantissa / 2 if exponent == 0 else (1 + mantissa / 2) * 2 ** (exponent - 1)
        assert levels.values[code] == 2 * sign * value
    assert levels.name == "e2m1" and levels.code_bits == 4 and len(levels.levels) == 15
    assert levels.describe(0b1101) == {"code": 13, "bits": "1101", "zero": False, "sign": -1, "even": -6, "odd": 0}


@pytest.mark.parametrize(
    "family, bits, kind, said",
    [
        ("post", 7, "symmetric", "bits is 7 for post weights; allowed: 2 to 6"),
        ("post", 1, "symmetric", "bits is 1"),
        ("pot", 9, "symmetric", "use uniform"),
        ("uniform", 9, "", "allowed: 2 to 8"),
        ("uniform", 4, "extended", "only one level set"),
        ("post", 4, "wide", "kind is 'wide'; allowed: symmetric, extended, asymmetric"),
        ("float", 4, "", "family is 'float'"),
        ("e2m1", 3, "", "bits is 3 for e2m1 weights; allowed: 4 to 4"),
    ],
)
def test_impossible_sets_are_refused_by_name(family, bits, kind, said):
    with pytest.raises(InputError, match=said):
        LevelSet(family, bits, kind)


def test_the_range_named_in_the_error_is_the_set_s():
    for family in ("post", "pot"):
        levels = LevelSet(family, MAX_BITS[family], "symmetric")
        with pytest.raises(InputError, match=f" {round(levels.level_unit)} times"):
            LevelSet(family, 7, "symmetric")
