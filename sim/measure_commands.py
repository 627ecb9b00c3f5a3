"""The commands that measure designs and print what they found: `synth`, `sweep` and `recommend`."""

import csv
import io
from pathlib import Path

import click

from asq_model.common.command_line import parse_widths
from asq_model.common.errors import InputError
from asq_model.common.files import write_text
from asq_model.common.option_types import OUTPUT_FOLDER, PATH, Integer, Real, switch
from asq_model.common.records import read_record, write_record
from asq_model.common.terminal import convert_markdown, wrap_paragraph
from asq_model.spec.array import MAX_SIDE
from asq_model.spec.levels import EXPONENTIAL, KINDS
from asq_model.spec.mac_parameters import MAX_FRAC, MAX_LANES, MIN_FRAC
from asq_model.spec.units import FAMILY_OF_UNIT, ROUNDING, UNITS
from sim.explore.design_rows import ASIC, ENERGY, TABLE, TARGETS, DesignRow, Measured, columns_of
from sim.explore.design_space import FORMS, list_designs, make_grid
from sim.explore.ranking import find_recommended
from sim.explore.report_plan import make_tasks
from sim.explore.sweep import Swept
from sim.hardware_options import Measuring, check_targets, measure_all, measuring_options, refuse_options
from sim.option_lists import parse_choice, parse_choices, parse_integers

WITH_DSP = ("ecp5", "xc7")  # multiplier blocks can be had or left
SHOWN = tuple(target for target in TARGETS if target != ENERGY)  # in tables; a sweep has energies too


@click.command(epilog="Example: asq-post synth --widths 4x4 --targets ice40,ecp5")
@click.option("--widths", default="4x4", show_default=True, help="Weight x activation bits, as 3x3,4x8.")
@click.option("--forms", default="mac", show_default=True, help=f"Forms of a design, of {', '.join(FORMS)}.")
@click.option("--targets", default="ice40,ecp5,xc7,asic", show_default=True, help=f"Targets, of {', '.join(SHOWN)}.")
@switch("--dsp", "1: also the uniform multiplier in multiplier blocks (ECP5, 7-series).")
@measuring_options
def synth(
    widths: str,
    forms: str,
    targets: str,
    dsp: bool,
    how: Measuring,
) -> None:
    """Measure area and clock of designs.

    Each design first passes its test bench on the GOLDEN vectors (or those that come with this package). Prints tables.
    """
    from sim.reports.hardware_page import choose_columns, make_dsp_lines, make_table
    from sim.reports.titles import SHORT, TITLES

    pairs, wanted_forms = parse_widths("--widths", widths), parse_choices("--forms", forms, FORMS)
    wanted_targets = parse_choices("--targets", targets, SHOWN)
    check_targets("--targets", wanted_targets)
    if dsp and not set(wanted_targets) & set(WITH_DSP):
        raise InputError(f"--dsp is 1, but --targets is {targets}, without {' and '.join(WITH_DSP)}")
    members = {(width, form): list_designs(width, form) for width in pairs for form in wanted_forms}
    every = [design for group in members.values() for design in group]
    if not every:
        raise InputError(f"no design of --forms {forms} has --widths {widths}")
    tasks = make_tasks(every, wanted_targets, how.golden, how.placings, how.liberty)
    if dsp:
        plain = [design for design in every if design.unit == "uniform"]
        targets_with_dsp = [name for name in wanted_targets if name in WITH_DSP]
        tasks += make_tasks(plain, targets_with_dsp, how.golden, how.placings, None, True)
    swept_rows = measure_all(tasks, how).rows
    names = SHORT | {ASIC: "gates"}
    for width, form in members:
        for target in wanted_targets:
            click.echo(f"{TITLES[form]}, {width[0]} x {width[1]} bits, {names[target]}:\n")
            click.echo(convert_markdown(make_table(swept_rows, width, form, choose_columns(target))) + "\n")
    for line in make_dsp_lines(swept_rows):
        click.echo(wrap_paragraph(line))


def make_csv(rows: list[DesignRow]) -> str:
    """Make rows as CSV, a column for every key that one of them has."""
    lines = [columns_of(row) for row in rows]
    columns = list(dict.fromkeys(key for line in lines for key in line))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return buffer.getvalue()


def write_sweep(out: Path, result: Swept, targets: list[str]) -> None:
    """Write what a sweep found to a folder: rows and failures, the rows as CSV, and Pareto plots."""
    from sim.reports.sweep_plots import draw_sweep

    write_record(out / "table.json", TABLE, Measured(rows=result.rows, failures=result.failures))
    write_text(out / "table.csv", make_csv(result.rows))
    draw_sweep(result.rows, targets, out)


def refuse_useless(units: list[str]) -> None:
    """Raises InputError for the fraction bits or kinds of level sets that a user asks of units without a choice."""
    listed = f"--units is {','.join(units)}, none of which has a choice"
    if not set(units) & set(ROUNDING):
        refuse_options(listed, "--fracs")
    if not any(FAMILY_OF_UNIT[unit] in EXPONENTIAL for unit in units):
        refuse_options(listed, "--kinds")


@click.command("sweep", epilog="Example: asq-post sweep --bits 3,4 --units post,uniform-sign")
@click.option("--bits", default="3,4", show_default=True, help="Weight bits.")
@click.option("--abits", default="", help="Activation bits.  [default: as the weight's]")
@click.option(
    "--units", default="post,pot,apot,uniform,uniform-sign", show_default=True, help=f"Units, of {', '.join(UNITS)}."
)
@click.option("--kinds", default="symmetric", show_default=True, help=f"Level sets, of {', '.join(KINDS)}.")
@click.option("--fracs", default="-1,0,2", show_default=True, help="Fraction bits, of the units that have them.")
@click.option("--lanes", default="1", show_default=True, help="Lanes of a unit; empty for none.")
@click.option("--sides", default="", help="Sides of square arrays.  [default: none]")
@click.option("--targets", default="ice40,ecp5", show_default=True, help=f"Targets, of {', '.join(TARGETS)}.")
@click.option("--out", type=OUTPUT_FOLDER, default=Path("build/sweep"), show_default=True, help="Folder to write.")
@measuring_options
def sweep_command(
    bits: str,
    abits: str,
    units: str,
    kinds: str,
    fracs: str,
    lanes: str,
    sides: str,
    targets: str,
    out: Path,
    how: Measuring,
) -> None:
    """Measure a grid of designs.

    Takes every design in the product of the lists. Writes OUT/table.json (rows and failures, for `recommend`), the rows
    as table.csv, and Pareto plots.
    """
    wanted_units, wanted_kinds = parse_choices("--units", units, UNITS), parse_choices("--kinds", kinds, KINDS)
    wanted_targets = parse_choices("--targets", targets, TARGETS)
    check_targets("--targets", wanted_targets)
    refuse_useless(wanted_units)
    grid = make_grid(
        parse_integers("--bits", bits, 2, 8),
        parse_integers("--abits", abits, 1, 8),
        wanted_units,
        wanted_kinds,
        parse_integers("--fracs", fracs, MIN_FRAC, MAX_FRAC),
        parse_integers("--lanes", lanes, 1, MAX_LANES),
        parse_integers("--sides", sides, 1, MAX_SIDE),
    )
    if not grid:
        raise InputError(
            "no design can be made of these --bits, --abits, --units, --kinds, --fracs, --lanes and --sides"
        )
    result = measure_all(make_tasks(grid, wanted_targets, how.golden, how.placings, how.liberty), how)
    write_sweep(out, result, wanted_targets)
    click.echo(out / "table.csv")


@click.command(epilog="Example: asq-post recommend --target ecp5 --bits 4")
@click.option("--target", default="ice40", show_default=True, help="A target of the sweep.")
@click.option("--bits", type=Integer(2, 8), default=4, show_default=True, help="Weight bits.")
@click.option("--abits", type=Integer(1, 8), help="Activation bits.  [default: as the weight's]")
@click.option("--error", type=Real(0, 1e6), default=0.05, show_default=True, help="Largest error, of the results' rms.")
@click.option("--form", default="mac", show_default=True, help=f"Form of the design, of {', '.join(FORMS)}.")
@click.option("--table", type=PATH, default=Path("build/sweep/table.json"), show_default=True, help="Sweep's rows.")
def recommend(target: str, bits: int, abits: int | None, error: float, form: str, table: Path) -> None:
    """Name the best design of a sweep.

    Best is the design with the most products per second and LUT.
    """
    parse_choice("--target", target, TARGETS)
    parse_choice("--form", form, FORMS)
    widths = bits, bits if abits is None else abits
    row = find_recommended(read_record(table, TABLE).rows, target, widths, error, form)
    if row is None:
        asked = f"--target {target}, --bits {widths[0]}, --abits {widths[1]} and an --error of at most {error}"
        raise InputError(f"no {form} of {table} that can be compared has {asked}")
    clock = f", {row.mhz:.0f} MHz" if row.mhz is not None else ""
    click.echo(f"{row.name}: {row.luts} LUTs{clock}, error {row.relative_error:.2%} of the results' rms")
