"""The command that runs a whole network on its engine in simulation."""

import sys
from pathlib import Path

import click

from asq_model.common.files import fingerprint
from asq_model.common.option_types import PATH, Integer
from asq_model.common.progress import progress_bar
from asq_model.common.terminal import text_table
from asq_model.spec.adaptive_step import Precision
from asq_model.spec.golden_vectors import GRAPH_FILE
from asq_model.spec.graph.file import read_graph
from asq_model.spec.graph.samples import SAMPLES_FILE, read_samples
from hw.engine.presets import check_products, find_preset, presets, products_of
from sim.engine.simulate_network import Network, NetworkRun, simulate_network
from sim.hardware_options import ROOT
from sim.workspace import Workspace

DEFAULT = Path("build/graph/digits_post3_a3_seed0")  # what `asq-post graph` writes without a checkpoint
SHOWN = 20  # differences


def products_options(command):
    """Add the options that choose an engine's products where the graph does not say them, or shall not."""
    for option in reversed(
        [
            click.option("--unit", help="Of the products.  [default: that of the network's own levels]"),
            click.option("--bits", "weight_bits", type=Integer(), help="Of the products' weights.  [default: its own]"),
            click.option(
                "--abits", "activation_bits", type=Integer(), help="Of their activations.  [default: its own]"
            ),
            click.option("--kind", help="Of levels: symmetric, extended or asymmetric.  [default: the network's own]"),
            click.option("--frac", type=Integer(), help="Fraction bits of √2·a, -1 to 12, unit post.  [default: 0]"),
        ]
    ):
        command = option(command)
    return command


@click.command(epilog="Example: asq-post network build/graph/digits_post3_a3_seed0")
@click.argument("folder", type=PATH, default=DEFAULT, metavar="[GRAPH]")
@click.option("--preset", default="sized", show_default=True, help=f"Engine: {', '.join(presets())}.")
@products_options
@ROOT
def network(folder, preset, root, **products):
    """Run a network on its engine, in simulation.

    GRAPH is a folder that `asq-post graph` wrote. Compiles the network for an engine, simulates it on the test images,
    and compares every result, instruction and, of some images, every stored number with the graph's.
    """
    chosen, given = find_preset(preset), {name: value for name, value in products.items() if value is not None}
    check_products(given)
    graph, about = read_graph(folder / GRAPH_FILE)
    images, labels = read_samples(folder / SAMPLES_FILE, graph.input)
    mac = products_of(about, given)
    precision = about.get("precision", Precision().bits)
    digest = fingerprint([], [folder / GRAPH_FILE, folder / SAMPLES_FILE])
    place = Workspace(root).engine(folder.resolve().name, preset)
    with progress_bar("network") as bar:
        found = simulate_network(Network(graph, digest, images, labels, mac, precision, chosen), place, root, bar)
    if found.run is None:
        for line in found.differences[:SHOWN]:
            click.echo(line, err=True)
        click.echo(f"{len(found.differences)} differences between engine and graph; log: {place / 'log.txt'}", err=True)
        sys.exit(1)
    click.echo(summary(found.run))
    click.echo(f"Written to {place}: engine.v, log.txt, run.json")


def summary(run: NetworkRun) -> str:
    """What a run found, as a terminal shows it."""
    lines = []
    for layer in run.layers:
        busy = f"{layer.products / (layer.multiply * run.engine_products):.0%}" if layer.multiply else ""
        lines.append([layer.name, f"{layer.products:,}", f"{layer.multiply:,}", busy, f"{layer.prepare:,}"])
    total = [sum(getattr(layer, name) for layer in run.layers) for name in ("products", "multiply", "prepare")]
    busy = f"{total[0] * run.under_way / (run.period * run.engine_products):.0%}"
    lines.append(["all", f"{total[0]:,}", f"{total[1]:,}", f"{busy} of all", f"{total[2]:,}"])
    titles = ["layer", "products", "cycles to multiply", "products busy", "cycles for step and codes"]
    memories = [[name, f"{used:,}", f"{depth:,}"] for name, (used, depth) in run.rows.items()]
    right = f"{run.engine_right} of {run.images} right in RTL, {run.graph_right} in the graph"
    return "\n".join(
        [
            text_table(titles, lines, "lrrrr"),
            "",
            text_table(["memory", "rows in use", "rows"], memories, "lrr"),
            "",
            f"{run.period / run.under_way:,.1f} cycles an image, predicted and simulated, with {run.under_way} images"
            f" under way;",
            f"{run.latency:,} from the last number of an image that is alone to its results",
            f"{run.images} images: {right}; all {run.numbers:,} results equal,",
            f"all instructions' cycles as predicted, every stored number of {run.compared} images equal",
        ]
    )
