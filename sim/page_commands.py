"""The commands that write pages on hardware: `report`, `unrolled` and `pages`."""

from pathlib import Path

import click

from asq_model.common.errors import InputError, shown
from asq_model.common.files import PACKAGES, write_text
from asq_model.common.option_types import OUTPUT_FOLDER, PAGE, PATH, Integer, switch
from asq_model.common.progress import progress_bar
from asq_model.common.records import read_record, write_record
from sim.explore.design_rows import ASIC, REPORT
from sim.explore.design_space import FULL_WIDTHS
from sim.explore.report_plan import COMPARED, WIDEST, list_report_tasks, list_slow_tasks, parse_plan
from sim.explore.sweep import sweep
from sim.hardware_options import (
    MOST_PLACINGS,
    ROOT,
    Measuring,
    check_targets,
    measure_all,
    measuring_options,
    refuse_options,
)
from sim.option_lists import parse_choices
from sim.vectors.shipped import shipped_folder

RESULTS = PACKAGES / "docs" / "results"


@click.command(epilog="Example: asq-post report --targets xc7")
@click.option("--plan", default=" ".join(WIDEST), show_default=True, help="Forms and widths to compare.")
@click.option(
    "--targets", default=",".join(COMPARED), show_default=True, help=f"Which to compare, of {', '.join(COMPARED)}."
)
@switch("--known", "1: show what was measured before, measure nothing.")
@click.option("--onto", type=PATH, help="Record of an earlier report: its rows stay where they are not measured anew.")
@click.option("--out", type=PAGE, default=Path("build/report/hardware.md"), show_default=True, help="Page.")
@measuring_options
def report(
    plan: str,
    targets: str,
    known: bool,
    onto: Path | None,
    out: Path,
    how: Measuring,
) -> None:
    """Compare all designs on one page.

    Writes OUT in Markdown with its pictures, and beside it the same as one HTML file, with a plot of all placed designs
    to explore.
    """
    from sim.reports.hardware_report import check_alike, describe_origin, write_report

    wanted_targets = parse_choices("--targets", targets, COMPARED)
    check_targets("--targets", wanted_targets)
    if known:
        refuse_options("--known is 1, and nothing is measured", "--scheduler")
    earlier = read_record(onto, REPORT) if onto else None
    if earlier:
        check_alike(earlier, describe_origin(how.placings, how.liberty), ASIC in wanted_targets)
    tasks = list_report_tasks(parse_plan(plan), wanted_targets, how.golden, how.placings, how.liberty)
    measured = measure_all(tasks, how, known)
    slow = sweep(list_slow_tasks(parse_plan(plan), wanted_targets, how.golden, how.placings), how.root, known_only=True)
    measured.rows += slow.rows
    measured.left_out += slow.left_out
    if not measured.rows and known:
        raise InputError("nothing of this --plan was measured before; leave --known out")
    if not measured.rows:
        raise InputError(f"--plan is {shown(plan)}, none of which is measured on --targets {shown(targets)}")
    for path in write_report(measured, RESULTS, out, how.placings, how.liberty, earlier):
        click.echo(path)


@click.command(epilog="Example: asq-post unrolled --placings 1")
@click.argument("cases", nargs=-1, metavar="[CASES]...")
@click.option("--larger", multiple=True, help="Another case, solved and simulated only; may be repeated.")
@click.option("--out", type=PAGE, default=Path("build/report/unrolled.md"), show_default=True, help="Page.")
@click.option(
    "--placings", type=Integer(1, MOST_PLACINGS), default=1, show_default=True, help="Placings of each layer."
)
@ROOT
def unrolled(cases: tuple[str, ...], larger: tuple[str, ...], out: Path, placings: int, root: Path) -> None:
    """Measure layers as adder graphs.

    Solves, synthesises and places each layer, and writes a page. CASES: folder:layer:INPUTSxOUTPUTS; without any, a
    layer of the network that comes with this package.
    """
    from sim.unrolled.cases import find_layer, parse_case
    from sim.unrolled.page import render_page
    from sim.unrolled.report import UNROLLED, measure_cases

    default = f"{shipped_folder(FULL_WIDTHS)}:block3.downsample.0:16x16"
    measured = [parse_case("CASES", case) for case in cases or (default,)]
    simulated = [parse_case("--larger", case) for case in larger]
    for case in [*measured, *simulated]:
        find_layer(case)
    with progress_bar("layers") as bar:
        layers = measure_cases(measured, simulated, placings, root, bar)
    write_record(out.with_suffix(".json"), UNROLLED, layers)
    write_text(out, render_page(layers))
    click.echo(out)


@click.command(epilog="Example: asq-post pages")
@click.option("--results", type=OUTPUT_FOLDER, default=RESULTS, show_default="docs/results", help="Folder of records.")
def pages(results: Path) -> None:
    """Write the pages on hardware anew.

    Reads the records in RESULTS. README beside its parent folder gets what was found, if there is one.
    """
    from sim.write_pages import write_pages

    for path in write_pages(results):
        click.echo(path)
