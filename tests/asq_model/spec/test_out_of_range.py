"""The integer specification refuses numbers that it cannot hold; cut to fewer bits they would be other numbers."""

import numpy as np
import pytest

from asq_model.common.errors import InputError
from asq_model.spec.adaptive_step import IntegerAdapter, IntegerDense, IntegerQuantiser
from asq_model.spec.array import ArraySpec
from asq_model.spec.fixed_point import find_mantissas, round_shift
from asq_model.spec.graph.elementwise import Input
from asq_model.spec.graph.graph import Graph
from asq_model.spec.levels import LevelSet
from asq_model.spec.mac import MacSpec
from asq_model.spec.products import Products
from asq_model.spec.rescale import Rescale
from asq_model.spec.sqrt2 import make_sqrt2_table
from asq_model.spec.units import UNITS

TOP = (1 << 63) - 1


def ints(*values):
    return np.array(values)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("activation, said", [(8, "activations have 8; allowed: 0 to 7"), (-1, "have -1; allowed: 0")])
def test_a_unit_s_activation_that_does_not_fit(unit, activation, said):
    with pytest.raises(InputError, match=said):
        MacSpec(unit, 4, 3).dot(ints(1, 2), ints(0, activation))


def test_a_signed_activation_has_its_own_range():
    spec = MacSpec("uniform", 4, 3, signed_activation=True)
    assert spec.dot(ints(1), ints(-4)) == -4
    for value in (4, -5):
        with pytest.raises(InputError, match=rf"activations have {value}; allowed: -4 to 3"):
            spec.dot(ints(1), ints(value))


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("code", [-1, 16, 1 << 40])
def test_a_unit_s_weight_code_that_does_not_exist(unit, code):
    with pytest.raises(InputError, match=rf"weight codes have {code}; allowed: 0 to 15"):
        MacSpec(unit, 4, 3).dot(ints(0, code), ints(0, 1))


def test_numbers_that_are_no_integers():
    with pytest.raises(InputError, match=r"activations are of type float64; allowed: integers from 0 to 7"):
        MacSpec().dot(ints(1), np.array([2.7]))
    with pytest.raises(InputError, match=r"weight codes are of type bool"):
        MacSpec().dot(np.array([True]), ints(2))
    with pytest.raises(InputError, match=r"type float64"):
        make_sqrt2_table(np.array([1.5]), 2)
    assert MacSpec().dot(np.array([]), np.array([])) == 0  # nothing in it that could be wrong


def test_more_terms_than_the_accumulator_is_for():
    spec = MacSpec(depth=3)
    assert spec.dot(ints(2, 2, 2), ints(7, 7, 7)) == 3 * 2 * 7 * 4
    with pytest.raises(InputError, match="a dot product has 4 terms; allowed: up to the depth, 3"):
        spec.dot(np.full(4, 2), np.full(4, 7))


def test_an_array_s_operands():
    spec = ArraySpec(MacSpec("post", 3, 3), 2, 2)
    codes = np.zeros((2, 2), np.int64)
    assert spec.compute_sums(codes, ints(7, 0))["sum"].tolist() == [28, 28]
    for wrong, said in (((codes, ints(8, 0)), "have 8; allowed: 0 to 7"), ((codes + 8, ints(0, 0)), "have 8; allowed")):
        with pytest.raises(InputError, match=said):
            spec.compute_sums(*wrong)
    with pytest.raises(InputError, match=r"weight codes \(1, 2\) and activations \(2,\) for an array of 2 x 2"):
        spec.compute_sums(codes[:1], ints(0, 0))


def test_an_accumulator_too_small_for_one_pass_or_one_beat():
    """−16 came out for 112."""
    with pytest.raises(InputError, match="depth is 1 and rows is 2; allowed: a depth of at least the rows"):
        ArraySpec(MacSpec("post", 3, depth=1), 2, 1)
    with pytest.raises(InputError, match="lanes is 4 and depth is 3; allowed: a depth of at least the lanes"):
        MacSpec(depth=3, lanes=4)
    assert ArraySpec(MacSpec("post", 3, depth=2), 2, 1).compute_sums(np.full((2, 1), 2), ints(7, 7))["sum"] == [112]
    MacSpec(depth=4, lanes=4)


@pytest.mark.parametrize("name", ["signed_activation", "shared", "gated"])
def test_a_flag_is_true_or_false(name):
    with pytest.raises(InputError, match="is 2; allowed: True, False"):
        MacSpec(**{name: 2})


@pytest.mark.parametrize("family", ["post", "pot", "apot", "uniform"])
@pytest.mark.parametrize("code", [-1, 8])
def test_a_level_s_code_that_does_not_exist(family, code):
    levels = LevelSet(family, 3, "symmetric" if family in ("post", "pot") else "")
    for look in (levels.level, levels.describe, levels.sign):
        with pytest.raises(InputError, match=f"weight code is {code}; allowed: 0 to 7"):
            look(code)


@pytest.mark.parametrize("x", [TOP, TOP - 1, -TOP - 1, 5])
@pytest.mark.parametrize("shift", [2, 8, 40, 63, 64, 70])
def test_rounding_does_not_overflow_on_the_way(x, shift):
    assert round_shift(ints(x), shift)[0] == (x + (1 << shift - 1)) >> shift


def test_what_needs_more_than_64_bits():
    quantiser = IntegerQuantiser(
        3, False, 1 << 40, 0, IntegerAdapter(None, IntegerDense(ints([1]), ints(0), 0), 1, 60, 8)
    )
    cases = {
        "a number shifted left": lambda: round_shift(ints(1 << 40), -30),
        "a sum of the adapter": lambda: IntegerDense(ints([1 << 40]), ints(0), 0)(ints([1 << 30])),
        "the step times β": lambda: quantiser.compute_step(np.full((1, 1, 1), 1 << 30)),
        "an input and a step": lambda: quantiser.encode(np.full((1, 1, 1), 1 << 55), ints(1)),
        "a multiplier times the step": lambda: Rescale(ints(1 << 40), ints(0), 0, 0, 8).compute_scales(ints(1 << 30)),
        "a sum times its scale": lambda: Rescale(ints(1 << 30), ints(0), 0, 0, 8).scale_sums(
            np.full((1, 1, 1), 1 << 30), ints(1 << 20)
        ),
    }
    for name, compute in cases.items():
        with pytest.raises(InputError, match=rf"^{name} may reach .*; allowed: less than 2\^63"):
            compute()


def test_a_step_below_one():
    with pytest.raises(InputError, match="a step is 0; allowed: 1 or more"):
        IntegerQuantiser(3, False, 1, 0, None).encode(np.zeros((1, 1, 1), np.int64), ints(0))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_factor_that_is_no_number(value):
    with pytest.raises(InputError, match=f"stored in 8 bits is {value}; allowed: finite"):
        find_mantissas(np.array([1.0, value]), 8)


def test_operands_of_an_integer_network():
    products = Products(np.array([[1, 0]], np.int32), np.array([[0, 1]], np.int32), 7, 2)
    assert products.compute_sums(np.array([[[[7.0], [7.0]]]])).item() == 28 + 40
    with pytest.raises(InputError, match="activation codes have the magnitude 8; allowed: 7 or less"):
        products.compute_sums(np.array([[[[0.0], [-8.0]]]]))  # would be looked up at the table's other end
    graph = Graph((Input(name="input", inputs=(), shape=(1, 1, 1), bits=8, point=0, table=None),))
    with pytest.raises(InputError, match="node input: input is of type uint8; allowed: int64"):
        graph(np.full((1, 1, 1, 1), 1, np.uint8))
    with pytest.raises(InputError, match="node input: the input's numbers are 128 to 128; allowed: -128 to 127"):
        graph(np.full((1, 1, 1, 1), 128))
