"""The engine behind AXI: a third party's bus models send images and take results, with pauses, resets and errors."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

import pytest
from cocotb_tools.runner import get_runner
from made_up_graphs import Maker

from asq_model.spec.mac import MacSpec
from hw.emit import to_verilog
from hw.engine.axi_engine import AxiEngine
from hw.engine.engine import Engine
from hw.engine.presets import Preset, compile_network
from sim.runner.runtime import VERILATOR_OPTIONS
from sim.runner.verilator import OPTIMISATION, cocotb_build, compiler_version, verilator
from sim.workspace import Workspace

HERE = Path(__file__).parent
IMAGES = 5


@pytest.fixture(scope="module")
def axi_engine(tmp_path_factory: pytest.TempPathFactory, build_root: Path) -> tuple[Path, dict]:
    """A built simulator of a small network's engine behind AXI, and images with their results."""
    made = Maker(MacSpec("post", 3, 3, frac=0), (1, 4, 4))
    first = made.conv("first", "input", 2, (3, 3), padding=(1, 1, 1, 1))
    second = made.conv("second", first, 2, (3, 3), padding=(1, 1, 1, 1), hidden=2)
    made.conv("last", second, 3, (4, 4), relu=False, result_bits=30)
    preset = Preset("a small engine", channels=2, pixels=1)
    graph, compiled = compile_network(graph=made.graph, mac=made.mac, precision=made.precision, preset=preset)
    engine = AxiEngine(Engine(compiled.spec, compiled.image, compiled.radix_bits, compiled.piece_bits))
    folder = tmp_path_factory.mktemp("axi")
    source = folder / "axi.v"
    source.write_text(to_verilog(engine, "axi_engine", "an engine behind AXI"))
    tools = {"verilator": verilator(), "compiler": compiler_version(), "args": [*VERILATOR_OPTIONS, *OPTIMISATION]}
    place = folder / "simulator"
    place.mkdir()
    args = [*VERILATOR_OPTIONS, "-Wno-fatal", "-Wno-lint", str(HERE / "axi_visible.vlt")]
    cocotb_build([source], "axi_engine", place, Workspace(build_root).runtime(tools), args, False)
    images = made.some_images(IMAGES)
    results = graph(images).reshape(IMAGES, -1)
    return place, {"images": images.reshape(IMAGES, -1).tolist(), "results": results.tolist()}


def run_bench(place: Path, case: dict, folder: Path) -> dict[str, bool]:
    """Which of the bench's tests passed."""
    with suppress(RuntimeError, SystemExit, subprocess.CalledProcessError):
        get_runner("verilator").test(
            hdl_toplevel="axi_engine",
            hdl_toplevel_lang="verilog",
            test_module="axi_bench",
            build_dir=place,
            test_dir=folder,
            results_xml=str(folder / "results.xml"),
            log_file=folder / "sim.log",
            extra_env={
                "ASQ_AXI_CASE": json.dumps(case),
                "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path]),
            },
        )
    cases = ElementTree.parse(folder / "results.xml").getroot().iter("testcase")
    return {case.attrib["name"]: case.find("failure") is None and case.find("error") is None for case in cases}


@pytest.mark.exhaustive
def test_every_bench(axi_engine: tuple[Path, dict], tmp_path: Path) -> None:
    """Images with pauses, misplaced TLAST, restarts in mid-image, and wrong addresses."""
    place, case = axi_engine
    passed = run_bench(place, case, tmp_path)
    assert len(passed) == 4
    assert all(passed.values()), (passed, (tmp_path / "sim.log").read_text()[-3000:])


@pytest.mark.exhaustive
def test_a_wrong_result_is_found(axi_engine: tuple[Path, dict], tmp_path: Path) -> None:
    """The bench fails where one expected result is another."""
    place, case = axi_engine
    wrong = [[*row] for row in case["results"]]
    wrong[0][0] += 1
    passed = run_bench(place, case | {"results": wrong}, tmp_path)
    assert not passed["images_with_pauses"]
    assert passed["registers_that_are_not"]
