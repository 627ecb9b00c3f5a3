from dataclasses import asdict

import numpy as np
import pytest

from asq_model.common.errors import InputError
from asq_model.spec.array import ArraySpec
from asq_model.spec.mac import MacSpec


@pytest.mark.parametrize("unit", ["post", "post-exact", "uniform-sign", "e2m1"])
def test_an_array_is_a_dot_product_per_column(unit):
    mac = MacSpec(unit, 4, 4, signed_activation=True)
    spec = ArraySpec(mac, 5, 3)
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 16, (5, 3))
    activations = rng.choice(mac.activations, (7, 5))
    sums = spec.compute_sums(codes, activations)
    assert list(sums) == list(spec.sum_widths)
    for column in range(3):
        if unit != "post-exact":
            np.testing.assert_array_equal(sums["sum"][:, column], mac.dot(codes[:, column], activations))
            continue
        real = sums["even"][:, column] + sums["odd"][:, column] * np.sqrt(2)
        np.testing.assert_allclose(real, (mac.level_set.values[codes[:, column]] * activations).sum(1), atol=1e-9)


def test_names_and_latency():
    spec = ArraySpec(MacSpec("post", 4, 4, frac=-1), 8, 4, 2)
    assert spec.name == "post_array8x4_w4a4_fm1_s2" and (spec.latency, spec.interval) == (7, 1)
    assert ArraySpec.of(asdict(spec)) == spec


@pytest.mark.parametrize(
    "mac, sizes, said",
    [
        ({}, (0, 8), "rows is 0; allowed: 1 to 64"),
        ({}, (8, 65), "columns is 65"),
        ({}, (8, 8, 4), "stages is 4; allowed: 1 to 3"),
        ({"unit": "uniform-adders"}, (8, 8, 3), "stages is 3 for unit uniform-adders; allowed: post,"),
        ({"unit": "uniform-shared"}, (8, 8, 3), "stages is 3 for weights of 3 bits; allowed: 4 and more"),
        ({"unit": "uniform"}, (8, 8, 2), "stages is 2 for unit uniform"),
        ({"unit": "uniform-sign"}, (8, 8, 2), "stages is 2 for weights of 3 bits"),
        ({"unit": "serial"}, (8, 8), "unit is serial"),
        ({"unit": "post-sorted"}, (8, 8), "unit is post-sorted"),
        ({"lanes": 2}, (8, 8), "lanes, shared and gated are of units"),
    ],
)
def test_impossible_arrays_are_refused_by_name(mac, sizes, said):
    with pytest.raises(InputError, match=said):
        ArraySpec(MacSpec(**{"unit": "post", "weight_bits": 3, "activation_bits": 3} | mac), *sizes)
