"""Building an engine for a bench of cocotb's tests, and running them on a case."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from cocotb_tools.runner import get_runner

from hw.engine.axi_engine import AxiEngine
from hw.engine.emit_engine import make_engine_verilog
from hw.engine.flashed_engine import FlashedEngine
from sim.runner.runtime import VERILATOR_OPTIONS
from sim.runner.verilator import OPTIMISATION, ask_compiler_version, build_for_cocotb, find_verilator
from sim.workspace import Workspace

HERE = Path(__file__).parent


@dataclass(frozen=True)
class EngineBench:
    """An engine's simulator in a folder, and the module of the tests that drive it.

    variable: of the environment, by which the module finds its case.
    """

    place: Path
    top: str
    module: str
    variable: str

    def run(self, case: dict[str, Any], folder: Path) -> dict[str, bool]:
        """Run all tests on a case; returns which passed. Leaves `sim.log` in the folder."""
        given, results = folder / "case.json", folder / "results.xml"
        given.write_text(json.dumps(case))
        with suppress(RuntimeError, SystemExit, subprocess.CalledProcessError):
            get_runner("verilator").test(
                hdl_toplevel=self.top,
                hdl_toplevel_lang="verilog",
                test_module=self.module,
                build_dir=self.place,
                test_dir=folder,
                results_xml=str(results),
                log_file=folder / "sim.log",
                extra_env={self.variable: str(given), "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])},
            )
        cases = ElementTree.parse(results).getroot().iter("testcase")
        return {each.attrib["name"]: each.find("failure") is None and each.find("error") is None for each in cases}


def build_bench(
    engine: AxiEngine | FlashedEngine, name: str, top: str, folder: Path, root: Path, models: Sequence[Path] = ()
) -> EngineBench:
    """Build an engine for the tests of `<name>_bench.py`, which see what `<name>_visible.vlt` names.

    models: of cells that the engine has. root: the build folder, which has Verilator's runtime.
    """
    source, place = folder / f"{name}.v", folder / "simulator"
    source.write_text(make_engine_verilog(engine, top, f"an engine for {name}_bench.py"))
    place.mkdir()
    tools = {
        "verilator": find_verilator(),
        "compiler": ask_compiler_version(),
        "args": [*VERILATOR_OPTIONS, *OPTIMISATION],
    }
    args = [*VERILATOR_OPTIONS, "-Wno-fatal", "-Wno-lint", str(HERE / f"{name}_visible.vlt")]
    build_for_cocotb([source, *models], top, place, Workspace(root).runtime(tools), args, False)
    return EngineBench(place, top, f"{name}_bench", f"ASQ_{name.upper()}_CASE")
