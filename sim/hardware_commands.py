"""The commands that measure hardware: `synth`, `sweep`, `recommend`, `report`, `unrolled`, and `pages`."""

import csv
import io
from pathlib import Path

import click

from asq_model.common.command_line import parse_widths
from asq_model.common.errors import InputError
from asq_model.common.files import PACKAGES, write_text
from asq_model.common.measured_blocks import write_block
from asq_model.common.option_types import OUTPUT, PATH, Integer, Real, given_options, refuse_unused, switch
from asq_model.common.progress import progress_bar
from asq_model.common.records import read_record, write_record
from asq_model.common.terminal import paragraph, text_of_markdown
from asq_model.spec.array import MAX_SIDE
from asq_model.spec.levels import EXPONENTIAL, KINDS
from asq_model.spec.mac_parameters import MAX_FRAC, MAX_LANES, MIN_FRAC
from asq_model.spec.units import FAMILY_OF_UNIT, ROUNDING, UNITS
from sim.explore.design_rows import ASIC, REPORT, TABLE, TARGETS, Measured, Row, columns_of
from sim.explore.design_space import FORMS, FULL_WIDTHS, designs, swept
from sim.explore.measure_design import Task
from sim.explore.ranking import recommended
from sim.explore.report_plan import COMPARED, WIDEST, parse_plan, report_tasks, slow_tasks, tasks_of
from sim.explore.sweep import Found, sweep
from sim.measure.fpga_families import PLACED
from sim.option_lists import parse_choices, parse_integers
from sim.vectors.shipped import shipped_folder, shipped_folders

MOST_SEEDS = 1000
WITH_DSP = ("ecp5", "xc7")  # multiplier blocks can be had or left
GOLDEN = click.argument("golden", type=PATH, nargs=-1, metavar="[GOLDEN]...")
ROOT = click.option("--root", type=OUTPUT, default=Path("build"), show_default=True, help="Build folder.")
SEEDS = click.option("--seeds", type=Integer(1, MOST_SEEDS), default=3, show_default=True, help="Placings of a design.")
LIBERTY = click.option("--liberty", type=PATH, help="Cells for gate equivalents.  [default: generic CMOS gates]")
SCHEDULER = click.option("--scheduler", help="Address of a Dask scheduler.  [default: processes of this machine]")


def measure_all(tasks: list[Task], root: Path, scheduler: str | None, known_only: bool = False) -> Found:
    """Measure designs, with a bar; say which failed. Raises InputError, with the first failure, if all did."""
    with progress_bar("measuring") as bar:
        found = sweep(tasks, root, bar, scheduler, known_only)
    if found.failures and not found.rows:
        raise InputError(found.failures[0].error)
    for failure in found.failures:
        click.echo(f"  failed: {failure.name} {failure.target}: {failure.error}", err=True)
    if found.rows:
        click.echo(f"figures of {len(found.rows)} designs, {len(found.failures)} failed", err=True)
    return found


def refuse_options(why: str, *names: str) -> None:
    """Raises InputError if the user gave one of these options, which `why` makes useless."""
    given = given_options(click.get_current_context())
    refuse_unused({name: value for name, value in given.items() if name in names}, why)


def check_targets(name: str, targets: list[str]) -> None:
    """Raises InputError for an option that none of these targets uses."""
    listed = f"{name} is {','.join(targets)}"
    if ASIC not in targets:
        refuse_options(f"{listed}, without {ASIC}", "--liberty")
    if not set(targets) & set(PLACED):
        refuse_options(f"{listed}, without {' and '.join(PLACED)}, which are placed", "--seeds")


@click.command(epilog="Example: asq-post synth --widths 4x4 --targets ice40,ecp5")
@GOLDEN
@click.option("--widths", default="4x4", show_default=True, help="Weight x activation bits.")
@click.option("--forms", default="mac", show_default=True, help=f"Of {', '.join(FORMS)}.")
@click.option("--targets", default="ice40,ecp5,xc7,asic", show_default=True, help=f"Of {', '.join(TARGETS)}.")
@switch("--dsp", "1: the uniform multiplier in multiplier blocks (ECP5 and 7-series) beside.")
@SEEDS
@LIBERTY
@SCHEDULER
@ROOT
def synth(golden, widths, forms, targets, dsp, seeds, liberty, scheduler, root):
    """Measure area and clock of designs.

    Each design first passes its test bench on the GOLDEN vectors (or those that come with this package). Prints tables.
    """
    from sim.reports.hardware_page import columns_for, dsp_lines, table
    from sim.reports.hardware_prose import SHORT, TITLES

    pairs, forms = parse_widths("--widths", widths), parse_choices("--forms", forms, FORMS)
    targets = parse_choices("--targets", targets, TARGETS)
    check_targets("--targets", targets)
    if dsp and not set(targets) & set(WITH_DSP):
        raise InputError(f"--dsp is 1, but --targets is {','.join(targets)}, without {' and '.join(WITH_DSP)}")
    golden = golden or shipped_folders()
    members = {(width, form): designs(width, form) for width in pairs for form in forms}
    every = [design for group in members.values() for design in group]
    if not every:
        raise InputError(f"no design of --forms {','.join(forms)} has --widths {widths}")
    tasks = tasks_of(every, targets, golden, seeds, liberty)
    if dsp:
        plain = [design for design in every if design.unit == "uniform"]
        tasks += tasks_of(plain, [name for name in targets if name in WITH_DSP], golden, seeds, None, True)
    found = measure_all(tasks, root, scheduler)
    names = SHORT | {ASIC: "gates"}
    for width, form in members:
        for target in targets:
            click.echo(f"{TITLES[form]}, {width[0]} x {width[1]} bits, {names[target]}:\n")
            click.echo(text_of_markdown(table(found.rows, width, form, columns_for(target))) + "\n")
    for line in dsp_lines(found.rows):
        click.echo(paragraph(line))


def csv_text(rows: list[Row]) -> str:
    """Rows as CSV, a column for every key that one of them has."""
    lines = [columns_of(row) for row in rows]
    columns = list(dict.fromkeys(key for line in lines for key in line))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return buffer.getvalue()


@click.command("sweep", epilog="Example: asq-post sweep --bits 3,4 --units post,uniform-sign")
@GOLDEN
@click.option("--bits", default="3,4", show_default=True, help="Weight bits.")
@click.option("--abits", default="", help="Activation bits.  [default: as the weight's]")
@click.option(
    "--units", default="post,pot,apot,uniform,uniform-sign", show_default=True, help=f"Of {', '.join(UNITS)}."
)
@click.option("--kinds", default="symmetric", show_default=True, help=f"Of {', '.join(KINDS)}.")
@click.option("--fracs", default="-1,0,2", show_default=True, help="Fraction bits, of the units that have them.")
@click.option("--lanes", default="1", show_default=True, help="Lanes of a unit; empty for none.")
@click.option("--sides", default="", help="Sides of square arrays.  [default: none]")
@click.option("--targets", default="ice40,ecp5", show_default=True, help=f"Of {', '.join(TARGETS)}.")
@click.option("--out", type=OUTPUT, default=Path("build/sweep"), show_default=True, help="Folder to write.")
@SEEDS
@LIBERTY
@SCHEDULER
@ROOT
def sweep_command(
    golden, bits, abits, units, kinds, fracs, lanes, sides, targets, out, seeds, liberty, scheduler, root
):
    """Measure a grid of designs.

    Takes every design in the product of the lists. Writes OUT/table.json (rows and failures, for `recommend`), the rows
    as table.csv, and Pareto plots.
    """
    from sim.reports.hardware_plots import draw_sweep

    units, kinds = parse_choices("--units", units, UNITS), parse_choices("--kinds", kinds, KINDS)
    targets = parse_choices("--targets", targets, TARGETS)
    check_targets("--targets", targets)
    listed = f"--units is {','.join(units)}, none of which has a choice"
    if not set(units) & set(ROUNDING):
        refuse_options(listed, "--fracs")
    if not any(FAMILY_OF_UNIT[unit] in EXPONENTIAL for unit in units):
        refuse_options(listed, "--kinds")
    golden = golden or shipped_folders()
    made = swept(
        parse_integers("--bits", bits, 2, 8),
        parse_integers("--abits", abits, 1, 8),
        units,
        kinds,
        parse_integers("--fracs", fracs, MIN_FRAC, MAX_FRAC),
        parse_integers("--lanes", lanes, 1, MAX_LANES),
        parse_integers("--sides", sides, 1, MAX_SIDE),
    )
    if not made:
        raise InputError(
            "no design can be made of these --bits, --abits, --units, --kinds, --fracs, --lanes and --sides"
        )
    found = measure_all(tasks_of(made, targets, golden, seeds, liberty), root, scheduler)
    write_text(out / "table.csv", csv_text(found.rows))
    write_record(out / "table.json", TABLE, Measured(rows=found.rows, failures=found.failures))
    draw_sweep(found.rows, targets, out)
    click.echo(out / "table.csv")


@click.command(epilog="Example: asq-post recommend --device ecp5 --bits 4")
@click.option("--device", default="ice40", show_default=True, help="A target of the sweep.")
@click.option("--bits", type=Integer(2, 8), default=4, show_default=True, help="Weight bits.")
@click.option("--abits", type=Integer(1, 8), help="Activation bits.  [default: as the weight's]")
@click.option("--error", type=Real(0, 1e6), default=0.05, show_default=True, help="Largest error, of the results' rms.")
@click.option("--form", default="mac", show_default=True, help=f"Of {', '.join(FORMS)}.")
@click.option("--table", type=PATH, default=Path("build/sweep/table.json"), show_default=True, help="Sweep's rows.")
def recommend(device, bits, abits, error, form, table):
    """Name the best design of a sweep.

    Best is the design with the most products per second and LUT.
    """
    parse_choices("--device", device, TARGETS)
    parse_choices("--form", form, FORMS)
    widths = bits, bits if abits is None else abits
    row = recommended(read_record(table, TABLE).rows, device, widths, error, form)
    if row is None:
        asked = f"--device {device}, --bits {widths[0]}, --abits {widths[1]} and an --error of at most {error}"
        raise InputError(f"no {form} of {table} that can be compared has {asked}")
    clock = f", {row.mhz:.0f} MHz" if row.mhz is not None else ""
    click.echo(f"{row.name}: {row.luts} LUTs{clock}, error {row.relative_error:.2%} of the results' rms")


RESULTS = PACKAGES / "docs" / "results"


@click.command(epilog="Example: asq-post report --devices xc7")
@GOLDEN
@click.option("--plan", default=" ".join(WIDEST), show_default=True, help="Forms and widths to compare.")
@click.option("--devices", default=",".join(COMPARED), show_default=True, help=f"Of {', '.join(COMPARED)}.")
@switch("--known", "1: show what was measured before, measure nothing.")
@click.option("--out", type=OUTPUT, default=Path("build/report/hardware.md"), show_default=True, help="Page.")
@SEEDS
@LIBERTY
@SCHEDULER
@ROOT
def report(golden, plan, devices, known, out, seeds, liberty, scheduler, root):
    """Compare all designs on one page.

    Writes OUT in Markdown with its pictures, and beside it the same as one HTML file.
    """
    from sim.reports.hardware_report import write_report

    devices = parse_choices("--devices", devices, COMPARED)
    check_targets("--devices", devices)
    if known:
        refuse_options("--known is 1, and nothing is measured", "--scheduler")
    golden = golden or shipped_folders()
    tasks = report_tasks(parse_plan(plan), devices, golden, seeds, liberty)
    found = measure_all(tasks, root, scheduler, known)
    slow = sweep(slow_tasks(parse_plan(plan), devices, golden, seeds), root, known_only=True)
    found.rows += slow.rows
    found.left_out += slow.left_out
    if not found.rows:
        raise InputError("nothing of this --plan was measured before; leave --known out")
    for path in write_report(found, RESULTS, out, seeds, liberty):
        click.echo(path)


@click.command(epilog="Example: asq-post unrolled --seeds 1")
@click.argument("cases", nargs=-1, metavar="[CASES]...")
@click.option("--larger", multiple=True, help="Cases that are solved and simulated only.")
@click.option("--out", type=OUTPUT, default=Path("build/report/unrolled.md"), show_default=True, help="Page.")
@click.option("--seeds", type=Integer(1, MOST_SEEDS), default=1, show_default=True, help="Placings of each layer.")
@ROOT
def unrolled(cases, larger, out, seeds, root):
    """Measure layers as adder graphs.

    Solves, synthesises and places each layer, and writes a page. CASES: folder:layer:INPUTSxOUTPUTS; without any, a
    layer of the network that comes with this package.
    """
    from sim.unrolled.cases import find_layer, parse_case
    from sim.unrolled.page import UNROLLED, page
    from sim.unrolled.page import report as unrolled_report

    default = f"{shipped_folder(FULL_WIDTHS)}:block3.downsample.0:16x16"
    measured = [parse_case("CASES", case) for case in cases or (default,)]
    simulated = [parse_case("--larger", case) for case in larger]
    for case in [*measured, *simulated]:
        find_layer(case)
    with progress_bar("layers") as bar:
        found = unrolled_report(measured, simulated, seeds, root, bar)
    write_record(out.with_suffix(".json"), UNROLLED, found)
    write_text(out, page(found))
    click.echo(out)


@click.command(epilog="Example: asq-post pages")
@click.option("--results", type=OUTPUT, default=RESULTS, show_default="docs/results", help="Folder of records.")
def pages(results):
    """Write the pages on hardware anew.

    Reads the records in RESULTS: what `report`, `unrolled` and `asq` measured.
    """
    from sim.reports import adaptation_page
    from sim.reports.hardware_report import write_page
    from sim.reports.headline import BLOCK, findings
    from sim.unrolled.page import UNROLLED, page

    unrolled_layers, hardware_rows = results / "unrolled.json", results / "hardware.json"
    written = []
    if unrolled_layers.is_file():
        written.append(unrolled_layers.with_suffix(".md"))
        write_text(written[-1], page(read_record(unrolled_layers, UNROLLED)))
    if hardware_rows.is_file():
        report = read_record(hardware_rows, REPORT)
        written.append(write_page(report, results, hardware_rows.with_suffix(".md")))
        readme = results.absolute().parents[1] / "README.md"
        if readme.is_file():
            write_block(readme, BLOCK, findings(report.rows))
            written.append(readme)
    for path in sorted(results.glob("asq*.json")):
        written.append(path.with_suffix(".md"))
        write_text(written[-1], adaptation_page.page(read_record(path, adaptation_page.ASQ), f"{path.stem}-beta.png"))
    if not written:
        raise InputError(f"{results} has none of hardware.json, unrolled.json, asq.json")
    for path in written:
        click.echo(path)


hardware = [synth, sweep_command, recommend, report, unrolled, pages]
