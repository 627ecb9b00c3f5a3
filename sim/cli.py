"""The command line of the checking room: `python -m sim run build/golden/…`."""

import sys
from pathlib import Path

import click

from asq_model.files import InputError, write_text
from asq_model.golden import check_files, read_manifest
from asq_model.integer.mac import MacSpec
from asq_model.option_types import OUTPUT, PATH, switch
from sim.asq_report import adaptation
from sim.hardware_cli import hardware
from sim.maps import block_specs
from sim.report import summary, write_reports
from sim.run import Job, run_jobs
from sim.verilator import verilator


@click.group()
def cli():
    """Check the emitted units in Verilator against golden vectors, and measure them."""


for command in hardware:
    cli.add_command(command)


@cli.command()
def tools():
    """Fail at once, and say why, if Verilator or its compiler is missing."""
    verilator()


def golden_specs(manifest: dict) -> list[MacSpec]:
    """The units that the layers' vectors are for, each once, those of the low-bit layers first."""
    layers = sorted(manifest["layers"], key=lambda layer: (layer["weight_bits"], layer["activation_bits"]))
    units = [unit["spec"] for layer in layers for unit in layer["units"].values()]
    return list(dict.fromkeys(MacSpec(**spec) for spec in units))


def report_folder(golden: Path, root: Path) -> Path:
    """Where reports on a network go: a folder of its own, called as that of its golden vectors."""
    return root / "report" / golden.resolve().name


@cli.command()
@click.argument("golden", type=PATH)
@click.option("--root", type=OUTPUT, default=Path("build"), show_default=True, help="Build folder.")
@click.option("--out", type=OUTPUT, help="[default: ROOT/report/<GOLDEN's name>/asq.md]")
@switch("--area", "1: synthesise too; large maps take Yosys long.", default=True)
@click.option("--note", default="", help="What else the page shall say.")
def asq(golden, root, out, area, note):
    """Simulate and synthesise ASQ's blocks for GOLDEN's network; write the page on what adaptation costs."""
    from sim.asq_page import area_sections, macs_of, page
    from sim.plot import draw_betas

    manifest = read_manifest(golden)
    specs = block_specs(manifest)
    if not any(spec.unit == "adapter-step" for spec in specs):
        raise InputError(f"golden vectors {golden} are of a network without adapters; allowed: asq activations")
    if area:
        macs_of(manifest)  # refuses now what it would refuse after the simulation
    outcomes = run_jobs([Job(spec, golden) for spec in specs], root, False, lambda line: click.echo(line, err=True))
    failures = [failure for outcome in outcomes for failure in outcome.failures()]
    if failures:
        raise InputError(f"{len(failures)} benches failed: {failures[0]}")
    out = out or report_folder(golden, root) / "asq.md"
    rows = adaptation(golden, outcomes)
    areas = area_sections(manifest, specs, root, lambda line: click.echo(line, err=True)) if area else []
    picture = out.with_name(f"{out.stem}-beta.png")
    draw_betas(rows, picture, f"{manifest['network']}: β of {len(rows[0]['rtl_betas'])} images")
    write_text(out, page(manifest, outcomes, picture.name, note, areas))
    click.echo(out)


@cli.command()
@click.argument("golden", type=PATH)
@click.option("--root", type=OUTPUT, default=Path("build"), show_default=True, help="Build folder.")
@switch("--force", "1: simulate again even what did not change.")
def run(golden, root, force):
    """Emit and build every unit that the GOLDEN vectors are for, simulate, and report."""
    manifest = read_manifest(golden)
    check_files(golden, manifest)
    units = golden_specs(manifest)
    specs = [*units, *block_specs(manifest)]
    click.echo(f"simulating {len(specs)} units on {manifest['products']} golden products", err=True)
    outcomes = run_jobs([Job(spec, golden) for spec in specs], root, force, lambda line: click.echo(line, err=True))
    parts = outcomes[: len(units)], outcomes[len(units) :]
    folder = report_folder(golden, root)
    written = write_reports(folder, manifest, golden, *parts)
    click.echo(summary(manifest, golden, *parts))
    click.echo(f"Written to {folder}: {', '.join(written)}")
    if not all(outcome.passed for outcome in outcomes):
        sys.exit(1)
