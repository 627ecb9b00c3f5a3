"""Made-up networks run on their engines as their graphs say, and what differs is found."""

from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from conftest import some
from networks import adapting_network, joining_network, picking_network, steady_network, tiny_network

from asq_model.common.errors import InputError
from asq_model.common.progress import SILENT
from asq_model.spec.graph.convolution import Convolution
from asq_model.spec.graph.graph import Graph
from asq_model.spec.mac import MacSpec
from hw.engine.compiler import best_round
from hw.engine.compiler.compiled import Compiled
from hw.engine.compiler.overlap import find_releases
from hw.engine.presets import Preset, compile_network
from hw.engine.program import Kind
from sim.engine.build_engine import build_simulator, write_verilog
from sim.engine.compare_run import compare_results, compare_run, results_of
from sim.engine.run_engine import ARRAYS, Conditions, EngineLog, read_log, run_engine, run_simulator

pytestmark = pytest.mark.xdist_group("engines")  # they share folders
IMAGES = 5
PRECISION = 12


@dataclass(frozen=True)
class Built:
    """A network, compiled, with the simulator of its engine and images to run on it."""

    graph: Graph
    compiled: Compiled
    executable: Path
    folder: Path
    images: np.ndarray

    @property
    def most_cycles(self) -> int:
        return 3 * IMAGES * self.compiled.period + 4 * self.compiled.latency + 1000

    def run(self, sample: int = IMAGES, **conditions: int) -> EngineLog:
        """Run all images."""
        how = Conditions(sample, self.most_cycles, **conditions)
        return run_engine(self.executable, self.compiled.spec, self.graph, self.images, how, self.folder)

    def compare(self, log: EngineLog, **changed: object) -> list[str]:
        """What differs, where the graph or what was compiled may be changed."""
        given = {"compiled": self.compiled, "graph": self.graph} | changed
        return compare_run(images=self.images, log=log, sample=IMAGES, **given)  # type: ignore[arg-type]


def build(made, preset: Preset, folder: Path, root: Path, change=lambda compiled: compiled) -> Built:
    """Compile a network and build its engine's simulator."""
    graph, compiled = compile_network(preset, made.graph, made.mac, PRECISION)
    compiled = change(compiled)
    executable = build_simulator(compiled, write_verilog(compiled, folder), folder, root)
    return Built(graph, compiled, executable, folder, made.some_images(IMAGES))


# By name: a network, and the engine for it.
ENGINES = {
    "adapting-post": (adapting_network, MacSpec("post", 3, 3, frac=0), Preset("", 4, 2, 2, window_channels=1)),
    "steady-post": (steady_network, MacSpec("post", 3, 3, frac=-1), Preset("", 4, 2)),
    "adapting-uniform": (adapting_network, MacSpec("uniform-adders", 4, 4), Preset("", 4, 1, 1)),
    "steady-uniform": (steady_network, MacSpec("uniform-shared", 3, 4), Preset("", 2, 3)),
    "adapting-pot": (adapting_network, MacSpec("pot", 4, 3), Preset("", 4, 1, 4, word_bits=32)),
    "steady-apot": (steady_network, MacSpec("apot", 4, 4), Preset("", 2, 4, 1)),
    "adapting-e2m1": (adapting_network, MacSpec("e2m1", 4, 5), Preset("", 2, 3, 2)),
    "steady-post-wide": (steady_network, MacSpec("post", 5, 6, frac=2), Preset("", 8, 1, 8, word_bits=128)),
    "joining-post": (joining_network, MacSpec("post", 3, 3, frac=0), Preset("", 4, 2, 2)),
    "joining-uniform": (joining_network, MacSpec("uniform-sign", 4, 4), Preset("", 4, 1, 4)),
    "picking-post": (picking_network, MacSpec("post", 3, 3, frac=0), Preset("", 8, 2, 2, window_channels=2)),
    "picking-wide": (picking_network, MacSpec("uniform-sign", 4, 4), Preset("", 8, 3, 8, window_channels=2)),
    "adapting-post-xc7": (adapting_network, MacSpec("post", 4, 4, frac=0), Preset("", 2, 1, 2, cells="xc7")),
    "steady-post-ecp5": (steady_network, MacSpec("post", 3, 3, frac=-1), Preset("", 4, 2, cells="ecp5")),
    "adapting-uniform-xc7": (adapting_network, MacSpec("uniform-sign", 4, 4), Preset("", 4, 1, cells="xc7")),
    "steady-e2m1-ecp5": (steady_network, MacSpec("e2m1", 4, 4), Preset("", 4, 1, cells="ecp5")),
    "adapting-post-ice40": (adapting_network, MacSpec("post", 3, 3, frac=0), Preset("", 4, 1, 1, cells="ice40")),
    "adapting-behind": (adapting_network, MacSpec("post", 3, 3, frac=0), Preset("", 4, 2, 2, reads_ahead=False)),
    "adapting-special": (adapting_network, MacSpec("post", 3, 3, frac=0), Preset("", 4, 2, 2, specialised=True)),
    "steady-special": (
        steady_network,
        MacSpec("post", 3, 3, frac=0),
        Preset("", 4, 1, specialised=True, reads_ahead=False),
    ),
}
USUAL = ("adapting-post", "steady-post", "joining-post")


PICKING = ("adapting-post", "picking-post", "picking-wide")  # of which the first layer's words are picked of windows


@pytest.mark.parametrize("name", PICKING)
def test_the_engines_that_are_to_pick_words_do(name: str) -> None:
    network, mac, preset = ENGINES[name]
    made = network(mac)
    _, compiled = compile_network(preset, made.graph, mac, PRECISION)
    assert [each.name for each in compiled.instructions if each.fields.get("gathers")] == ["first"]


@pytest.fixture(scope="module", params=[some(name, USUAL, name) for name in ENGINES])
def built(request, build_root: Path) -> Built:
    network, mac, preset = ENGINES[request.param]
    return build(network(mac), preset, build_root / "engine" / request.param, build_root)


@pytest.fixture(scope="module")
def log(built: Built) -> EngineLog:
    return built.run()


def test_every_number_and_every_cycle_is_as_predicted(built: Built, log: EngineLog) -> None:
    """Results, stored values, codes and the times of all instructions are the graph's and the compiler's."""
    assert built.compare(log) == []
    assert len(log.values) > 100 and len(log.codes) > 100 and len(log.done["A"]) > IMAGES
    finishes = [cycle for cycle, kind in log.done["A"] if kind == Kind.FINISH]
    apart = built.compiled.images  # images that are under way together
    intervals = {after - before for before, after in zip(finishes, finishes[apart:], strict=False)}
    assert built.compiled.period in intervals


@pytest.mark.parametrize("conditions", [{"in_stalls": 200}, {"out_stalls": 240}, {"in_stalls": 100, "out_stalls": 200}])
def test_both_streams_may_wait(built: Built, conditions: dict) -> None:
    """Images that come slowly and results that are taken slowly change no number."""
    assert built.compare(built.run(**conditions), stalls=True) == []


@pytest.mark.parametrize("in_stalls", [240, 250, 253, 255])
def test_images_may_come_so_slowly_that_each_is_alone(built: Built, in_stalls: int) -> None:
    """One that comes in while another is under way joins it or waits: results are the same, and none is lost."""
    numbers = built.images.size
    how = Conditions(0, built.most_cycles + 400 * numbers, in_stalls=in_stalls)
    log = run_engine(built.executable, built.compiled.spec, built.graph, built.images, how, built.folder)
    assert list(compare_results(built.graph, built.images, log, built.compiled.spec.total_bits)) == []


@pytest.mark.parametrize("part", [0.3, 1.5])
def test_a_reset_in_the_middle_of_an_image_starts_anew(built: Built, log: EngineLog, part: float) -> None:
    """After a reset, all is as after the first: the times, too."""
    again = built.run(reset_at=int(part * built.compiled.latency))
    assert built.compare(again) == []
    assert (again.results, again.done) == (log.results, log.done)


def changed_weight(graph: Graph) -> Graph:
    """The graph with one bit of each weight of the last layer changed."""
    nodes = list(graph.nodes)
    place = max(place for place, node in enumerate(nodes) if isinstance(node, Convolution))
    node = nodes[place]
    nodes[place] = msgspec.structs.replace(node, products=replace(node.products, even=node.products.even ^ 1))
    return Graph(tuple(nodes))


def test_weights_of_which_one_bit_differs_are_found(built: Built, log: EngineLog) -> None:
    lines = built.compare(log, graph=changed_weight(built.graph))
    assert any(line.startswith("image ") and ": result " in line for line in lines)
    assert any("CONVOLVE last: value channel " in line for line in lines)


def test_an_instruction_that_takes_a_cycle_more_is_found(built: Built, log: EngineLog) -> None:
    def slower(part):
        return tuple(replace(each, busy=each.busy + (each.kind == Kind.CONVOLVE)) for each in part)

    arrays, values = built.compiled.programs
    programs = replace(arrays, loop=slower(arrays.loop)), values
    lines = built.compare(log, compiled=replace(built.compiled, programs=programs))
    assert lines and "CONVOLVE first: done in cycle" in lines[0]


@pytest.mark.parametrize("part", ["values", "codes"])
def test_a_word_of_which_one_bit_differs_is_found(built: Built, log: EngineLog, part: str) -> None:
    words = getattr(log, part)
    place = next(place for place, (_, word) in enumerate(words) if word & 2)
    width = max(word for _, word in words).bit_length()
    found = [built.compare(changed_log(log, part, place, bit)) for bit in range(0, width, 9)]
    assert [line for lines in found for line in lines if f": {part[:-1]} channel" in line]
    for lines in found:
        assert len(lines) <= 2


def changed_log(log: EngineLog, part: str, place: int, bit: int) -> EngineLog:
    """The log with one bit of one word changed."""
    words = list(getattr(log, part))
    words[place] = words[place][0], words[place][1] ^ 1 << bit
    return replace(log, **{part: words})


def test_results_that_are_missing_and_a_mark_that_is_wrong_are_found(built: Built, log: EngineLog) -> None:
    assert any("results came out" in line for line in built.compare(replace(log, results=log.results[:-1])))
    marked = 1 << built.compiled.spec.total_bits
    results = [(cycle, word ^ marked) for cycle, word in log.results[:1]] + log.results[1:]
    assert any("`last` is with results [0, " in line for line in built.compare(replace(log, results=results)))


@pytest.mark.parametrize("program", ["array_program", some("value_program", (), "value_program")])
def test_a_damaged_program_ends_in_an_error_and_without_a_result(build_root: Path, program: str) -> None:
    """Where a bit of one word is wrong, the engine stops, and stays so."""

    def damage(compiled: Compiled) -> Compiled:
        words = list(getattr(compiled.image, program))
        words[len(words) // 2] ^= 1 << 40
        return replace(compiled, image=replace(compiled.image, **{program: words}))

    built = build(tiny_network(), Preset("", 2, 1), build_root / "engine" / f"damaged-{program}", build_root, damage)
    log = built.run()
    assert log.error is not None and log.results == [] and log.cycles > log.error + built.compiled.latency
    assert f"the engine stopped with an error in cycle {log.error}" in built.compare(log)


@pytest.mark.exhaustive
def test_codes_that_are_read_before_they_are_written_are_found(build_root: Path, monkeypatch) -> None:
    """Layers that start too early read codes of the image before: stored numbers differ."""

    def hasty(spec, instructions):
        return {number: (layer, 1) for number, (layer, _) in find_releases(spec, instructions).items()}

    monkeypatch.setattr(best_round, "find_releases", hasty)
    built = build(adapting_network(MacSpec("post", 3, 3, frac=0)), Preset("", 4, 2), build_root / "hasty", build_root)
    assert any(" channel " in line for line in built.compare(built.run()))


def test_results_of_no_run_are_none() -> None:
    values, last = results_of(EngineLog(), 48)
    assert len(values) == len(last) == 0


SIMULATORS = {  # what stands in a program that a simulator could be, and what is said of it
    "yes error | head -20000 >&2; echo image; echo the log is full >&2; exit 2": "ended with 2: the log is full",
    "exit 3": "ended with 3$",
    "kill -9 $$": "ended with -9$",
}


@pytest.mark.parametrize("script", SIMULATORS)
def test_a_simulator_that_fails_is_one_line_however_much_it_says(tmp_path: Path, script: str) -> None:
    """Also where it says more than a pipe holds while it still runs."""
    path = tmp_path / "simulator"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    with pytest.raises(InputError, match=f"the simulator {path} {SIMULATORS[script]}"):
        run_simulator(path, [], SILENT)


def test_a_simulator_that_cannot_be_run_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot run .*nothing: No such file"):
        run_simulator(tmp_path / "nothing", [], SILENT)


def test_a_log_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    """A full disk leaves a log that ends in the middle of a line."""
    path = tmp_path / "log.txt"
    whole = f"{ARRAYS} 12 3\n{ARRAYS} 15 1\n"
    path.write_text(whole)
    assert read_log(path).done[ARRAYS] == [(12, 3), (15, 1)]
    for length in (len(whole) - 2, len(whole) - 3, len(whole) - 6):
        path.write_text(whole[:length])
        with pytest.raises(InputError, match="ends in the middle of a line"):
            read_log(path)
