"""ASQ's blocks in Verilator: golden maps of a trained checkpoint, the corners of the parameter space, and mutants."""

import re
from dataclasses import replace

import numpy as np
import pytest
from conftest import some

import hw.asq.adapter
import hw.asq.quantiser
import hw.asq.rescale
from asq_model.spec.adaptive_step import IntegerAdapter, IntegerDense
from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.golden_vectors import read_manifest, read_maps, write_layer, write_manifest
from hw.catalogue import make_component
from hw.emit import to_verilog
from sim.runner.bench_runner import run_job
from sim.runner.jobs import BLOCK_TESTS, Job
from sim.runner.network_units import make_block_specs
from sim.vectors.feature_maps import AdapterMaps, read_golden_layer

CORNERS = [
    BlockSpec("channel-sums", channels=1, pixels=1, precision=12),
    BlockSpec("channel-sums", channels=12, pixels=5, lanes=4),
    BlockSpec("adapter", channels=1, pixels=1),
    BlockSpec("adapter", channels=24, pixels=1000, lanes=3, precision=16),
    BlockSpec("quantiser", activation_bits=1),
    BlockSpec("quantiser", activation_bits=1, signed_activation=True, precision=12),
    BlockSpec("quantiser", activation_bits=4, signed_activation=True, lanes=2),
    BlockSpec("quantiser", activation_bits=8, precision=26, lanes=2, channels=2),
    BlockSpec("rescale", channels=1, pixels=1, precision=12, total_bits=16),
    BlockSpec("rescale", channels=20, pixels=50, precision=16),
    BlockSpec("adapter-step", channels=1, pixels=1, activation_bits=1),
    BlockSpec("adapter-step", channels=32, pixels=9, activation_bits=4, signed_activation=True, lanes=4),
    BlockSpec("adapter-step", channels=6, pixels=300, activation_bits=8, lanes=2, precision=16),
    BlockSpec("adapter-step", channels=128, pixels=16, activation_bits=4, buffer=64),
]


# Several values a cycle and signed codes, as no golden map has; with sums, an adapter and a quantiser in it.
USUAL = [BlockSpec("adapter-step", channels=32, pixels=9, activation_bits=4, signed_activation=True, lanes=4)]


@pytest.mark.parametrize("spec", [some(spec, USUAL, spec.name) for spec in CORNERS])
def test_block(spec, build_root):
    outcome = run_job(Job(spec), build_root)
    assert outcome.passed, outcome.list_failures()
    assert set(outcome.tests) == set(BLOCK_TESTS) - {"golden"}


def golden_specs(golden) -> dict[str, BlockSpec]:
    return {f"{spec.unit} {spec.activation_bits}": spec for spec in make_block_specs(read_manifest(golden))}


@pytest.mark.parametrize(
    "unit", ["channel-sums 3", "adapter 3", "quantiser 3", "quantiser 8", "rescale 3", "adapter-step 3"]
)
def test_golden_maps(unit, few_golden, build_root):
    specs = golden_specs(few_golden)
    assert len(specs) == 6
    outcome = run_job(Job(specs[unit], few_golden), build_root)
    assert outcome.passed, outcome.list_failures()
    layers = [layer["layer"] for layer in outcome.findings["golden"]["layers"]]
    assert len(layers) == {"rescale 3": 3}.get(unit, 2)
    assert outcome.findings["golden"]["failed"] == 0 < outcome.findings["golden"]["vectors"]


def changed_copy(golden, folder, layer: str, array: str, index, bit: int):
    """The golden vectors with one bit of one array flipped and every hash made right again."""
    manifest = read_manifest(golden)
    for path in golden.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    arrays = dict(next(maps for maps in read_maps(golden) if maps.name == layer).arrays)
    arrays[array] = arrays[array].copy()
    arrays[array][index] ^= 1 << bit
    entry = next(entry for entry in manifest["maps"] if entry["name"] == layer)
    entry |= write_layer(folder, f"{layer}.maps", arrays)
    write_manifest(folder, manifest)
    return folder


def changed_betas(adapter: AdapterMaps, index) -> np.ndarray:
    """β by the specification with bit 17 of one of the first layer's weights flipped: some weights see only zeros."""
    weights = adapter.neuron_weights.copy()
    weights[index] ^= 1 << 17
    hidden = IntegerDense(weights, adapter.neuron_biases, adapter.hidden_shift)
    output = IntegerDense(adapter.output_weights[None], np.array([adapter.output_bias]), adapter.output_shift)
    return IntegerAdapter(hidden, output, adapter.floor, 20, 24)(adapter.sums)


def test_a_corrupted_adapter_weight_is_found(few_golden, build_root, tmp_path):
    spec = golden_specs(few_golden)["adapter 3"]
    adapter = read_golden_layer(next(maps for maps in read_maps(few_golden) if maps.name == "block2.conv1")).adapter
    index = next(
        index
        for index in np.ndindex(adapter.neuron_weights.shape)
        if (changed_betas(adapter, index) != adapter.betas).any()
    )
    copy = changed_copy(few_golden, tmp_path, "block2.conv1", "unit_weights", index, 17)
    outcome = run_job(Job(spec, copy, ("golden",)), build_root)
    assert not outcome.passed and re.search(r"block2\.conv1 word \d+: expected 0x\w+, got 0x", outcome.tests["golden"])


FLIPPED = {  # by block and array: where, and what is said
    ("quantiser 3", "codes"): ((1, 2, 3, 4), "block1.conv2 word "),
    ("adapter-step 3", "steps"): (1, "block1.conv2 step 1: "),
    ("adapter-step 3", "inputs"): ((0, 0, 0, 0), "block1.conv2 "),
    ("rescale 3", "outputs"): ((0, 5, 1, 1), "block1.conv2 word "),
    ("channel-sums 3", "sums"): ((1, 0), "block1.conv2 word "),
}


@pytest.mark.parametrize("unit, array", [some(place, list(FLIPPED)[:1], "-".join(place)) for place in FLIPPED])
def test_one_flipped_bit_is_found(unit, array, few_golden, build_root, tmp_path):
    index, said = FLIPPED[unit, array]
    spec = golden_specs(few_golden)[unit]
    bit = 18 if array == "inputs" else 0
    copy = changed_copy(few_golden, tmp_path, "block1.conv2", array, index, bit)
    outcome = run_job(Job(spec, copy, ("golden",)), build_root)
    assert not outcome.passed and said in outcome.tests["golden"]


STEP = BlockSpec("adapter-step", channels=4, pixels=6, activation_bits=3)
# name: (block, attribute of a module and what it becomes, or a pattern in the Verilog and its replacement)
MUTANTS = {
    "the adapter rounds down": (STEP, (hw.asq.adapter, "round_shift", lambda x, shift: x >> shift)),
    "the rescale rounds down": (
        BlockSpec("rescale", channels=4, pixels=6),
        (hw.asq.rescale, "round_shift", lambda x, shift: x >> shift),
    ),
    "β saturates at 8": (STEP, (hw.asq.adapter, "BETA_LIMIT", 8)),
    "the quantiser rounds down": (
        replace(STEP, unit="quantiser", buffer=0),
        (r"= \$signed\((\\\$\d+ )\) \+ \$signed\(\{ 1'h0, \\\$\d+ \[28:0\] \}\);", r"= $signed(\1) + $signed(1'h0);"),
    ),
    "a value between two codes rounds down": (
        replace(STEP, unit="quantiser", buffer=0),
        (
            r"= \$signed\(rest_2_0\) - \$signed\(\{ 1'h0, (\\\$\d+)  \}\);",
            r"= $signed(rest_2_0) - $signed({ 1'h0, \1 }) - 1;",
        ),
    ),
    "channels keep the map before": (
        replace(STEP, unit="channel-sums", buffer=0),
        (r"= \\\$\d+  \? (read__data) : 23'h000000;", r"= \1;"),
    ),
}


USUAL_MUTANTS = ("the adapter rounds down", "the quantiser rounds down")


@pytest.mark.xdist_group("mutants")
@pytest.mark.parametrize("mutant", [some(mutant, USUAL_MUTANTS, mutant) for mutant in MUTANTS])
def test_a_broken_block_is_found(mutant, mutants_root, tmp_path, monkeypatch):
    spec, (*place, changed) = MUTANTS[mutant]
    if len(place) == 2:
        monkeypatch.setattr(*place, changed)
    text = to_verilog(make_component(spec), spec.name, mutant)
    if len(place) == 1:
        broken = re.sub(place[0], changed, text, count=1)
        assert broken != text, f"the line of mutant {mutant!r} is no longer in the Verilog"
        text = broken
    (tmp_path / f"{spec.name}.v").write_text(text)
    outcome = run_job(Job(spec, verilog=tmp_path / f"{spec.name}.v"), mutants_root)
    assert not outcome.passed, mutant
