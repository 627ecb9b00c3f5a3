"""The command that measures engines with other products side by side."""

from pathlib import Path
from typing import Any

import click
import numpy as np

from asq_model.common.errors import InputError
from asq_model.common.files import PACKAGES, fingerprint, write_text
from asq_model.common.option_types import OUTPUT_FILE, PATH, Integer
from asq_model.common.progress import progress_bar
from asq_model.common.records import read_record, write_record
from asq_model.spec.golden_vectors import GRAPH_FILE
from asq_model.spec.graph.graph import Graph
from asq_model.spec.graph.samples import SAMPLES_FILE, read_samples
from asq_model.spec.mapping import GENERIC, has_cells
from hw.engine.compiler.compiled import Compiled
from hw.engine.compiler.passes import image_steps
from hw.engine.emit_engine import engine_verilog
from hw.engine.memory_map import blocks_of, memory_map
from hw.engine.presets import Preset, find_device_preset, presets
from hw.engine.program import Kind
from hw.engine_options import check_engine, product_options, read_network
from sim.engine.bitstream import FLOWS, engine_for_device, synthesise_engine, write_bitstream
from sim.engine.engine_area import measure_engine
from sim.engine.engines_page import page
from sim.engine.engines_report import ENGINES, EngineRow, PlacedEngine, join_rows
from sim.engine.engines_table import energies_of
from sim.engine.simulate_network import Network, simulate_network
from sim.engine.term_program import PROGRAM_FAMILY, measure_programs
from sim.explore.design_rows import REPORT
from sim.hardware_options import MOST_SEEDS, ROOT
from sim.workspace import Workspace

BATCH = 250  # images that the graph gets at once
HARDWARE = PACKAGES / "docs" / "results" / "hardware.json"


@click.command(epilog="Example: asq-post engines build/graph/resnet8_post4_a4 --preset zynq7020")
@click.argument("graphs", nargs=-1, required=True, type=PATH, metavar="GRAPH...")
@click.option("--preset", default="zynq7020", show_default=True, help="Engine; one that is for a device.")
@click.option(
    "--images", type=Integer(0), default=2, show_default=True, help="How many images to simulate with each; 0: none."
)
@click.option(
    "--seeds",
    type=Integer(0, MOST_SEEDS),
    default=0,
    show_default=True,
    help="How often to place and route each whole engine; 0: not at all.",
)
@product_options
@click.option("--onto", type=PATH, help="Record of an earlier report: its rows stay where they are not measured anew.")
@click.option("--out", type=OUTPUT_FILE, default=Path("build/report/engines.md"), show_default=True, help="Page.")
@ROOT
def engines(
    graphs: tuple[Path, ...],
    preset: str,
    images: int,
    seeds: int,
    onto: Path | None,
    out: Path,
    root: Path,
    **products: Any,
) -> None:
    """Compare engines with other products.

    Compiles the network of each GRAPH, folders that `asq-post graph` wrote, for an engine with products of its own
    levels, or those given, simulates some of its images, counts the engine's cells, counts how many of the folder's
    images the network gets right, and writes a page. With --seeds each engine is placed on the preset's device.
    """
    check_engine(preset, products)
    chosen = find_device_preset(preset)
    if seeds and chosen.family not in FLOWS:
        allowed = ", ".join(name for name, each in presets().items() if each.family in FLOWS)
        raise InputError(f"--seeds is {seeds}, but open tools do not place --preset {preset}; allowed: {allowed}")
    earlier = read_record(onto, ENGINES) if onto else None
    rows = []
    with progress_bar("engines") as bar:
        bar.expect(len(graphs))
        for folder in graphs:
            rows.append(measure_row(folder, preset, products, images, seeds, root))
            bar.advance()
    report = join_rows(earlier, rows)
    write_record(out.with_suffix(".json"), ENGINES, report)
    energies = energies_of(read_record(HARDWARE, REPORT).rows) if HARDWARE.is_file() else {}
    write_text(out, page(report, energies))
    click.echo(out)


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


def measure_row(folder: Path, preset: str, products: dict[str, Any], images: int, seeds: int, root: Path) -> EngineRow:
    """Measure an engine: simulated with generic products, counted with the family's own where it has some.

    seeds: how often it is placed on its device.
    """
    graph, choice = read_network(folder, preset, products)
    mac, family = choice.mac, choice.preset.family
    own = read_network(folder, preset, {})[1].mac
    build = Workspace(root).engine(folder.resolve().name, preset)
    given, labels = read_samples(folder / SAMPLES_FILE, graph.input)
    if images:
        digest = fingerprint([images], [folder / GRAPH_FILE, folder / SAMPLES_FILE])
        network = Network(graph, digest, given[:images], labels[:images], mac, choice.precision, choice.preset)
        found = simulate_network(network, build, root)
        if found.run is None:
            raise InputError(f"{folder}: engine and graph differ: {found.differences[0]}")
    cells = family if has_cells(family, mac) else GENERIC
    runs, compiled = choice.with_cells(cells).compile(graph)
    verilog = build / "counted" / "written.v"
    engine = engine_for_device(compiled, choice.preset)
    write_text(verilog, engine_verilog(engine, "engine", f"engine {preset} with the network {folder.resolve().name}"))
    area = measure_engine(verilog, family, verilog.parent)
    blocks = blocks_of(memory_map(compiled.spec, graph.input.shape[0]), family)
    whole = family == PROGRAM_FAMILY and mac.weight_bits == own.weight_bits
    return EngineRow(
        network=folder.resolve().name,
        preset=preset,
        unit=mac.unit,
        product_bits=mac.weight_bits,
        weight_bits=own.weight_bits,
        activation_bits=own.activation_bits,
        kind=mac.kind if mac.kind != "symmetric" else "",
        cells=cells,
        products=compiled.spec.products,
        lanes=compiled.spec.pixels,
        period=compiled.period,
        under_way=compiled.images,
        latency=compiled.latency,
        busy=compiled.utilisation,
        area=area,
        blocks=sum(blocks.values()),
        simulated=images,
        right=count_right(runs, given, labels),
        tested=len(given),
        first_layer=first_period(compiled),
        any_first_layer=image_steps(mac, compiled.spec.channels, compiled.spec.picks)[compiled.radix_bits][0],
        other_blocks=sum(blocks.values()) - blocks["codes"],
        programs=measure_programs(graph, compiled.spec, root) if whole else [],
        placed=place_engine(verilog, choice.preset, build / "device", seeds) if seeds else None,
    )


def place_engine(verilog: Path, preset: Preset, folder: Path, seeds: int) -> PlacedEngine:
    """Synthesise an engine as a whole and place it on its preset's device, with that many seeds."""
    area = synthesise_engine(verilog, preset.family, folder)
    made = [write_bitstream(preset.family, list(preset.device), folder, seed)[1] for seed in range(1, seeds + 1)]
    return PlacedEngine(area, [each.megahertz for each in made])
