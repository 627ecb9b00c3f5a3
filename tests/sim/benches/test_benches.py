"""The bench in Verilator: every unit passes the same tests, over the corners of the parameter space."""

import re

import pytest
from conftest import some

from asq_model.spec.array import ArraySpec
from asq_model.spec.mac import MacSpec
from asq_model.spec.units import UNITS
from hw.emit import emit
from sim.runner.bench_runner import run_job
from sim.runner.jobs import Job

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
DOTS = [
    MacSpec("post", 4, 4, frac=-1, lanes=16, shared=True),
    MacSpec("post-exact", 3, 3, lanes=3, signed_activation=True),
    MacSpec("uniform", 4, 4, lanes=2, depth=7),
]
# Other ports or level sets than the units of golden vectors have, which pass these tests in tests/sim/test_cli.py.
USUAL = [MacSpec("post-exact", 5, 4, "asymmetric", signed_activation=True), DOTS[0]]
SPECS = [MacSpec(unit, 4, 4) for unit in UNITS] + CORNERS + DOTS
ARRAYS = [
    ArraySpec(MacSpec("uniform-shared", 4, 4), 3, 2, 3),
    ArraySpec(MacSpec("post", 4, 4, frac=-1), 8, 3),
    ArraySpec(MacSpec("post", 4, 4, frac=0), 2, 2, 2),
    ArraySpec(MacSpec("post-exact", 3, 3, signed_activation=True), 5, 1),
    ArraySpec(MacSpec("uniform-sign", 4, 4), 1, 4),
    ArraySpec(MacSpec("post", 4, 4, frac=-1), 3, 2, fpga_family="ecp5"),
    ArraySpec(MacSpec("uniform-sign", 4, 4), 4, 1, fpga_family="xc7"),
]


@pytest.mark.parametrize("spec", [some(spec, USUAL, spec.name) for spec in SPECS])
def test_unit(spec, build_root):
    outcome = run_job(Job(spec), build_root)
    assert outcome.passed, outcome.list_failures()
    assert set(outcome.tests) == {"timing", "products", "extremes", "stalls", "reset_midway"}
    assert outcome.findings["products"]["vectors"] == 1 << spec.level_set.code_bits + spec.activation_bits


@pytest.mark.parametrize("spec", [some(spec, [ARRAYS[1], ARRAYS[-1]], spec.name) for spec in ARRAYS])
def test_array(spec, build_root):
    outcome = run_job(Job(spec), build_root)
    assert outcome.passed, outcome.list_failures()
    assert outcome.findings["products"]["vectors"] == (1 << spec.mac.level_set.code_bits) * len(spec.mac.activations)


@pytest.mark.exhaustive
def test_a_broken_array_is_found(mutants_root, tmp_path):
    """One product of the array has another sign than the specification's."""
    spec = ARRAYS[1]
    verilog, _ = emit(spec, tmp_path)
    wiring = r"(product_1_1 \(\s+\.activation\(\S+ \),\s+\.control\(\S+ )\)"
    text, changed = re.subn(wiring, r"\1^ 5'h02)", verilog.read_text(), count=1)
    assert changed, "the line of the mutant is no longer in the Verilog"
    verilog.write_text(text)
    outcome = run_job(Job(spec, verilog=verilog), mutants_root)
    assert not outcome.passed and "wrong results" in outcome.tests["products"]
