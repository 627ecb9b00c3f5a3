"""The rescale against its formula in rational numbers."""

from fractions import Fraction
from math import floor

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from asq_model.spec.rescale import Rescale


@given(
    multiplier=st.integers(-(2**19), 2**19 - 1),
    bias=st.integers(-(2**40), 2**40),
    shifts=st.tuples(st.integers(0, 20), st.integers(-2, 40)),
    step=st.integers(1, 2**20 - 1),
    total=st.integers(-(2**22), 2**22),  # every sum stays below 2^63, as `test_no_sum_can_overflow` shows of networks
    bits=st.integers(12, 20),
    relu=st.booleans(),
)
def test_it_is_the_formula(multiplier, bias, shifts, step, total, bits, relu):
    def nearest(x):
        return floor(x + Fraction(1, 2))

    rescale = Rescale(np.array([multiplier]), np.array([bias]), *shifts, bits)
    sums = np.array([[[total]]])
    found, outside = rescale.finish(rescale.scale_sums(sums, np.array([step])), relu)
    scale = nearest(Fraction(multiplier * step) / 2 ** shifts[0])
    y = nearest(Fraction(total * scale + bias) / Fraction(2) ** shifts[1])
    y = max(y, 0) if relu else y
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    assert found.item() == min(max(y, low), high) and outside == (not low <= y <= high)


def test_each_image_and_channel_has_its_own_scale():
    rescale = Rescale(np.array([3, -5]), np.array([0, 7]), 1, 0, 16)
    assert rescale.compute_scales(np.array([2, 3])).tolist() == [[3, -5], [5, -7]]
    assert rescale.scale_sums(np.ones((2, 2, 1), np.int64), np.array([2, 3]))[:, :, 0].tolist() == [[3, 2], [5, 0]]
