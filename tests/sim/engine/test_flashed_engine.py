# amaranth: UnusedElaboratable=no
# What is refused is not built.
"""An engine that stands alone on a board runs its network with weights from a flash, over a serial line."""

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

from asq_model.common.errors import InputError
from asq_model.spec.mac import MacSpec
from hw.engine.emit_engine import engine_verilog
from hw.engine.engine import Engine
from hw.engine.engine_spec import Depths
from hw.engine.flashed_engine import FlashedEngine
from hw.engine.load_words import engine_number, load_words
from hw.engine.presets import Preset, compile_network
from hw.engine.row_writer import RowWriter, Section, Size
from hw.engine.spram import MODEL, SpramWeights
from sim.runner.runtime import VERILATOR_OPTIONS
from sim.runner.verilator import OPTIMISATION, cocotb_build, compiler_version, verilator
from sim.workspace import Workspace

HERE = Path(__file__).parent
IMAGES, BIT_CYCLES = 4, 5
DEPTHS = Depths(128, 64, 512, 64, 2, 2, 2, 64, 16, 8)
PRESET = Preset("a small engine", 2, 1, depths=DEPTHS, adapter=False, word_bits=32, specialised=True, spram=True)


def small_network() -> Maker:
    """Three layers, one of them with a side branch."""
    made = Maker(MacSpec("post", 3, 3, frac=0), (1, 4, 4))
    first = made.conv("first", "input", 3, (3, 3), padding=(1, 1, 1, 1), bits=8, weight_bits=8)
    second = made.conv("second", first, 3, (3, 3), padding=(1, 1, 1, 1), side=first)
    made.conv("last", second, 3, (4, 4), relu=False, result_bits=60)
    return made


def engine_of(preset: Preset, made: Maker) -> tuple[FlashedEngine, dict]:
    """A network's engine, its images and results, and the bytes of its flash."""
    graph, compiled = compile_network(graph=made.graph, mac=made.mac, precision=made.precision, preset=preset)
    plain = Engine(compiled.spec, compiled.image, compiled.radix_bits, compiled.piece_bits, spram=True)
    engine = FlashedEngine(plain, BIT_CYCLES)
    images = made.some_images(IMAGES)
    number = engine_number(compiled.spec, compiled.radix_bits, compiled.piece_bits)
    return engine, {
        "images": images.reshape(IMAGES, -1).tolist(),
        "results": graph(images).reshape(IMAGES, -1).tolist(),
        "flash": list(load_words(compiled.spec, compiled.image, number, [Section.WEIGHTS]).tobytes()),
        "bit_cycles": BIT_CYCLES,
        "result_bytes": engine.result_bytes,
        "latency": compiled.latency,
    }


@pytest.mark.exhaustive
def test_every_bench(tmp_path: Path, build_root: Path) -> None:
    """Images over the line; a damaged flash; more bytes than there is room for."""
    engine, case = engine_of(PRESET, small_network())
    source, given = tmp_path / "engine.v", tmp_path / "case.json"
    source.write_text(engine_verilog(engine, "engine", "an engine that stands alone"))
    given.write_text(json.dumps(case))
    tools = {"verilator": verilator(), "compiler": compiler_version(), "args": [*VERILATOR_OPTIONS, *OPTIMISATION]}
    place = tmp_path / "simulator"
    place.mkdir()
    args = [*VERILATOR_OPTIONS, "-Wno-fatal", "-Wno-lint", str(HERE / "flash_visible.vlt")]
    cocotb_build([source, MODEL], "engine", place, Workspace(build_root).runtime(tools), args, False)
    with suppress(RuntimeError, SystemExit, subprocess.CalledProcessError):
        get_runner("verilator").test(
            hdl_toplevel="engine",
            hdl_toplevel_lang="verilog",
            test_module="flash_bench",
            build_dir=place,
            test_dir=tmp_path,
            results_xml=str(tmp_path / "results.xml"),
            log_file=tmp_path / "sim.log",
            extra_env={"ASQ_FLASH_CASE": str(given), "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])},
        )
    cases = list(ElementTree.parse(tmp_path / "results.xml").getroot().iter("testcase"))
    failed = [
        each.attrib["name"] for each in cases if each.find("failure") is not None or each.find("error") is not None
    ]
    assert len(cases) == 3 and not failed, (failed, (tmp_path / "sim.log").read_text()[-3000:])


def test_weights_that_the_ram_does_not_hold_are_refused() -> None:
    """Rows of more than 64 bits, and more rows than there are."""
    for size, has in ((Size(192, 99), "99 rows of 192 bits"), (Size(48, 16385), "16385 rows of 48 bits")):
        with pytest.raises(InputError, match=f"weights are {has}; allowed in SPRAM: 16384 rows of 64 bits"):
            SpramWeights(RowWriter({Section.WEIGHTS: size}))


def test_a_network_that_takes_no_bytes_is_refused() -> None:
    """Over a serial line only bytes come."""
    made = Maker(MacSpec("post", 3, 3, frac=0), (1, 4, 4), with_table=False)
    made.conv("last", "input", 3, (4, 4), relu=False, result_bits=60)
    with pytest.raises(InputError, match="takes no bytes"):
        engine_of(PRESET, made)
