"""The page on what POST costs and gains in hardware, in Markdown: the verdict first, then every figure."""

from collections.abc import Iterator, Sequence
from itertools import product

from asq_model.common.markdown import markdown_table
from sim.explore.design_rows import DesignRow
from sim.explore.design_space import AS_TRAINED, FORMS, WIDTHS
from sim.explore.ranking import best_rival, group
from sim.measure.fpga_families import FPGA_FAMILIES
from sim.reports.hardware_prose import SHORT, TITLES, text, widths_text
from sim.reports.verdict import GAIN_COLUMNS, gains, opening, placing_spread, serial_lines, verdict
from sim.vectors.array_tiles import GOLDEN_VECTORS

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


def by_design(rows: list[DesignRow]) -> dict[str, dict[str, DesignRow]]:
    """Rows by design and target, in the order in which designs come; mapped ones of all families are one design."""
    designs: dict[str, dict[str, DesignRow]] = {}
    for row in rows:
        if not row.dsp:
            designs.setdefault(row.title if row.mapped else row.name, {})[row.target] = row
    return designs


def columns_for(target: str) -> list[tuple[str, str]]:
    """The columns of one target's table."""
    measured = ("gates",) if target == "asic" else (target, f"{target}_mhz", f"{target}_gain")
    return [column for column in COLUMNS if column[0] in ("unit", *measured, "error")]


def table(
    rows: list[DesignRow], widths: tuple[int, int], form: str, columns: Sequence[tuple[str, str]] = COLUMNS
) -> str:
    """A table of one width and form; × uniform is over the best rival of each FPGA family, if all were measured."""
    groups = {target: group(rows, widths, form, target) for target in (*FPGA_FAMILIES, "asic")}
    rivals = {target: best_rival(rows, widths, form, target) for target in FPGA_FAMILIES}
    lines = []
    for targets in by_design([row for members in groups.values() for row in members]).values():
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
    return markdown_table(lines, columns)


def dsp_lines(rows: list[DesignRow]) -> list[str]:
    """The uniform multiplier in multiplier blocks, for honesty: a line for each that was measured."""
    return [
        f"- {row.name}, {SHORT[row.target]}: {row.luts} LUTs and {row.dsps} multiplier block(s)"
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


def energy_lines(rows: list[DesignRow]) -> Iterator[str]:
    """A table for each form and width."""
    for form, widths in product(FORMS, WIDTHS):
        members = group(rows, widths, form, "energy")
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
            yield from (f"### {TITLES[form]}, {widths_text(widths)}", "", markdown_table(lines, ENERGY_COLUMNS), "")


def gating_words(rows: list[DesignRow]) -> str:
    """How many LUTs a gated sign takes, over the same design without; empty where no such pair was measured."""

    def key(row: DesignRow) -> tuple[object, ...]:
        return row.unit, row.kind, row.frac, row.widths, row.form, row.stages, row.target

    units = [(row, row.luts) for row in rows if not row.dsp and not row.shared and row.luts is not None]
    plain = {key(row): luts for row, luts in units if not row.gated}
    more = [luts - plain[key(row)] for row, luts in units if row.gated and key(row) in plain]
    if not more:
        return ""
    return text("gating", difference=f"{min(more)} to {max(more)} LUTs more a unit")


def sections(
    rows: list[DesignRow],
    headline: str,
    pictures: list[str],
    accuracy: list[str],
    unrolled: str,
    lost: list[str],
    how: str,
) -> str:
    """The page. headline: the Markdown line of the first picture; pictures: lines of the others; what follows are
    finished parts, empty for none.
    """
    lines = ["# What POST costs and gains in hardware", "", headline, "", opening(rows), ""]
    lines += ["## Words", "", text("words"), "", "## POST over uniform", ""]
    lines += [" ".join(filter(None, (text("gains"), placing_spread(rows)))), ""]
    lines += [markdown_table(list(gains(rows)), GAIN_COLUMNS), ""]
    lines += ["The aims:", "", verdict(rows), "", text("serial"), "", *serial_lines(rows), "", text("claim"), ""]
    lines += [*pictures, ""]
    lines += ["## Accuracy at equal cost", "", *accuracy, ""] if accuracy else []
    for form, widths in product(FORMS, (*WIDTHS, *AS_TRAINED)):
        if any(row.form == form and row.widths == widths for row in rows):
            lines += [f"## {TITLES[form]}, {widths_text(widths)}", "", table(rows, widths, form), ""]
    blocks = dsp_lines(rows)
    lines += ["## Multiplier blocks", "", *blocks, ""] if blocks else []
    energy = list(energy_lines(rows))
    if energy:
        words = text("energy", gating=gating_words(rows), vectors=GOLDEN_VECTORS)
        lines += ["## Energy, by a proxy", "", words, "", *energy]
    lines += ["## Fully unrolled layers", "", unrolled, ""] if unrolled else []
    lines += ["## How the arrays are built", "", text("built"), ""]
    lines += ["## How each figure was obtained", "", how, ""]
    return "\n".join([*lines, *lost]).rstrip() + "\n"
