"""The bench in Verilator: every unit passes the same tests, over the corners of the parameter space."""

import pytest

from asq_model.integer.mac import UNITS, MacSpec
from sim.run import Job, run_job

CORNERS = [
    MacSpec("post", 2, 1, depth=1),
    MacSpec("post", 4, 4, "extended", frac=0),
    MacSpec("post", 4, 4, "asymmetric"),
    MacSpec("post", 6, 8, signed_activation=True, depth=64),
    MacSpec("post-exact", 2, 2),
    MacSpec("post-exact", 4, 8, "extended", frac=0, depth=4608),
    MacSpec("post-exact", 5, 4, "asymmetric", signed_activation=True),
    MacSpec("pot", 6, 4, "asymmetric", depth=64),
    MacSpec("apot", 6, 4, signed_activation=True, depth=64),
    MacSpec("uniform", 8, 8),
    MacSpec("serial", 2, 3, signed_activation=True),
    MacSpec("serial", 8, 8),
]
SPECS = [MacSpec(unit, bits, bits) for unit in UNITS for bits in (3, 4)] + CORNERS


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_unit(spec, build_root):
    outcome = run_job(Job(spec), build_root)
    assert outcome.passed, outcome.failures()
    assert set(outcome.tests) == {"timing", "products", "extremes", "stalls", "reset_midway"}
    assert outcome.found["products"]["vectors"] == 1 << spec.level_set.code_bits + spec.activation_bits
