"""The checks can fail: wrong golden vectors, broken RTL and a simulator that dies are all reported as failures."""

import re

import numpy as np
import pytest
from conftest import some

from asq_model.spec.golden_vectors import read_golden, read_manifest, write_layer, write_manifest
from asq_model.spec.mac import MacSpec
from hw.emit import emit
from sim.runner.bench_runner import run_job
from sim.runner.jobs import Job

# Broken units share a folder, and so one build place: they take turns.
pytestmark = pytest.mark.xdist_group("negative")
SPEC = MacSpec("post", 4, 4)


def test_one_flipped_bit_in_one_golden_vector_is_found(few_golden, build_root, tmp_path):
    """Flipped in an expected result, with every hash made right again, so that only the simulation can tell."""
    spec = MacSpec("post", 3, 3)
    manifest = read_manifest(few_golden)
    for path in few_golden.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    layers = {layer.name: layer for layer in read_golden(few_golden)}
    arrays = {name: array.copy() for name, array in layers["block2.conv1"].arrays.items()}
    right = int(arrays[f"expected_{spec.name}"][17])
    arrays[f"expected_{spec.name}"][17] ^= 1
    entry = next(entry for entry in manifest["layers"] if entry["name"] == "block2.conv1")
    entry |= write_layer(tmp_path, "block2.conv1", arrays)
    write_manifest(tmp_path, manifest)

    outcome = run_job(Job(spec, tmp_path, ("golden",)), build_root)
    assert not outcome.passed
    assert outcome.findings["golden"]["failed"] == 1
    assert f"block2.conv1 vector 17: expected {right ^ 1}, got {right}" in outcome.tests["golden"]


@pytest.mark.exhaustive
def test_a_flipped_operand_bit_is_found(few_golden, build_root, tmp_path):
    spec = MacSpec("post", 3, 3)
    manifest = read_manifest(few_golden)
    for path in few_golden.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    layer = next(layer for layer in read_golden(few_golden) if layer.name == "block1.conv2")
    arrays = {name: array.copy() for name, array in layer.arrays.items()}
    codes = spec.level_set.values[layer.codes(spec.level_set)[layer.channels[5]]]
    arrays["activations"][5, np.abs(codes).argmax()] ^= 1
    next(entry for entry in manifest["layers"] if entry["name"] == layer.name).update(
        write_layer(tmp_path, layer.name, arrays)
    )
    write_manifest(tmp_path, manifest)
    outcome = run_job(Job(spec, tmp_path, ("golden",)), build_root)
    assert re.search(r"block1\.conv2 vector 5: expected -?\d+, got", outcome.tests["golden"])


MUTANTS = {
    "subtracts instead of adding": (r"= \$signed\((.*?)\) \+ \$signed", r"= $signed(\1) - $signed"),
    "drops the carry of a complement": (r"(\$signed\(\{ \S+ , )i__payload\[10\]", r"\g<1>1'h0"),
    "a table entry off by one": (r"(root = )7'h28;", r"\g<1>7'h29;"),
    "keeps the sum of the dot product before": (r"starts \? 20'h00000 : o__payload", "1'h0 ? 20'h00000 : o__payload"),
    "valid without waiting": (r"= i__valid & i__payload\[11\]", "= i__payload[11]"),
    "reset leaves a result": (r"(if \(rst\) begin\s+\\\$\d+  = 1'h)0(;)", r"\g<1>1\2"),
}


# A wrong product is seen in test_debugging, too.
USUAL = ("keeps the sum of the dot product before", "valid without waiting", "reset leaves a result")


@pytest.mark.parametrize("mutant", [some(mutant, USUAL, mutant) for mutant in MUTANTS])
def test_one_broken_line_of_rtl_is_found(mutant, mutants_root, tmp_path):
    verilog, _ = emit(SPEC, tmp_path)
    pattern, replacement = MUTANTS[mutant]
    text, changed = re.subn(pattern, replacement, verilog.read_text(), count=1)
    assert changed, f"the line of mutant {mutant!r} is no longer in the Verilog"
    verilog.write_text(text)
    outcome = run_job(Job(SPEC, verilog=verilog), mutants_root)
    assert not outcome.passed, mutant
    assert all(line.startswith(SPEC.name) for line in outcome.list_failures())


def test_a_simulation_that_dies_has_not_passed(mutants_root, tmp_path):
    """Every test that did not run counts as failed."""
    verilog, _ = emit(SPEC, tmp_path)
    text = verilog.read_text().replace("endmodule", 'initial $fatal(1, "dead");\nendmodule', 1)
    verilog.write_text(text)
    outcome = run_job(Job(SPEC, verilog=verilog), mutants_root)
    assert not outcome.passed and len(outcome.list_failures()) == 5
