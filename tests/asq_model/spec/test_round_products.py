"""Rounded roots in a graph are the products of unit `post`, and signed codes' are moved by half their range."""

import numpy as np
import pytest

from asq_model.common.errors import InputError
from asq_model.spec.graph.round_products import root_table
from asq_model.spec.mac import MacSpec
from asq_model.spec.products import Products


@pytest.mark.parametrize("frac", [-1, 0, 2])
@pytest.mark.parametrize("bits", [3, 4])
def test_sums_are_those_of_the_unit(bits: int, frac: int) -> None:
    """Sums with rounded roots equal the unit's dot products, for every code and activation."""
    mac = MacSpec("post", bits, bits, frac=frac)
    levels, activations = mac.level_set, mac.activations
    codes = np.arange(1 << levels.code_bits)
    even, odd = levels.even[codes].astype(np.int32), levels.odd[codes].astype(np.int32)
    products = Products(
        even[:, None], odd[:, None], int(activations.max()), mac.result_frac, root_table(bits, False, frac)
    )
    products.check()
    sums = products.sums(activations[None, None, None, :].astype(np.float64))
    assert np.array_equal(sums[0], mac.products[codes])


def test_signed_codes_are_moved() -> None:
    """The root of a signed code is what the moved code's root is above that of the moved zero."""
    table = root_table(4, True, 0)
    unsigned = root_table(4, False, 0)[15:]
    assert np.array_equal(table[:16], unsigned - unsigned[8])


def test_wrong_roots_are_refused() -> None:
    """Roots of another size or far from √2 times the code are refused."""
    weights = np.ones((1, 1), np.int32)
    with pytest.raises(InputError, match=r"allowed: int64 \[31\]"):
        Products(weights, weights, 15, 0, np.zeros(3, np.int64)).check()
    with pytest.raises(InputError, match="up to twice the code"):
        Products(weights, weights, 15, 0, np.full(31, 99)).check()
