"""The command line of the hardware room: `python -m hw verilog --bits 3`."""

from pathlib import Path

import click

from asq_model.integer.mac import DEFAULT_DEPTH, DEFAULT_FRAC, UNITS, MacSpec
from hw.emit import emit


@click.group()
def cli():
    """Generate synthesizable Verilog of POST multiply-accumulate units."""


@cli.command()
@click.option("--unit", default="post", show_default=True, help=f"One of {', '.join(UNITS)}; or counter.")
@click.option("--bits", type=int, default=3, show_default=True, help="Weight bits: 2-6, uniform and serial 2-8.")
@click.option("--abits", type=int, help="Activation bits, 1-8.  [default: as --bits]")
@click.option("--levels", default="", help="symmetric, extended or asymmetric (POST and POT units).")
@click.option("--frac", type=int, help=f"Fraction bits of POST products or results, 0-12.  [default: {DEFAULT_FRAC}]")
@click.option("--depth", type=int, default=DEFAULT_DEPTH, show_default=True, help="Longest dot product, in terms.")
@click.option("--signed-act", type=click.IntRange(0, 1), default=0, show_default=True, help="1: signed activations.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("build/verilog"), show_default=True)
def verilog(unit, bits, abits, levels, frac, depth, signed_act, out):
    """Write a unit's Verilog and its JSON sidecar, and print both paths."""
    spec = None
    if unit != "counter":
        spec = MacSpec(unit, bits, bits if abits is None else abits, levels, frac, depth, bool(signed_act))
    for path in emit(spec, out):
        click.echo(path)
