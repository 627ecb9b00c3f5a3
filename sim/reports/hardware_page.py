"""The page on what POST costs and gains in hardware, in Markdown: the verdict first, then every figure."""

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from asq_model.common.markdown import format_markdown_table
from asq_model.common.templates import render_template
from asq_model.spec.mac_parameters import DEFAULT_DEPTH
from sim.explore.design_rows import Description, DesignRow, Report
from sim.explore.design_space import AS_TRAINED, FORMS, LARGE_PLACINGS, WIDTHS
from sim.explore.ranking import find_best_rival, select_group
from sim.measure.fpga_families import FPGA_FAMILIES
from sim.reports.accuracy_section import AccuracySection
from sim.reports.headline import HEADLINE, PICTURE
from sim.reports.titles import SHORT, TITLES, widths_text
from sim.reports.verdict import GAIN_COLUMNS, compute_placing_spread, describe_serial_ratios, judge_aims, list_gains
from sim.vectors.array_tiles import GOLDEN_VECTORS

TEMPLATE = Path(__file__).with_name("hardware.md.j2")
LANE = "hardware-lane.svg"  # the picture of an array's lane
COLUMNS = (
    ("unit", "unit"),
    ("ice40", "iCE40 LUT4"),
    ("ice40_mhz", "MHz"),
    ("ice40_gain", "× uniform"),
    ("ecp5", "ECP5 LUT4"),
    ("ecp5_mhz", "MHz"),
    ("ecp5_gain", "× uniform"),
    ("xc7", "LUT6"),
    ("xc7_gain", "× uniform"),
    ("gates", "gate equivalents"),
    ("error", "error"),
)


def group_by_design(rows: list[DesignRow]) -> dict[str, dict[str, DesignRow]]:
    """Rows by design and target, in the order in which designs come; mapped ones of all families are one design."""
    designs: dict[str, dict[str, DesignRow]] = {}
    for row in rows:
        if not row.dsp:
            designs.setdefault(row.title if row.mapped else row.name, {})[row.target] = row
    return designs


def choose_columns(target: str) -> list[tuple[str, str]]:
    """Choose the columns of one target's table."""
    measured = ("gates",) if target == "asic" else (target, f"{target}_mhz", f"{target}_gain")
    return [column for column in COLUMNS if column[0] in ("unit", *measured, "error")]


def make_table(
    rows: list[DesignRow], widths: tuple[int, int], form: str, columns: Sequence[tuple[str, str]] = COLUMNS
) -> str:
    """Make a table of one width and form; × uniform is over the best rival of each FPGA family, if all are measured."""
    groups = {target: select_group(rows, widths, form, target) for target in (*FPGA_FAMILIES, "asic")}
    rivals = {target: find_best_rival(rows, widths, form, target) for target in FPGA_FAMILIES}
    lines = []
    for targets in group_by_design([row for members in groups.values() for row in members]).values():
        some = next(iter(targets.values()))
        line: dict[str, object] = {
            "unit": some.title,
            "error": f"{some.relative_error:.2%}" if some.relative_error else "0",
        }
        for target, row in targets.items():
            if target == "asic":
                line["gates"] = f"{row.gates:.0f}"
                continue
            line[target] = row.luts
            if row.mhz is not None:
                line[f"{target}_mhz"] = f"{row.mhz:.0f} / {row.mhz_median:.0f}"
            rival = rivals[target]
            if rival is not None and rival.per_lut is not None and row.per_lut is not None:
                mark = "**" if row is rival else ""
                line[f"{target}_gain"] = f"{mark}{row.per_lut / rival.per_lut:.2f}{mark}"
        lines.append(line)
    return format_markdown_table(lines, columns)


def make_dsp_lines(rows: list[DesignRow]) -> list[str]:
    """Make the lines on the uniform multiplier in multiplier blocks, for honesty: one for each that was measured."""
    return [
        f"- `{row.name}`, {SHORT[row.target]}: {row.luts} LUTs"
        + f" and {row.dsps} multiplier block{'' if row.dsps == 1 else 's'}"
        + (f" at {row.mhz:.0f} MHz" if row.mhz is not None else "")
        for row in rows
        if row.dsp
    ]


ENERGY_COLUMNS = (
    ("title", "unit"),
    ("nets", "nets"),
    ("flip_flops", "flip-flops"),
    ("toggles_per_product", "toggles a product"),
    ("per_product", "weighted by fan-out"),
    ("ratio", "× `uniform`"),
)


def make_energy_tables(rows: list[DesignRow]) -> Iterator[tuple[str, str]]:
    """Make the table, with its title, of each form and width of which switching was measured."""
    for form, widths in product(FORMS, WIDTHS):
        members = select_group(rows, widths, form, "energy")
        plain = next((row.per_product for row in members if row.unit == "uniform"), None)
        if members:
            lines = [
                {
                    "title": row.title,
                    "nets": row.nets,
                    "flip_flops": row.flip_flops,
                    "toggles_per_product": f"{row.toggles_per_product:.1f}",
                    "per_product": f"{row.per_product:.1f}",
                    "ratio": f"{row.per_product / plain:.2f}" if plain and row.per_product else "not measured",
                }
                for row in members
            ]
            yield f"{TITLES[form]}, {widths_text(widths)}", format_markdown_table(lines, ENERGY_COLUMNS)


def compute_gating_cost(rows: list[DesignRow]) -> str:
    """Compute how many LUTs a gated sign takes, over the same design without; empty where no such pair was measured."""

    def key(row: DesignRow) -> tuple[object, ...]:
        return row.unit, row.kind, row.frac, row.widths, row.form, row.stages, row.target

    units = [(row, row.luts) for row in rows if not row.dsp and not row.shared and row.luts is not None]
    plain = {key(row): luts for row, luts in units if not row.gated}
    more = [luts - plain[key(row)] for row, luts in units if row.gated and key(row) in plain]
    return f"{min(more)} to {max(more)} LUTs more a unit" if more else ""


def count_left_out(rows: list[Description]) -> list[tuple[str, str, int]]:
    """How many designs of each form, width and target were not measured: the title of both, the target, the number."""
    names: dict[tuple[str, tuple[int, int], str], list[str]] = {}
    for row in rows:
        key = row.form, row.widths, row.target + (" DSP" if row.dsp else "")
        names.setdefault(key, []).append(row.name)
    return [
        (f"{TITLES[form]}, {widths_text(widths)}", target, len(members))
        for (form, widths, target), members in names.items()
    ]


def make_tables(rows: list[DesignRow]) -> Iterator[tuple[str, str]]:
    """Make the table, with its title, of each form and width of which a design was measured."""
    for form, widths in product(FORMS, (*WIDTHS, *AS_TRAINED)):
        if any(row.form == form and row.widths == widths for row in rows):
            yield f"{TITLES[form]}, {widths_text(widths)}", make_table(rows, widths, form)


def render_page(
    report: Report, plots: list[tuple[str, str]], accuracy: AccuracySection | None, unrolled: str | None
) -> str:
    """The page of a report.

    plots: the title and the file of each, without that of the section on accuracy. unrolled: what was found of layers
    as adders, in sentences. What is None is left out.
    """
    rows, made = report.rows, report.made
    return render_template(
        TEMPLATE,
        headline=HEADLINE,
        headline_picture=PICTURE,
        verdict=judge_aims(rows),
        spread=compute_placing_spread(rows),
        gains=format_markdown_table(list(list_gains(rows)), GAIN_COLUMNS),
        serial=describe_serial_ratios(rows),
        lane=LANE,
        plots=plots,
        accuracy=accuracy,
        tables=list(make_tables(rows)),
        blocks=make_dsp_lines(rows),
        energy=list(make_energy_tables(rows)),
        gating=compute_gating_cost(rows),
        vectors=GOLDEN_VECTORS,
        unrolled=unrolled,
        made=made,
        tools=", ".join(f"{name} {number}" for name, number in made.tools.items()),
        checked=f"{sum({row.name: row.checked for row in rows}.values()):,}",
        large=min(made.placings, LARGE_PLACINGS),
        most_large=LARGE_PLACINGS,
        frequency=f"{made.frequency_mhz:.0f}",
        depth=DEFAULT_DEPTH,
        failures=report.failures,
        left_out=count_left_out(report.left_out),
    )
