import numpy as np
import pytest

from asq_model.spec.mac import MacSpec
from sim.vectors.dot_products import (
    Workload,
    make_extreme_workload,
    make_golden_workloads,
    make_product_workload,
    make_random_workload,
)


def test_words_pack_weight_activation_last():
    spec = MacSpec("post", 3, 4, signed_activation=True)
    workload = Workload.of(spec, "x", [(np.array([5, 1]), np.array([-1, 7])), (np.array([2]), np.array([-8]))])
    assert workload.pack_words(spec) == [5 | 15 << 3, 1 | 7 << 3 | 1 << 7, 2 | 8 << 3 | 1 << 7]


@pytest.mark.parametrize("unit", ["post", "post-exact", "pot", "apot", "uniform"])
def test_extremes_reach_the_range(unit):
    spec = MacSpec(unit, 4, 4, depth=50, signed_activation=True)
    assert {min(make_extreme_workload(spec).expected), max(make_extreme_workload(spec).expected)} == set(
        spec.result_range
    )


def test_products_are_all_pairs_once():
    spec = MacSpec("uniform", 3, 2)
    workload = make_product_workload(spec)
    assert sorted(workload.expected) == sorted(spec.products.flat) and len(set(workload.pack_words(spec))) == 32


def test_random_workload_is_the_same_every_time_and_within_depth():
    spec = MacSpec(depth=5)
    first, second = make_random_workload(spec, 3), make_random_workload(spec, 3)
    assert first.pack_words(spec) == second.pack_words(spec) != make_random_workload(spec, 4).pack_words(spec)
    assert np.diff(first.ends, prepend=0).max() <= 5


def test_golden_workloads_are_those_that_have_the_unit(small_golden):
    names = [workload.name for workload in make_golden_workloads(MacSpec("uniform", 8, 8), small_golden)]
    assert names == ["conv", "fc"]
    assert not list(make_golden_workloads(MacSpec("post", 4, 4), small_golden))
