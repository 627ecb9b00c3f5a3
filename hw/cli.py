"""The commands of `python -m hw`: write the Verilog of a unit, or of an engine with a network in it."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from asq_model.common.errors import InputError, check_choice
from asq_model.common.files import write_text
from asq_model.common.option_types import OUTPUT_FOLDER, PATH, Commands, Integer, Switch, refuse_unused
from asq_model.spec.array import ArraySpec
from asq_model.spec.asq_blocks import BLOCKS, PARAMETERS, BlockSpec
from asq_model.spec.golden_vectors import read_maps
from asq_model.spec.mac import MacSpec
from asq_model.spec.mac_parameters import DEFAULT_DEPTH, DEFAULT_FRAC
from asq_model.spec.mapping import GENERIC, MAPPED_FAMILIES
from asq_model.spec.units import UNITS
from hw.asq.layer_contents import Contents, find_size, make_contents
from hw.emit import Spec, emit
from hw.engine_command import engine
from hw.fpga import copy_models
from hw.fusesoc import make_unit_core

DEFAULT_BITS = 3
ARRAY_FIELDS = ("rows", "columns", "stages", "fpga_family")  # rows or columns make it an array
OPERAND_FIELDS = ("activation_bits", "signed_activation")


@click.group(cls=Commands)
def cli() -> None:
    """Generate synthesizable Verilog of multiply-accumulate units, ASQ's step-size blocks and whole engines."""


cli.add_command(engine)


def fields_of(unit: str) -> tuple[str, ...]:
    """The fields that can be chosen of a unit's specification. Raises InputError for a unit that does not exist."""
    check_choice("unit", unit, (*UNITS, *BLOCKS, "counter"))
    if unit in BLOCKS:
        return PARAMETERS[unit]
    mac_fields = tuple(field.name for field in fields(MacSpec) if field.name != "unit")
    return () if unit == "counter" else (*mac_fields, *ARRAY_FIELDS)


def make_spec(unit: str, given: dict[str, Any]) -> Spec | None:
    """Make a unit's specification from the fields that were given; None for the cycle counter.

    Raises InputError for a field that the unit does not have.
    """
    allowed = fields_of(unit)
    foreign = {name: value for name, value in given.items() if name not in allowed}
    refuse_unused(foreign, f"unit {unit} has no such parameter")
    if unit == "counter":
        return None
    if unit in BLOCKS:
        return BlockSpec(unit, **given)
    array = {name: given[name] for name in ARRAY_FIELDS if name in given}
    if array and not {"rows", "columns"} & set(array):
        refuse_unused(array, f"unit {unit} alone is no array", "--rows and --columns")
    chosen = {name: value for name, value in given.items() if name not in ARRAY_FIELDS}
    bits = chosen.setdefault("weight_bits", DEFAULT_BITS)
    mac = MacSpec(unit, **{"activation_bits": bits} | chosen)
    return ArraySpec(mac, **array) if array else mac


def make_block(unit: str, golden: Path, layer: str, given: dict[str, Any]) -> tuple[Spec, Contents]:
    """Make a block for a layer of a network, as large as it needs unless the size is given, with its contents."""
    maps = {maps.name: maps for maps in read_maps(golden)}
    if layer not in maps:
        raise InputError(f"--layer is {layer!r}; allowed: {', '.join(maps)}")
    entry = maps[layer].entry
    size = find_size(unit, maps[layer])
    operands: dict[str, Any] = {"activation_bits": entry["bits"], "signed_activation": entry["signed"]}
    operands = {name: value for name, value in operands.items() if name in fields_of(unit)}
    spec = make_spec(unit, operands | size | given)
    assert isinstance(spec, BlockSpec)  # only blocks hold a layer
    return spec, make_contents(spec, maps[layer])


@cli.command(epilog="Example: asq-post verilog --bits 3 --unit post")
@click.option("--unit", default="post", show_default=True, help=f"One of {', '.join((*UNITS, *BLOCKS))}; or counter.")
@click.option(
    "--bits",
    "weight_bits",
    type=Integer(),
    help=f"Weight bits: 2-6, uniform and serial 2-8, e2m1 4.  [default: {DEFAULT_BITS}]",
)
@click.option("--abits", "activation_bits", type=Integer(), help="Activation bits, 1-8.  [default: as --bits]")
@click.option("--kind", help="Level set: symmetric, extended or asymmetric (POST and POT units).")
@click.option("--frac", type=Integer(), help=f"Fraction bits, -1 (post only) to 12.  [default: {DEFAULT_FRAC}]")
@click.option("--depth", type=Integer(), help=f"Longest dot product, in terms.  [default: {DEFAULT_DEPTH}]")
@click.option("--signed-act", "signed_activation", type=Switch(), help="1: signed activations.  [default: 0]")
@click.option("--channels", type=Integer(), help=f"Blocks: the most channels.  [default: {BlockSpec.channels}]")
@click.option("--pixels", type=Integer(), help=f"Blocks: the most pixels of a map.  [default: {BlockSpec.pixels}]")
@click.option("--precision", type=Integer(), help=f"Blocks: bits of a map's values.  [default: {BlockSpec.precision}]")
@click.option("--lanes", type=Integer(), help="Products or, in blocks, values a cycle.  [default: 1]")
@click.option(
    "--shared", type=Switch(), help="1: √2·a (or 3·a) comes with each activation, from a table that units share."
)
@click.option("--gated", type=Switch(), help="1: a zero activation makes the product's sign zero too.")
@click.option("--rows", type=Integer(), help=f"Rows of an array.  [default: {ArraySpec.rows} if it is one]")
@click.option("--columns", type=Integer(), help=f"Columns of an array.  [default: {ArraySpec.columns} if it is one]")
@click.option("--stages", type=Integer(), help="Arrays: stages of a product.  [default: 1]")
@click.option(
    "--family",
    "fpga_family",
    help=f"Arrays: FPGA family of whose own cells they are made, {', '.join(MAPPED_FAMILIES)}.  [default: {GENERIC}]",
)
@click.option(
    "--total", "total_bits", type=Integer(), help=f"rescale: bits of sums.  [default: {BlockSpec.total_bits}]"
)
@click.option("--hidden", type=Integer(), help="Adapters: the most hidden neurons.  [default: channels / 4]")
@click.option("--buffer", type=Integer(), help="adapter-step: beats that it holds.  [default: two of the largest maps]")
@click.option("--golden", type=PATH, help="Golden vectors of a network: its --layer's contents.")
@click.option("--layer", help="Blocks with a memory: the layer whose weights it holds at first.")
@click.option("--out", type=OUTPUT_FOLDER, default=Path("build/verilog"), show_default=True, help="Folder to write.")
def verilog(unit: str, golden: Path | None, layer: str | None, out: Path, **options: Any) -> None:
    """Write a unit's Verilog, JSON sidecar and FuseSoC core.

    Prints their paths. The sidecar describes ports, formats, latency and the product's formula. Beside an array of an
    FPGA family's own cells lie models of the cells.
    """
    given = {name: value for name, value in options.items() if value is not None and value is not False}
    if (golden is None) != (layer is None):
        raise InputError("--golden and --layer go together: a folder of golden vectors, and a layer's name")
    spec: Spec | None
    contents: Contents | None = None
    if golden is None or layer is None:
        spec = make_spec(unit, given)
    else:
        operands = {name: given.get(name) for name in ("weight_bits", *OPERAND_FIELDS)}
        refuse_unused(operands, f"--golden is given, and layer {layer} has its own")
        spec, contents = make_block(unit, golden, layer, given)
    verilog, sidecar = emit(spec, out, contents)
    for path in (verilog, sidecar, *write_core(spec, verilog)):
        click.echo(path)


def write_core(spec: Spec | None, verilog: Path) -> list[Path]:
    """Write a unit's FuseSoC core beside its Verilog, and models of the cells that it is made of; returns all paths."""
    models = copy_models(spec, verilog.with_suffix(""))
    core = verilog.with_suffix(".core")
    write_text(core, make_unit_core(verilog.stem, verilog, models))
    return [*models, core]
