"""Measuring a whole engine with a network in it: images through its RTL, its cells, how often the network is right."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asq_model.common.errors import InputError
from asq_model.common.files import fingerprint, write_text
from asq_model.spec.golden_vectors import GRAPH_FILE
from asq_model.spec.graph.graph import Graph
from asq_model.spec.graph.samples import SAMPLES_FILE, read_samples
from asq_model.spec.mac import MacSpec
from asq_model.spec.mapping import GENERIC, has_cells
from hw.engine.choose_products import ProductOptions
from hw.engine.compiler.compiled import Compiled
from hw.engine.compiler.passes import count_image_steps
from hw.engine.emit_engine import make_engine_verilog
from hw.engine.memory_map import count_blocks, make_memory_map
from hw.engine.presets import Preset
from hw.engine.program import Kind
from hw.engine_options import EngineChoice, read_network
from sim.engine.bitstream import make_device_engine, synthesise_engine, write_bitstream
from sim.engine.engine_area import measure_engine
from sim.engine.engines_report import EngineRow, PlacedEngine, RowKey
from sim.engine.product_switching import measure_product_switching
from sim.engine.simulate_network import Network, simulate_network
from sim.engine.term_program import PROGRAM_FAMILY, measure_programs
from sim.workspace import Workspace

BATCH = 250  # images that the graph gets at once


@dataclass(frozen=True)
class EngineTask:
    """An engine to be measured, with the network of a folder in it.

    images: how many are simulated. placings: how often the engine is placed.
    """

    folder: Path
    preset: str
    products: ProductOptions
    images: int
    placings: int

    @property
    def network(self) -> str:
        """The network's name, which is that of its folder."""
        return self.folder.resolve().name

    def read(self) -> tuple[Graph, EngineChoice]:
        """Read the graph, and choose the engine. Raises InputError."""
        return read_network(self.folder, self.preset, self.products)

    def own_products(self) -> MacSpec:
        """The products of the network's own levels. Raises InputError."""
        return read_network(self.folder, self.preset, ProductOptions())[1].mac


def kind_of(mac: MacSpec) -> str:
    """The kind of a level set as rows have it: empty where it is the usual one."""
    return mac.kind if mac.kind != "symmetric" else ""


def check_tasks(tasks: list[EngineTask]) -> None:
    """Read all that tasks need before one is measured, which takes long.

    Raises InputError for a network that cannot be read or has too few images, and for two that would be one row.
    """
    seen: dict[RowKey, EngineTask] = {}
    for task in tasks:
        graph, choice = task.read()
        given, _ = read_samples(task.folder / SAMPLES_FILE, graph.input)
        if task.images > len(given):
            raise InputError(f"images is {task.images}; allowed: 0 to {len(given)}, those of {task.folder}", "images")
        own, mac = task.own_products(), choice.mac
        key = task.preset, own.weight_bits, own.activation_bits, mac.weight_bits, mac.unit, kind_of(mac)
        if key in seen:
            raise InputError(f"{seen[key].folder} and {task.folder} are one row of the page; allowed: one of them")
        seen[key] = task


def count_right(graph: Graph, images: np.ndarray, labels: np.ndarray) -> int:
    """How many images [N, C, H, W] get the right class."""
    right = 0
    for start in range(0, len(images), BATCH):
        batch = slice(start, start + BATCH)
        classes = graph(images[batch]).reshape(len(labels[batch]), -1).argmax(1)
        right += int((classes == labels[batch]).sum())
    return right


def first_period(compiled: Compiled) -> int:
    """Cycles of a tile of the first layer."""
    return next(each.fields["period"] + 1 for each in compiled.instructions if each.kind == Kind.CONVOLVE)


def simulate_first(
    task: EngineTask, graph: Graph, choice: EngineChoice, images: np.ndarray, labels: np.ndarray, root: Path
) -> None:
    """Simulate a task's first images, [N, C, H, W]. Raises InputError where engine and graph differ."""
    digest = fingerprint([task.images], [task.folder / GRAPH_FILE, task.folder / SAMPLES_FILE])
    few = slice(task.images)
    network = Network(graph, digest, images[few], labels[few], choice.mac, choice.precision, choice.preset)
    found = simulate_network(network, Workspace(root).engine(task.network, task.preset), root)
    if found.run is None:
        raise InputError(f"{task.folder}: engine and graph differ: {found.differences[0]}")


def measure_row(task: EngineTask, root: Path) -> EngineRow:
    """Measure an engine: simulated with generic products, counted with the family's own where it has some."""
    graph, choice = task.read()
    mac, own, family = choice.mac, task.own_products(), choice.preset.family
    build = Workspace(root).engine(task.network, task.preset)
    images, labels = read_samples(task.folder / SAMPLES_FILE, graph.input)
    if task.images:
        simulate_first(task, graph, choice, images, labels, root)
    cells = family if has_cells(family, mac) else GENERIC
    runs, compiled = choice.with_cells(cells).compile(graph)
    verilog = write_counted(task, choice, compiled, build / "counted" / "written.v")
    blocks = count_blocks(make_memory_map(compiled.spec, graph.input.shape[0]), family)
    whole = family == PROGRAM_FAMILY and mac.weight_bits == own.weight_bits
    return EngineRow(
        network=task.network,
        preset=task.preset,
        unit=mac.unit,
        product_bits=mac.weight_bits,
        weight_bits=own.weight_bits,
        activation_bits=own.activation_bits,
        kind=kind_of(mac),
        cells=cells,
        products=compiled.spec.products,
        lanes=compiled.spec.pixels,
        period=compiled.period,
        under_way=compiled.images,
        latency=compiled.latency,
        busy=compiled.utilisation,
        area=measure_engine(verilog, family, verilog.parent),
        blocks=sum(blocks.values()),
        simulated=task.images,
        right=count_right(runs, images, labels),
        tested=len(images),
        first_layer=first_period(compiled),
        any_first_layer=count_image_steps(mac, compiled.spec.channels, compiled.spec.picks)[compiled.radix_bits][0],
        other_blocks=sum(blocks.values()) - blocks["codes"],
        programs=measure_programs(graph, compiled.spec, root) if whole else [],
        placed=place_engine(verilog, choice.preset, build / "device", task.placings) if task.placings else None,
        switching=measure_product_switching(mac, own, root),
    )


def write_counted(task: EngineTask, choice: EngineChoice, compiled: Compiled, verilog: Path) -> Path:
    """Write the Verilog of the engine whose cells are counted; returns its path."""
    engine = make_device_engine(compiled, choice.preset)
    write_text(verilog, make_engine_verilog(engine, "engine", f"engine {task.preset} with the network {task.network}"))
    return verilog


def place_engine(verilog: Path, preset: Preset, folder: Path, placings: int) -> PlacedEngine:
    """Synthesise an engine as a whole and place it on its preset's device, that often."""
    area = synthesise_engine(verilog, preset.family, folder)
    made = [write_bitstream(preset.family, list(preset.device), folder, seed)[1] for seed in range(1, placings + 1)]
    return PlacedEngine(area, [each.megahertz for each in made])
