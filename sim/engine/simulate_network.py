"""A network on its engine: compiled, simulated on test images, compared, and what came of it kept by content."""

from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path

import numpy as np
from msgspec import Struct

from asq_model.common.files import fingerprint, hold_lock, list_sources
from asq_model.common.progress import progress_bar
from asq_model.common.records import Count, Line, Schema, Whole, find_kept, write_record
from asq_model.spec.graph.graph import Graph
from asq_model.spec.mac import MacSpec
from hw.emit import generator_fingerprint
from hw.engine.compiler.compiled import Compiled
from hw.engine.presets import Preset, compile_network
from hw.engine.program import Kind
from sim.engine.build_engine import build_simulator, write_verilog
from sim.engine.compare_run import compare_run, results_of
from sim.engine.run_engine import Conditions, EngineLog, run_engine
from sim.runner.verilator import ask_compiler_version, find_verilator

SOURCES = list_sources("sim/engine", "sim/runner")
SAMPLE = 10  # images of which every value and code is compared
SPARE_CYCLES = 10_000  # beyond the prediction, for the first image's way in and the last results' way out


class LayerCycles(Struct, frozen=True):
    """The cycles that one layer takes of an image's: to multiply, and to find its step and its codes."""

    name: Line
    products: Count
    multiply: Count
    prepare: Count


class MemoryRows(Struct, frozen=True):
    """How many rows a memory has, and how many of them are in use."""

    name: Line
    used: Count
    rows: Count


class NetworkRun(Struct, frozen=True):
    """What the simulation of a network found: an engine without a difference to its graph."""

    images: Whole
    compared: Whole  # images of which every stored value and code was compared
    numbers: Whole  # results that were compared
    engine_right: Count
    graph_right: Count
    period: Whole  # cycles for as many images as are under way
    under_way: Whole  # images
    latency: Whole  # cycles of an image that is alone, from the last of its numbers to the last of its results
    engine_products: Whole  # a cycle
    layers: list[LayerCycles]
    memories: list[MemoryRows]


NETWORK_RUN: Schema[NetworkRun] = Schema("simulation of a network", NetworkRun)


@dataclass(frozen=True)
class Network:
    """A network to be simulated: its graph, what it is given, the right classes, the engine's products and preset."""

    graph: Graph
    digest: str  # of graph and images
    images: np.ndarray
    labels: np.ndarray
    mac: MacSpec
    precision: int
    preset: Preset


@dataclass(frozen=True)
class NetworkOutcome:
    """The outcome of simulating a network: its run where no number differs from the graph, or every difference."""

    run: NetworkRun | None
    differences: list[str]


def count_layer_cycles(compiled: Compiled) -> list[LayerCycles]:
    """Count the cycles of an image's instructions by the layer, or the operation, that they are for, in order."""
    rows: dict[str, list[int]] = {}
    for instruction in compiled.instructions:
        row = rows.setdefault(instruction.owner or instruction.name, [0, 0, 0])
        multiplies = instruction.kind == Kind.CONVOLVE
        row[0] += instruction.products
        row[1 if multiplies else 2] += instruction.cycles
    return [LayerCycles(name, *row) for name, row in rows.items()]


def make_run(network: Network, graph: Graph, compiled: Compiled, log: EngineLog) -> NetworkRun:
    """Make the record of a run without differences."""
    results, _ = results_of(log, compiled.spec.total_bits)
    count = len(network.images)
    size = len(results) // count
    wanted = graph(network.images).reshape(count, -1).argmax(1)
    return NetworkRun(
        images=count,
        compared=min(SAMPLE, count),
        numbers=len(results),
        engine_right=int((results.reshape(count, size).argmax(1) == network.labels).sum()),
        graph_right=int((wanted == network.labels).sum()),
        period=compiled.period,
        under_way=compiled.images,
        latency=compiled.latency,
        engine_products=compiled.spec.products,
        layers=count_layer_cycles(compiled),
        memories=[MemoryRows(name, used, getattr(compiled.spec.depths, name)) for name, used in compiled.used.items()],
    )


def simulate_network(network: Network, folder: Path, root: Path) -> NetworkOutcome:
    """Simulate a network on its engine, unless that was done, and compare it with its graph.

    folder: where Verilog, simulator, log and record go; of several processes with the same folder one works at a time.
    root: the build folder. Raises InputError for a network that does not fit, and when a tool fails.
    """
    path = folder / "run.json"
    tools = [find_verilator(), ask_compiler_version(), generator_fingerprint()]
    about = [network.digest, asdict(network.mac), network.precision, repr(network.preset)]
    inputs = fingerprint([tools, about], SOURCES)
    with hold_lock(folder.with_name(f"{folder.name}.lock")):
        known = find_kept(path, NETWORK_RUN, inputs)
        if known is not None:
            return NetworkOutcome(known, [])
        path.unlink(missing_ok=True)
        outcome = simulate_now(network, folder, root)
        if outcome.run is not None:
            write_record(path, NETWORK_RUN, outcome.run, inputs)
    return outcome


def simulate_now(network: Network, folder: Path, root: Path) -> NetworkOutcome:
    """Compile, build and simulate a network, and compare it with its graph. Raises InputError."""
    count = len(network.images)
    graph, compiled = compile_network(network.preset, network.graph, network.mac, network.precision)
    with progress_bar("building") as bar:
        bar.say("writing Verilog")
        verilog = write_verilog(compiled, folder)
        bar.say("building the simulator")
        executable = build_simulator(compiled, verilog, folder, root)
    conditions = Conditions(min(SAMPLE, count), ceil(compiled.cycles * (count + 1)) + compiled.latency + SPARE_CYCLES)
    with progress_bar("images through RTL") as bar:
        bar.expect(count)
        log = run_engine(executable, compiled.spec, graph, network.images, conditions, folder, bar)
    differences = compare_run(compiled, graph, network.images, log, conditions.sample)
    if differences:
        return NetworkOutcome(None, differences)
    return NetworkOutcome(make_run(network, graph, compiled, log), [])
