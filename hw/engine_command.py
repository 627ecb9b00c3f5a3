"""The command that writes an engine with a network in its memories as Verilog."""

from pathlib import Path

import click

from asq_model.common.errors import InputError
from asq_model.common.files import write_json, write_text
from asq_model.common.option_types import OUTPUT_FILE, OUTPUT_FOLDER, switch
from asq_model.common.records import write_record
from asq_model.spec.graph.graph import Graph
from asq_model.spec.graph.samples import SAMPLES_FILE, read_samples
from hw.emit import add_first_evaluation
from hw.engine.choose_products import ProductOptions
from hw.engine.compiler.compiled import Compiled
from hw.engine.emit_engine import make_engine_verilog
from hw.engine.presets import find_preset
from hw.engine_options import network_options, read_network
from hw.fpga import copy_models
from hw.fusesoc import make_engine_core


@click.command(epilog="Example: asq-post engine build/graph/digits_post3_a3_seed0 --preset ecp5-25")
@network_options()
@switch("--axi", "1: images and results by AXI4-Stream, registers by AXI4-Lite.")
@switch("--load", "1, with --axi 1: other networks can be loaded; also writes the words that load this one.")
@click.option("--out", type=OUTPUT_FOLDER, default=Path("build/verilog"), show_default=True, help="Folder to write.")
@click.option("--schedule", type=OUTPUT_FILE, help="Also write here a record of when instructions run.")
def engine(
    folder: Path, preset: str, axi: bool, load: bool, out: Path, schedule: Path | None, products: ProductOptions
) -> None:
    """Write an engine with a network in it as Verilog.

    GRAPH is a folder that `asq-post graph` wrote. Writes the Verilog, a JSON that describes ports, memories and the
    cycles of every instruction, a test bench with an image in it, and a FuseSoC core; with --load 1 the words that load
    the network, with --family models of the cells. Prints their paths. All memories are filled at first; the
    engine whose weights come from a board's flash is written by `asq-post bitstream`.
    """
    if load and not axi:
        raise InputError("--load is 1, which needs --axi 1: words are loaded by AXI4-Lite")
    if load and find_preset(preset).specialised:
        raise InputError(f"--load is 1, which --preset {preset} does not take: its engine is for one network")
    graph, choice = read_network(folder, preset, products)
    graph, compiled = choice.compile(graph)
    stem = f"{folder.resolve().name}-{preset}" + "-axi" * axi + "-load" * load
    written = write_engine(graph, compiled, axi, load, out / stem)
    written += write_bench(graph, compiled, axi, folder, out / stem)
    if schedule is not None:
        from hw.engine.schedule_record import SCHEDULE, schedule_of

        write_record(schedule, SCHEDULE, schedule_of(f"{folder.resolve().name} on {preset}", compiled))
        written.append(schedule)
    for path in written:
        click.echo(path)
    if choice.preset.spram:
        told = f"asq-post bitstream --preset {preset} writes the engine whose weights come from a board's flash"
        click.echo(f"note: this engine's weights are in memory that is filled at first; {told}", err=True)


def beside(stem: Path, ending: str) -> Path:
    """A file of an engine: the folder and the beginning of the name are those of all of them."""
    return stem.with_name(stem.name + ending)


def write_engine(graph: Graph, compiled: Compiled, axi: bool, load: bool, stem: Path) -> list[Path]:
    """Write an engine's Verilog, its description and, if it can be loaded, the words of its network."""
    from hw.engine.axi_engine import AxiEngine
    from hw.engine.describe_engine import describe_engine
    from hw.engine.engine import Engine
    from hw.engine.load_words import LOAD_FILE, make_load_file

    name = module_name(axi)
    plain = Engine(compiled.spec, compiled.image, compiled.radix_bits, compiled.piece_bits, loaded=load, counted=axi)
    component = AxiEngine(plain) if axi else plain
    verilog, description, words = beside(stem, ".v"), beside(stem, ".json"), beside(stem, "-words.json")
    header = f"{name}: an engine with a network in its memories, {stem.name}; ports: {description.name}"
    write_text(verilog, add_first_evaluation(make_engine_verilog(component, name, header)))
    write_json(description, describe_engine(name, component, compiled, graph.input.shape[0]))
    if not load:
        return [verilog, description]
    write_record(words, LOAD_FILE, make_load_file(stem.name, compiled))
    return [verilog, description, words]


def write_bench(graph: Graph, compiled: Compiled, axi: bool, folder: Path, stem: Path) -> list[Path]:
    """Write a test bench in Verilog with the first test image of a graph's folder, and a FuseSoC core for all."""
    from hw.engine.verilog_bench import make_bench_image, make_up_image, make_verilog_bench

    name, samples = module_name(axi), folder / SAMPLES_FILE
    if samples.exists():
        image = read_samples(samples, graph.input)[0][0]
    else:
        image = make_up_image(graph, compiled.spec.value_bits)
    bench, core = beside(stem, "-bench.sv"), beside(stem, ".core")
    write_text(bench, make_verilog_bench(name, compiled, make_bench_image(graph, image)))
    models = copy_models(compiled.spec.array, stem)
    about = f"The network of {stem.name} on an engine"
    write_text(core, make_engine_core(stem.name, about, name, beside(stem, ".v"), [*models, bench]))
    return [*models, bench, core]


def module_name(axi: bool) -> str:
    """The Verilog module of an engine."""
    return "axi_engine" if axi else "engine"
