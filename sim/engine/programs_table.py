"""The table of programs of terms: what the networks of a page's engines would take in the other organisation."""

from collections.abc import Iterator

from asq_model.common.markdown import format_markdown_table
from sim.engine.engines_report import EngineRow, title_of
from sim.engine.term_program import TermProgram

COLUMNS = (
    ("products", "level set"),
    ("form", "terms a cycle"),
    ("terms", "terms a weight"),
    ("cycles", "cycles an image"),
    ("lane", "LUTs a lane"),
    ("luts", "LUTs"),
    ("blocks", "memory blocks"),
    ("density", "images/s a MHz and 1,000 LUTs"),
    ("over", "over the arrays"),
)


def make_programs_table(rows: list[EngineRow]) -> str:
    """Make the table of a width's networks as programs of terms, in Markdown; empty where there are none."""
    lines = list(make_program_lines(rows))
    return format_markdown_table(lines, COLUMNS) if lines else ""


def make_program_lines(rows: list[EngineRow]) -> Iterator[dict[str, str]]:
    """Make the lines of a width's networks as programs of terms: one for each form."""
    for row in rows:
        for program in row.programs:
            density = density_of(row, program)
            yield {
                "products": title_of(row, row.preset),
                "form": f"{program.programs} × {program.terms}, {program.pixels} pixels",
                "terms": f"{program.weight_terms:.2f}",
                "cycles": f"{program.cycles:,}",
                "lane": f"{program.lane.luts:,}",
                "luts": f"{count_program_luts(row, program):,}",
                "blocks": f"{row.other_blocks + program.blocks:,}",
                "density": f"{density:.2f}",
                "over": f"{density / row.density:.2f}",
            }


def compare_programs(rows: list[EngineRow], blocks: int) -> list[str]:
    """How many times the arrays each network's best program of terms reaches, of those that fit, in words.

    In images a second and LUT. Those fit whose copies of maps fit so many blocks of memory; a network without one is
    left out.
    """
    parts = []
    for row in rows:
        fitting = [program for program in row.programs if row.other_blocks + program.blocks <= blocks]
        if fitting:
            best = max(fitting, key=lambda program: density_of(row, program))
            parts.append(f"{density_of(row, best) / row.density:.2f} (`{title_of(row, row.preset)}`)")
    return parts


def density_of(row: EngineRow, program: TermProgram) -> float:
    """Images a second, a MHz and a thousand LUTs of a program of terms."""
    return 1e9 / program.cycles / count_program_luts(row, program)


def count_program_luts(row: EngineRow, program: TermProgram) -> int:
    """Count the LUTs of its lanes and of all that the engine of arrays has beside its own."""
    return row.area.rest.luts + program.programs * program.pixels * program.lane.luts
