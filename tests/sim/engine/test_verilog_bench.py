"""The test bench and the FuseSoC core that lie beside an engine: Verilator runs the one, the other names files."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hw.fusesoc import VERILATOR_OPTIONS
from sim.runner.verilator import find_verilator


@pytest.fixture(params=["0", "1"], ids=["plain", "axi"])
def written(request: pytest.FixtureRequest, tiny_engine) -> dict[str, Path]:
    """The files of a small network's engine, by their endings."""
    return {path.suffix: path for path in tiny_engine(*(("--axi", "1") if request.param == "1" else ()))}


def test_a_core_names_files_that_are_there(written: dict[str, Path]) -> None:
    """The core is JSON, which is YAML, and every target has files and a top module that they define."""
    head, _, body = written[".core"].read_text().partition("\n")
    core = json.loads(body)
    assert head == "CAPI=2:" and len(core["name"].split(":")) == 4
    for target in core["targets"].values():
        files = [name for fileset in target["filesets"] for name in core["filesets"][fileset]["files"]]
        text = "".join((written[".core"].parent / name).read_text() for name in files)
        assert re.search(rf"^module {target['toplevel']}\b", text, re.MULTILINE)


def run_bench(verilog: Path, bench: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Build a bench in Verilator with the options of the core, and run it."""
    find_verilator()
    folder.mkdir()
    (folder / "bench.sv").write_text(bench)
    top = re.findall(r"^module (\w+)", bench, re.MULTILINE)[0]
    options = ["--binary", *VERILATOR_OPTIONS, "-CFLAGS", "-O0", "--top", top, "--Mdir", str(folder)]
    built = subprocess.run(["verilator", *options, verilog, folder / "bench.sv"], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr[-2000:]
    return subprocess.run([folder / f"V{top}"], capture_output=True, text=True)


def run_in_icarus(verilog: Path, bench: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Build a bench in Icarus as the core does, and run it in a folder."""
    assert shutil.which("iverilog") and shutil.which("vvp"), "run the tests by `make test`, which gets Icarus Verilog"
    (folder / "given.sv").write_text(bench)
    top = re.findall(r"^module (\w+)", bench, re.MULTILINE)[0]
    command = ["iverilog", "-g2012", "-s", top, "-o", "bench", verilog, "given.sv"]
    subprocess.run(command, cwd=folder, check=True)
    return subprocess.run(["vvp", "-n", "bench"], cwd=folder, capture_output=True, text=True)


def test_the_bench_in_icarus(written: dict[str, Path], tmp_path: Path) -> None:
    """The bench ends well in Icarus; with another expected result, or an image that lacks a number, with an error."""
    bench = written[".sv"].read_text()
    done = run_in_icarus(written[".v"], bench, tmp_path)
    assert done.returncode == 0 and "PASS: all 2 results" in done.stdout, done.stdout + done.stderr
    number = re.search(r"wanted\[1\] = (\d+)'h(\w+);", bench)
    assert number is not None
    changed = f"wanted[1] = {number[1]}'h{int(number[2], 16) ^ 1:x};"
    for before, after, said in ((number[0], changed, "result 1 is"), ("NUMBERS = 8", "NUMBERS = 7", "0 of 2 results")):
        assert bench.count(before) == 1
        done = run_in_icarus(written[".v"], bench.replace(before, after), tmp_path)
        assert done.returncode != 0 and "PASS" not in done.stdout
        assert said in done.stdout


@pytest.mark.exhaustive
def test_the_bench_passes(written: dict[str, Path], tmp_path: Path) -> None:
    """The bench of an engine, plain and behind AXI, ends well."""
    done = run_bench(written[".v"], written[".sv"].read_text(), tmp_path / "bench")
    assert done.returncode == 0 and "PASS: all 2 results" in done.stdout, done.stdout + done.stderr


@pytest.mark.exhaustive
@pytest.mark.parametrize("written", ["0"], indirect=True)
def test_a_wrong_result_ends_with_an_error(written: dict[str, Path], tmp_path: Path) -> None:
    """Another expected result is found."""
    bench = written[".sv"].read_text()
    number = re.search(r"wanted\[1\] = (\d+)'h(\w+);", bench)
    assert number is not None
    changed = f"wanted[1] = {number[1]}'h{int(number[2], 16) ^ 1:x};"
    done = run_bench(written[".v"], bench.replace(number[0], changed), tmp_path / "bench")
    assert done.returncode != 0 and "PASS" not in done.stdout
    assert "result 1 is" in done.stdout + done.stderr


def test_every_combinational_block_begins_in_icarus(written: dict[str, Path]) -> None:
    """The register that wakes a module's blocks gets its value when they watch it already, not with its declaration."""
    text = written[".v"].read_text()
    woken = re.findall(r"^  reg (\S*dump_module\S*) ;\n  initial (\S*) +<= 0;$", text, re.MULTILINE)
    assert woken and all(register == initial for register, initial in woken)
    assert not re.search(r"^  reg \S*dump_module\S* += 0;$", text, re.MULTILINE)
