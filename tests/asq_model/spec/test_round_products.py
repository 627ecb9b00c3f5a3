"""Rounded roots in a graph are the products of unit `post`, and signed codes' are moved by half their range."""

import numpy as np
import pytest

from asq_model.common.errors import InputError
from asq_model.spec.adaptive_step import IntegerQuantiser
from asq_model.spec.graph.convolution import Convolution
from asq_model.spec.graph.elementwise import Input
from asq_model.spec.graph.graph import Graph
from asq_model.spec.graph.round_products import make_root_table, round_products
from asq_model.spec.mac import MacSpec
from asq_model.spec.precision import GUARD
from asq_model.spec.products import Products
from asq_model.spec.rescale import Rescale


@pytest.mark.parametrize("frac", [-1, 0, 2])
@pytest.mark.parametrize("bits", [3, 4])
def test_sums_are_those_of_the_unit(bits: int, frac: int) -> None:
    """Sums with rounded roots equal the unit's dot products, for every code and activation."""
    mac = MacSpec("post", bits, bits, frac=frac)
    levels, activations = mac.level_set, mac.activations
    codes = np.arange(1 << levels.code_bits)
    even, odd = levels.even[codes].astype(np.int32), levels.odd[codes].astype(np.int32)
    products = Products(
        even[:, None], odd[:, None], int(activations.max()), mac.result_frac, make_root_table(bits, False, frac)
    )
    products.check()
    sums = products.compute_sums(activations[None, None, None, :].astype(np.float64))
    assert np.array_equal(sums[0], mac.products[codes])


def test_signed_codes_are_moved() -> None:
    """The root of a signed code is what the moved code's root is above that of the moved zero."""
    table = make_root_table(4, True, 0)
    unsigned = make_root_table(4, False, 0)[15:]
    assert np.array_equal(table[:16], unsigned - unsigned[8])


def test_wrong_roots_are_refused() -> None:
    """Roots of another size or far from √2 times the code are refused."""
    weights = np.ones((1, 1), np.int32)
    with pytest.raises(InputError, match=r"allowed: int64 \[31\]"):
        Products(weights, weights, 15, 0, np.zeros(3, np.int64)).check()
    with pytest.raises(InputError, match="up to twice the code"):
        Products(weights, weights, 15, 0, np.full(31, 99)).check()


def layer_of(sum_frac: int, multiplier: int, shift: int) -> Graph:
    """A graph of one layer with one weight of 3 + √2 whose quantiser changes nothing; its output has binary point 0."""
    weights, numbers = np.array([[3]], np.int32), np.array([multiplier])
    return Graph(
        (
            Input(name="input", inputs=(), shape=(1, 1, 1), bits=4, point=0, table=None),
            Convolution(
                name="conv",
                inputs=("input",),
                kernel=(1, 1),
                stride=(1, 1),
                padding=(0, 0, 0, 0),
                dilation=(1, 1),
                groups=1,
                quantiser=IntegerQuantiser(4, False, 1 << GUARD, 0, None),
                products=Products(weights, weights // 3, 15, sum_frac),
                rescale=Rescale(numbers, 0 * numbers, GUARD, shift, 32),
                relu=False,
                align=0,
                point=0,
            ),
        )
    )


@pytest.mark.parametrize("sum_frac, frac", [(12, 2), (2, 12), (0, 4)])
@pytest.mark.parametrize("shift", [-3, 0, 1, 12])
def test_a_layer_means_the_same_with_other_fraction_bits(sum_frac: int, frac: int, shift: int) -> None:
    """Also where the sums get more bits than they had, and where the output is shifted left."""
    graph, x = layer_of(sum_frac, 64, shift), np.arange(8).reshape(8, 1, 1, 1)
    found, wanted = round_products(graph, frac)(x), (3 + 2**0.5) * x * 2.0 ** (6 + sum_frac - shift)
    unit = 64 * 2.0 ** (sum_frac - shift)  # what one unit of an activation's product is in the output
    assert np.abs(found - wanted).max() <= unit * 2.0**-frac + 1


@pytest.mark.parametrize("sum_frac, multiplier, scale_shift", [(4, 64, GUARD - 4), (8, 64, 0), (12, 64 << 4, 0)])
def test_multipliers_are_wider_only_where_their_shift_cannot_be_less(
    sum_frac: int, multiplier: int, scale_shift: int
) -> None:
    """Scales make up for sums that have fewer fraction bits; an engine's memory holds multipliers as wide as before."""
    (_, node) = round_products(layer_of(sum_frac, 64, 0), 0).nodes
    assert isinstance(node, Convolution)
    assert (node.rescale.multiplier.tolist(), node.rescale.scale_shift) == ([multiplier], scale_shift)


def test_a_layer_whose_numbers_become_too_large_is_refused() -> None:
    """A shift to the right by more than 64 bits, and a multiplier of more than 64 bits: each names the node."""
    with pytest.raises(InputError, match=r"node conv: its shift with 12 fraction bits is 72; allowed: -64 to 64"):
        round_products(layer_of(2, 1, 62), 12)
    with pytest.raises(InputError, match=r"node conv: a number shifted left may reach"):
        round_products(layer_of(20, 1 << 52, 0), 0)
