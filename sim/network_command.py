"""The command that runs a whole network on its engine in simulation."""

import sys
from pathlib import Path

import click

from asq_model.common.files import fingerprint
from asq_model.common.terminal import format_text_table
from asq_model.spec.golden_vectors import GRAPH_FILE
from asq_model.spec.graph.samples import SAMPLES_FILE, read_samples
from hw.engine.choose_products import ProductOptions
from hw.engine_options import CHECK, check_engine, network_options, read_network
from sim.engine.simulate_network import Network, NetworkRun, simulate_network
from sim.hardware_options import ROOT
from sim.workspace import Workspace

SHOWN = 20  # differences


@click.command(epilog="Example: asq-post network build/graph/digits_post3_a3_seed0")
@network_options()
@ROOT
@CHECK
def network(folder: Path, preset: str, root: Path, check: bool, products: ProductOptions) -> None:
    """Run a network on its engine, in simulation.

    GRAPH is a folder that `asq-post graph` wrote. Compiles the network for an engine, simulates it on the test images,
    and compares every result, instruction and, of some images, every stored number with the graph's.
    """
    check_engine(preset, products)
    if check:
        return
    graph, choice = read_network(folder, preset, products)
    images, labels = read_samples(folder / SAMPLES_FILE, graph.input)
    digest = fingerprint([], [folder / GRAPH_FILE, folder / SAMPLES_FILE])
    place = Workspace(root).engine(folder.resolve().name, preset)
    mac, precision, engine = choice.mac, choice.precision, choice.preset
    found = simulate_network(Network(graph, digest, images, labels, mac, precision, engine), place, root)
    if found.run is None:
        for line in found.differences[:SHOWN]:
            click.echo(line, err=True)
        click.echo(f"{len(found.differences)} differences between engine and graph; log: {place / 'log.txt'}", err=True)
        sys.exit(1)
    click.echo(summarise_run(found.run))
    click.echo(f"Written to {place}: engine.v, log.txt, run.json")


def summarise_run(run: NetworkRun) -> str:
    """Summarise what a run found, as a terminal shows it."""
    lines = []
    for layer in run.layers:
        busy = f"{layer.products / (layer.multiply * run.engine_products):.0%}" if layer.multiply else ""
        lines.append([layer.name, f"{layer.products:,}", f"{layer.multiply:,}", busy, f"{layer.prepare:,}"])
    total = [sum(getattr(layer, name) for layer in run.layers) for name in ("products", "multiply", "prepare")]
    busy = f"{total[0] * run.under_way / (run.period * run.engine_products):.0%}"
    lines.append(["all", f"{total[0]:,}", f"{total[1]:,}", f"{busy} of all", f"{total[2]:,}"])
    titles = ["layer", "products", "cycles to multiply", "products busy", "cycles for step and codes"]
    memories = [[memory.name, f"{memory.used:,}", f"{memory.rows:,}"] for memory in run.memories]
    right = f"{run.engine_right} of {run.images} right in RTL, {run.graph_right} in the graph"
    return "\n".join(
        [
            format_text_table(titles, lines, "lrrrr"),
            "",
            format_text_table(["memory", "rows in use", "rows"], memories, "lrr"),
            "",
            f"{run.period / run.under_way:,.1f} cycles an image, predicted and simulated, with {run.under_way} images"
            f" under way;",
            f"{run.latency:,} from the last number of an image that is alone to its results",
            f"{run.images} images: {right}; all {run.numbers:,} results equal,",
            f"all instructions' cycles as predicted, every stored number of {run.compared} images equal",
        ]
    )
