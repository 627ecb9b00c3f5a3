from fractions import Fraction
from math import floor

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from asq_model.spec.fixed_point import find_mantissas, round_shift, saturate

WIDE = st.integers(-(2**40), 2**40)


@given(x=WIDE, shift=st.integers(-10, 20))
def test_round_shift_is_the_nearest_ties_up(x, shift):
    assert round_shift(np.array(x), shift) == floor(Fraction(x) / Fraction(2) ** shift + Fraction(1, 2))


@given(x=st.lists(WIDE, min_size=1, max_size=20), bits=st.integers(2, 20), signed=st.booleans())
def test_saturate_clamps_and_counts(x, bits, signed):
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    clamped, outside = saturate(np.array(x), bits, signed)
    assert clamped.tolist() == [min(max(value, low), high) for value in x]
    assert outside == sum(not low <= value <= high for value in x)


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=10), bits=st.integers(4, 24))
@example(values=[2.2250738585072014e-308], bits=4)  # the power of two that scales it is beyond a double
def test_mantissas_are_within_half_a_unit_and_use_their_bits(values, bits):
    codes, point = find_mantissas(np.array(values), bits)
    limit = 2 ** (bits - 1) - 1
    assert np.abs(codes).max() <= limit
    largest = max(map(abs, values))
    if largest > 1e-300:
        assert np.abs(np.ldexp(codes, -point) - np.array(values)).max() <= np.ldexp(0.5, -point)
        assert np.abs(codes).max() * 2 >= limit  # one bit more would not fit


def test_mantissas_of_what_rounds_up_to_a_power_of_two():
    codes, point = find_mantissas(np.array([1 - 2.0**-20]), 8)
    assert codes.tolist() == [64] and point == 6
    assert find_mantissas(np.zeros(3), 8)[0].tolist() == [0, 0, 0]
