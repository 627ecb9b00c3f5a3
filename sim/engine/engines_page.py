"""The page of engines side by side: a table for each device and width, and what the networks would take otherwise."""

from pathlib import Path
from typing import NamedTuple

from asq_model.common.templates import render_template
from hw.engine.presets import find_preset
from sim.engine.engines_report import EngineRow, EnginesReport, title_of
from sim.engine.engines_table import (
    MEGAHERTZ,
    are_placed,
    compare_engines,
    find_best_post,
    find_main_preset,
    group_rows,
    make_engines_table,
)
from sim.engine.product_switching import SIDE
from sim.engine.programs_table import compare_programs, make_programs_table
from sim.measure.fpga_families import FPGA_FAMILIES

TEMPLATE = Path(__file__).with_name("engines.md.j2")


class Group(NamedTuple):
    """A section of the page: the engines of one FPGA family and one width.

    preset: that of most rows. placed: whether all were. best: POST's best engine. ratios: what it reaches over each of
    the others, empty where one side is missing. programs: the table of the same networks as programs of terms, empty
    without any. program_ratios: the best one over the arrays, of those whose maps fit the device's memory `blocks`.
    """

    family: str
    weight_bits: int
    activation_bits: int
    preset: str
    placed: bool
    best: str | None
    ratios: list[str]
    table: str
    programs: str
    program_ratios: list[str]
    blocks: int


def describe_group(family: str, weight_bits: int, activation_bits: int, rows: list[EngineRow]) -> Group:
    """The section on rows of one FPGA family and one width."""
    preset = find_main_preset(rows)
    alike = [row for row in rows if row.preset == preset]
    blocks = find_preset(preset).blocks
    best = find_best_post(rows)
    return Group(
        family=FPGA_FAMILIES[family].title,
        weight_bits=weight_bits,
        activation_bits=activation_bits,
        preset=preset,
        placed=are_placed(rows),
        best=title_of(best, preset) if best else None,
        ratios=compare_engines(rows),
        table=make_engines_table(rows),
        programs=make_programs_table(alike),
        program_ratios=compare_programs(alike, blocks),
        blocks=blocks,
    )


def render_page(report: EnginesReport) -> str:
    """A report in Markdown."""
    return render_template(
        TEMPLATE,
        groups=[describe_group(*group) for group in group_rows(report.rows)],
        lane_dsps=max(row.area.lane.dsps for row in report.rows),
        megahertz=MEGAHERTZ,
        side=SIDE,
        tested=[f"{number:,}" for number in sorted({row.tested for row in report.rows}, reverse=True)],
        note=report.note,
    )
