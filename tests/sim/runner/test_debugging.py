"""A bench that fails says where: expected and got, the cycle, the operands, the log, and a waveform that agrees."""

import re
import shlex
from pathlib import Path

import pytest

from asq_model.common.errors import InputError
from asq_model.common.records import write_record
from asq_model.spec.array import ArraySpec
from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.mac import MacSpec
from hw.emit import emit
from sim import simulate_commands
from sim.runner import bench_runner, verilator
from sim.runner.bench_runner import run_job
from sim.runner.jobs import Job, make_job_file, read_job
from sim.runner.outcomes import JOB_FILE
from sim.vectors.shipped import shipped_folder

# Broken units share a folder, and so one build place: they take turns.
pytestmark = pytest.mark.xdist_group("negative")
SPEC = MacSpec("post", 4, 4)
GOLDEN = shipped_folder((4, 4))
NARROW = shipped_folder((3, 3))


def broken(spec, pattern, replacement, folder):
    """The unit's Verilog with one line of it changed."""
    verilog, _ = emit(spec, folder)
    text, changed = re.subn(pattern, replacement, verilog.read_text(), count=1)
    assert changed
    verilog.write_text(text)
    return verilog


def value_at(vcd, signal, nanoseconds):
    """What a signal of the top module shows last before a time. VCD's own header says how its identifier is found."""
    header, _, body = vcd.read_text().partition("$enddefinitions")
    name = re.search(rf"\$var wire +\d+ (\S+) {signal} ", header).group(1)
    found = None
    for line in body.splitlines():
        if line.startswith("#") and int(line[1:]) >= nanoseconds * 1000:
            return found
        if line.startswith("b") and line.endswith(f" {name}"):
            found = int(line[1:].split()[0], 2)
    return found


@pytest.fixture
def wrong(mutants_root, tmp_path):
    """The outcome of a unit with a wrong entry in the table of √2·a, on one layer."""
    verilog = broken(SPEC, r"(root = )7'h28;", r"\g<1>7'h29;", tmp_path)
    return run_job(Job(SPEC, GOLDEN, ("golden",), verilog, "block2.conv1"), mutants_root)


def test_a_wrong_product_is_told_with_its_cycle_and_operands(wrong, mutants_root):
    (line,) = wrong.list_failures()
    vector, expected, got, pairs, log = re.match(
        rf"{SPEC.name} golden: \d+ wrong results; block2.conv1 vector (\d+): expected (-?\d+), got (-?\d+);.* the first"
        r" at \d+ ns, cycle \d+, of codes × activations ([\d× ]+) … \(\d+ of them\); .* log (\S+)$",
        line,
    ).groups()
    assert wrong.log.is_file() and log == str(wrong.log)
    first = wrong.findings["golden"]["failures"][0]
    assert (first["layer"], first["vector"]) == ("block2.conv1", int(vector))
    assert SPEC.dot(first["codes"], first["activations"]) == int(expected) != int(got)
    assert pairs.split() == [f"{c}×{a}" for c, a in zip(first["codes"], first["activations"], strict=True)][:12]
    words = shlex.split(wrong.describe_rerun())
    assert words[:4] == ["python", "-m", "sim", "again"]
    assert words[5:] == ["--root", str(mutants_root), "--test", "golden", "--layer", "block2.conv1"]


@pytest.mark.exhaustive
def test_its_waveform_shows_it(wrong, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(verilator, "choose_waveform", lambda: "vcd")
    monkeypatch.setattr(bench_runner, "choose_waveform", lambda: "vcd")
    monkeypatch.chdir(tmp_path)
    words = shlex.split(wrong.describe_rerun())[4:]
    with pytest.raises(SystemExit) as ended:
        simulate_commands.again.main(words, standalone_mode=False)
    said = capsys.readouterr()
    assert ended.value.code == 1 and "alone, with a waveform: python -m sim again " in said.err
    time = int(re.search(r"the first at (\d+) ns", said.err).group(1))
    wave = said.out.strip()
    assert wave.endswith("waves.vcd")
    shown = value_at(Path(wave), r"o__payload", time)
    half = 1 << SPEC.result_width - 1
    assert (shown ^ half) - half == wrong.findings["golden"]["failures"][0]["got"]


@pytest.mark.parametrize(
    "spec, pattern, replacement, said",
    [
        pytest.param(
            ArraySpec(MacSpec("pot", 4, 4), 2, 2),
            r"(s__payload\[20:0\], \S+ \[12\] \}\)) \+",
            r"\1 -",
            r"block1.conv1 tile 0 vector \d+: expected \[.*\], got \[.*\]; .*the first at \d+ ns, cycle \d+, column 0,"
            r" of codes × activations \d+×\d+ \d+×\d+; stopped at \d+ ns, cycle \d+; log ",
            id="array",
        ),
        pytest.param(
            BlockSpec("channel-sums", channels=8, pixels=16),
            r"(\$signed\(\\\$10 \)) \+",
            r"\1 -",
            r"made word \d+: expected 0x\w+, got 0x\w+ at \d+ ns, cycle \d+, of map \d+, words in 0x\w+ .*; stopped at",
            id="block",
            marks=pytest.mark.exhaustive,
        ),
    ],
)
def test_so_do_the_benches_of_arrays_and_of_blocks(spec, pattern, replacement, said, mutants_root, tmp_path):
    verilog = broken(spec, pattern, replacement, tmp_path)
    golden = GOLDEN if isinstance(spec, ArraySpec) else None
    test = "golden" if golden else "timing"
    outcome = run_job(Job(spec, golden, (test,), verilog), mutants_root)
    assert re.search(said, outcome.list_failures()[0]), outcome.list_failures()


def test_one_unit_and_one_layer_alone(build_root, capsys):
    words = [str(NARROW), "--root", str(build_root), "--unit", "uniform", "--layer", "block2.conv1"]
    simulate_commands.run.main(words, standalone_mode=False)
    assert "uniform_mac_w3a3" in capsys.readouterr().err
    job = read_job(next((build_root / "sim" / "bench_uniform_mac_w3a3").glob("run-*/job.json")))
    assert job.spec == MacSpec("uniform", 3, 3)


@pytest.mark.parametrize(
    "words, said",
    [
        (["--unit", "spam"], "--unit is 'spam'; allowed: post, post-exact, pot, apot, e2m1, uniform, serial"),
        (["--layer", "spam"], "--layer is 'spam'; allowed: block1.conv1, block2.conv1, block3.downsample.0, fc"),
        (["--layer", "fc", "--unit", "post"], "--layer is fc, which has nothing for --unit post"),
    ],
)
def test_what_there_is_not_is_refused(words, said, refused):
    assert said in refused("sim", "run", GOLDEN, *words)


def test_a_job_file_that_was_changed_is_refused(refused, tmp_path):
    (tmp_path / "job.json").write_text("{}")
    assert "job of a bench" in refused("sim", "again", tmp_path / "job.json")
    with pytest.raises(InputError, match="cannot read job of a bench"):
        read_job(tmp_path / "none.json")


def test_a_layer_of_a_run_without_golden_vectors_is_refused(refused, tmp_path):
    path = tmp_path / "job.json"
    write_record(path, JOB_FILE, make_job_file(Job(SPEC, None, ("timing",)), tmp_path / "result.json"))
    line = refused("sim", "again", path, "--layer", "fc")
    assert line == f"error: --layer is fc, but {path} is of a run without golden vectors"


def test_a_layer_that_the_network_has_not_is_refused_before_anything_is_built(refused, tmp_path):
    path = tmp_path / "job.json"
    write_record(path, JOB_FILE, make_job_file(Job(SPEC, GOLDEN), tmp_path / "result.json"))
    said = refused("sim", "again", path, "--layer", "spam", "--root", tmp_path / "build")
    assert said.startswith("error: --layer is 'spam'; allowed: block1.conv1, ")
    assert [found.name for found in tmp_path.iterdir()] == ["job.json"]


@pytest.mark.parametrize(
    "spec", [SPEC, ArraySpec(MacSpec("pot", 4, 4), 2, 2), BlockSpec("quantiser")], ids=lambda spec: spec.name
)
def test_a_job_file_says_which_bench_of_which_unit_ran(spec, tmp_path):
    job = Job(spec, GOLDEN.resolve(), ("golden",), layer="fc")
    write_record(tmp_path / "job.json", JOB_FILE, make_job_file(job, tmp_path / "result.json"))
    assert read_job(tmp_path / "job.json") == job
