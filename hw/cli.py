"""The command line of the hardware room: `python -m hw verilog --bits 3`."""

from pathlib import Path

import click

from asq_model.files import InputError
from asq_model.golden import read_maps
from asq_model.integer.array import MAX_STAGES, ArraySpec
from asq_model.integer.blocks import BLOCKS, PARAMETERS, BlockSpec
from asq_model.integer.mac import DEFAULT_DEPTH, DEFAULT_FRAC, UNITS, MacSpec
from hw.asq.contents import Contents, contents_of, layer_size
from hw.emit import Spec, emit

DEFAULT_BITS = 3
MAC_PARAMETERS = ("levels", "frac", "depth", "lanes", "shared", "gated")
ARRAY_PARAMETERS = ("rows", "columns", "stages")  # any of them makes it an array
# Option and field of the specification.
BLOCK_PARAMETERS = {"channels": "channels", "pixels": "pixels", "precision": "precision", "lanes": "lanes"} | {
    "total": "total_bits",
    "hidden": "hidden",
    "buffer": "buffer",
}


@click.group()
def cli():
    """Generate synthesizable Verilog of POST multiply-accumulate units and ASQ's step-size blocks."""


def spec_of(unit: str, bits: int, abits: int | None, signed: bool, given: dict) -> Spec:
    """The unit's specification. Raises InputError for a parameter that the unit does not have."""
    given = {name: value for name, value in given.items() if value is not None}
    is_block = unit in BLOCKS
    own = [name for name, field in BLOCK_PARAMETERS.items() if is_block and field in PARAMETERS[unit]]
    foreign = [name for name in given if name not in (own if is_block else MAC_PARAMETERS + ARRAY_PARAMETERS)]
    if foreign and unit in (*BLOCKS, *UNITS):
        raise InputError(f"{foreign[0].upper()} is {given[foreign[0]]}, but unit {unit} has no such parameter")
    activation_bits = bits if abits is None else abits
    if is_block:
        fields = {BLOCK_PARAMETERS[name]: value for name, value in given.items()}
        return BlockSpec(unit, activation_bits=activation_bits, signed_activation=signed, **fields)
    if unit not in UNITS:
        raise InputError(f"UNIT is {unit!r}; allowed: {', '.join((*UNITS, *BLOCKS))}, counter")
    array = {name: given.pop(name) for name in ARRAY_PARAMETERS if name in given}
    mac = MacSpec(unit, bits, activation_bits, signed_activation=signed, **given)
    return ArraySpec(mac, **array) if array else mac


def filled(unit: str, golden: Path, layer: str, given: dict) -> tuple[Spec, Contents]:
    """A block for a layer of a network, as large as it needs unless the size is given, and its contents."""
    maps = {maps.name: maps for maps in read_maps(golden)}
    if layer not in maps:
        raise InputError(f"LAYER is {layer!r}; allowed: {', '.join(maps)}")
    entry = maps[layer].entry
    least = layer_size(unit, maps[layer])
    sizes = least | {name: given[name] for name in least if given.get(name) is not None}
    spec = spec_of(unit, entry["bits"], None, entry["signed"], given | sizes)
    return spec, contents_of(spec, maps[layer])


@cli.command()
@click.option("--unit", default="post", show_default=True, help=f"One of {', '.join((*UNITS, *BLOCKS))}; or counter.")
@click.option(
    "--bits",
    type=int,
    default=DEFAULT_BITS,
    show_default=True,
    help="Weight bits: 2-6, uniform and serial 2-8, e2m1 4.",
)
@click.option("--abits", type=int, help="Activation bits, 1-8.  [default: as --bits]")
@click.option("--levels", help="symmetric, extended or asymmetric (POST and POT units).")
@click.option("--frac", type=int, help=f"Fraction bits, -1 (post only) to 12.  [default: {DEFAULT_FRAC}]")
@click.option("--depth", type=int, help=f"Longest dot product, in terms.  [default: {DEFAULT_DEPTH}]")
@click.option("--signed-act", type=click.IntRange(0, 1), default=0, show_default=True, help="1: signed activations.")
@click.option("--channels", type=int, help=f"Blocks: the most channels.  [default: {BlockSpec.channels}]")
@click.option("--pixels", type=int, help=f"Blocks: the most pixels of a map.  [default: {BlockSpec.pixels}]")
@click.option("--precision", type=int, help=f"Blocks: bits of a map's values.  [default: {BlockSpec.precision}]")
@click.option("--lanes", type=int, help="Products or, in blocks, values a cycle.  [default: 1]")
@click.option("--shared", type=click.BOOL, help="1: the activation's multiples come with it, from outside.")
@click.option("--rows", type=int, help=f"An array of so many rows.  [default: {ArraySpec.rows} if it is one]")
@click.option("--columns", type=int, help=f"An array of so many columns.  [default: {ArraySpec.columns} if it is one]")
@click.option("--stages", type=click.IntRange(1, MAX_STAGES), help="Arrays: stages of a product.  [default: 1]")
@click.option("--total", type=int, help=f"rescale: bits of its sums.  [default: {BlockSpec.total_bits}]")
@click.option("--hidden", type=int, help="Adapters: the most hidden units.  [default: a quarter of the channels]")
@click.option("--buffer", type=int, help="adapter-step: words that it holds, two maps.  [default: two of the largest]")
@click.option("--golden", type=click.Path(path_type=Path), help="Golden vectors of a network: its --layer's contents.")
@click.option("--layer", help="Blocks with a memory: the layer whose weights it holds at first.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("build/verilog"), show_default=True)
def verilog(unit, bits, abits, signed_act, golden, layer, out, **given):
    """Write a unit's Verilog and its JSON sidecar, and print both paths."""
    contents = None
    if (golden is None) != (layer is None):
        raise InputError("GOLDEN and LAYER go together: a folder of golden vectors, and a layer's name")
    if golden is not None:
        if abits is not None or signed_act:
            raise InputError(f"ABITS and SIGNED_ACT are layer {layer}'s own; leave them out with GOLDEN")
        spec, contents = filled(unit, golden, layer, given)
    else:
        spec = None if unit == "counter" else spec_of(unit, bits, abits, bool(signed_act), given)
    for path in emit(spec, out, contents):
        click.echo(path)
