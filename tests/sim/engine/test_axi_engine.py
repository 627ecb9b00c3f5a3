"""The engine behind AXI: a third party's bus models send images and take results, with pauses, resets and errors."""

from pathlib import Path

import pytest
from engine_bench import EngineBench, build_bench
from made_up_graphs import Maker

from asq_model.spec.mac import MacSpec
from hw.engine.axi_engine import AxiEngine
from hw.engine.compiler.compiled import Compiled
from hw.engine.describe_engine import describe_instructions
from hw.engine.engine import Engine
from hw.engine.engine_spec import Depths
from hw.engine.load_words import compute_engine_number, make_load_words
from hw.engine.presets import Preset, compile_network

IMAGES = 5


DEPTHS = Depths(64, 64, 256, 64, 32, 16, 32, 1024, 16, 8)
PRESET = Preset("a small engine", 2, 1, depths=DEPTHS, adapter=True, map_channels=4, map_pixels=16, hidden=4)


def adapting(mac: MacSpec) -> Maker:
    """Two layers that adapt, then one that does not."""
    made = Maker(mac, (1, 4, 4))
    first = made.conv("first", "input", 2, (3, 3), padding=(1, 1, 1, 1))
    second = made.conv("second", first, 2, (3, 3), padding=(1, 1, 1, 1), hidden=2)
    made.conv("last", second, 3, (4, 4), relu=False, result_bits=60)
    return made


def other(mac: MacSpec) -> Maker:
    """A network of other layers, and a smaller image."""
    made = Maker(mac, (1, 3, 3), seed=7)
    first = made.conv("first", "input", 4, (2, 2), hidden=3)
    made.conv("last", first, 2, (2, 2), relu=False, result_bits=60)
    return made


def case_of(made: Maker) -> tuple[Compiled, dict]:
    """A network compiled, its images, their results, and the words that load it."""
    graph, compiled = compile_network(graph=made.graph, mac=made.mac, precision=made.precision, preset=PRESET)
    images = made.some_images(IMAGES)
    results = graph(images).transpose(0, 2, 3, 1).reshape(IMAGES, -1)
    number = compute_engine_number(compiled.spec, compiled.radix_bits, compiled.piece_bits)
    words = make_load_words(compiled.spec, compiled.image, number)
    return compiled, {
        "images": images.reshape(IMAGES, -1).tolist(),
        "results": results.tolist(),
        "words": words.tolist(),
        "instructions": describe_instructions(compiled),
    }


@pytest.fixture(scope="module")
def axi_engine(tmp_path_factory: pytest.TempPathFactory, build_root: Path) -> tuple[EngineBench, dict]:
    """A small network's engine behind AXI, built, and images with results; those of another network, too."""
    mac = MacSpec("post", 3, 3, frac=0)
    compiled, case = case_of(adapting(mac))
    case["other"] = case_of(other(mac))[1]
    plain = Engine(compiled.spec, compiled.image, compiled.radix_bits, compiled.piece_bits, loaded=True, counted=True)
    return build_bench(AxiEngine(plain), "axi", "axi_engine", tmp_path_factory.mktemp("axi"), build_root), case


@pytest.mark.exhaustive
def test_every_bench(axi_engine: tuple[EngineBench, dict], tmp_path: Path) -> None:
    """Images with pauses, misplaced TLAST, restarts in mid-image, wrong addresses, bytes, loads, counters."""
    bench, case = axi_engine
    passed = bench.run(case, tmp_path)
    assert len(passed) == 9
    assert all(passed.values()), (passed, (tmp_path / "sim.log").read_text()[-3000:])


@pytest.mark.exhaustive
def test_a_wrong_result_is_found(axi_engine: tuple[EngineBench, dict], tmp_path: Path) -> None:
    """The bench fails where one expected result is another."""
    bench, case = axi_engine
    wrong = [[*row] for row in case["results"]]
    wrong[0][0] += 1
    passed = bench.run(case | {"results": wrong}, tmp_path)
    assert not passed["images_with_pauses"]
    assert passed["registers_that_are_not"]
