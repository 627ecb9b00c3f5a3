"""The options of commands that take a network and an engine for it, and what they stand for."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace as replace_fields

from asq_model.common.errors import InputError, check_choice
from asq_model.common.option_types import PATH, Integer, switch
from asq_model.spec.golden_vectors import GRAPH_FILE
from asq_model.spec.graph.file import read_graph
from asq_model.spec.graph.graph import Graph
from asq_model.spec.mac import MacSpec
from asq_model.spec.mapping import GENERIC, MAPPED_FAMILIES
from asq_model.spec.precision import Precision
from hw.engine.choose_products import ProductOptions, check_products, choose_products
from hw.engine.compiler.compiled import Compiled
from hw.engine.presets import Preset, compile_network, find_preset, presets

CHECK = switch("--check", "1: only check the options, as before a network is trained.")
DEFAULT_GRAPH = Path("build/graph/digits_post3_a3_seed0")  # what `asq-post graph` writes without a checkpoint
PRODUCTS = (
    click.option("--unit", help="Unit of the products.  [default: for the network's own levels]"),
    click.option(
        "--bits", "weight_bits", type=Integer(), help="Bits of the products' weights.  [default: the network's]"
    ),
    click.option(
        "--abits",
        "activation_bits",
        type=Integer(),
        help="Bits of the products' activations.  [default: the network's]",
    ),
    click.option("--kind", help="Level set: symmetric, extended or asymmetric.  [default: the network's]"),
    click.option("--frac", type=Integer(), help="Fraction bits of √2·a, -1 to 12, unit post.  [default: 0]"),
)
OPTIONS = (
    click.argument("folder", type=PATH, default=DEFAULT_GRAPH, metavar="[GRAPH]"),
    *PRODUCTS,
    click.option(
        "--family",
        "fpga_family",
        help=f"FPGA family of whose own cells the arrays are made, {', '.join(MAPPED_FAMILIES)}.  [default: {GENERIC}]",
    ),
)
Command = Callable[..., Any]


def add_options(command: Command, options: Sequence[Callable[[Command], Command]]) -> Command:
    """Add these options to a command, in their order."""
    for option in reversed(options):
        command = option(command)
    return command


def gather_products(command: Command) -> Command:
    """A command that takes the options of products one by one, and hands them on as one argument, `products`."""

    @wraps(command)
    def call(**options: Any) -> Any:
        names = [field.name for field in fields(ProductOptions) if field.name in options]
        return command(products=ProductOptions(**{name: options.pop(name) for name in names}), **options)

    return call


def product_options(command: Command) -> Command:
    """Decorate a command that takes the products of an engine, as `products`, with their options."""
    return add_options(gather_products(command), PRODUCTS)


def network_options(preset: str = "sized") -> Callable[[Command], Command]:
    """Decorate a command that takes a network and an engine with their options.

    The command gets the folder, the preset, which is this one unless another is given, and `products`.
    """
    choice = click.option("--preset", default=preset, show_default=True, help=f"Engine: {', '.join(presets())}.")
    return lambda command: add_options(gather_products(command), (choice, *OPTIONS))


def check_engine(preset: str, products: ProductOptions) -> None:
    """Raises InputError for a preset that does not exist, and for products that no engine can have."""
    find_preset(preset)
    if products.fpga_family is not None:
        check_choice("fpga_family", products.fpga_family, (GENERIC, *MAPPED_FAMILIES))
    check_products(products)


@dataclass(frozen=True)
class EngineChoice:
    """The engine that a user chose for a network: its preset, its products, the bits of the network's integers."""

    preset: Preset
    mac: MacSpec
    precision: int

    def with_cells(self, fpga_family: str) -> "EngineChoice":
        """This choice with arrays out of a family's own cells."""
        return replace(self, preset=replace_fields(self.preset, cells=fpga_family))

    def compile(self, graph: Graph) -> tuple[Graph, Compiled]:
        """Compile a network for the engine, as `compile_network` does."""
        return compile_network(self.preset, graph, self.mac, self.precision)


def read_network(folder: Path, preset: str, products: ProductOptions) -> tuple[Graph, EngineChoice]:
    """Read a network's graph from a folder, and choose the engine for it.

    Raises InputError, before a file is read, for what no engine can be.
    """
    check_engine(preset, products)
    if not os.path.lexists(folder / GRAPH_FILE):
        raise InputError(f"graph {folder / GRAPH_FILE} does not exist; `asq-post graph` writes one")
    graph, about = read_graph(folder / GRAPH_FILE)
    precision = about.get("precision", Precision().bits)
    if not isinstance(precision, int):
        raise InputError(f"graph {folder / GRAPH_FILE} says that its precision is {str(precision)[:40]!r}")
    choice = EngineChoice(find_preset(preset), choose_products(about, products), precision)
    return graph, choice if products.fpga_family is None else choice.with_cells(products.fpga_family)
