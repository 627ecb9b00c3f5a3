"""Tables and paragraphs as a terminal shows them: as wide as it is, 80 columns in a file, without colours."""

import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from itertools import groupby

from asq_model.common.markdown import format_cell

ENDLESS = 10_000  # columns, in which every table fits
WIDTH = 80  # of a file, and of a terminal that does not tell


def terminal_width() -> int:
    """How many columns the output has."""
    return shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else WIDTH


def wrap_paragraph(text: str) -> str:
    """Break a text at spaces so that it fits."""
    return textwrap.fill(text, terminal_width(), break_long_words=False, break_on_hyphens=False)


def wrap_title(title: str, cells: Iterable[str], columns: int) -> str:
    """Break a title so that it is no wider than so many columns, unless its longest word or its cells are."""
    widest = max(columns, *map(len, [*title.split(), *cells]))
    return "\n".join(textwrap.wrap(title, widest, break_long_words=False))


def format_text_table(titles: Sequence[str], rows: Iterable[Sequence[object]], sides: str) -> str:
    """Format a table that fits; sides: `l` or `r` for each column. Titles take several lines where they have to."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=terminal_width(), color_system=None, force_terminal=False)
    lines = [[format_cell(value) for value in row] for row in rows]
    for columns, gap in ((WIDTH, 1), (16, 1), (10, 1), (1, 1), (1, 0)):  # the gap beside the box's own space
        table = Table(box=SIMPLE_HEAD, padding=(0, gap, 0, 0), pad_edge=False, show_edge=False)
        for title, side, *cells in zip(titles, sides, *lines, strict=True):
            header = Text(wrap_title(title, cells, columns))
            table.add_column(header, justify="right" if side == "r" else "left", overflow="fold")
        for line in lines:
            table.add_row(*map(Text, line))
        if console.measure(table, options=console.options.update(max_width=ENDLESS)).maximum <= console.width:
            break
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n"))


def convert_table(lines: Sequence[str]) -> str:
    """Turn a table in Markdown into one that `format_text_table` makes."""
    titles, rule, *rows = [[part.strip() for part in line.strip()[1:-1].split("|")] for line in lines]
    return format_text_table(titles, rows, "".join("r" if part.endswith(":") else "l" for part in rule))


def convert_markdown(markdown: str) -> str:
    """Turn a section of a page into text for a terminal: its tables and lines fit, its marks are gone."""
    parts: list[str] = []
    without_links = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", markdown)
    plain = re.sub(r"\*\*|`", "", without_links)
    for is_table, group in groupby(plain.split("\n"), lambda line: line.startswith("|")):
        lines = list(group)
        parts += [convert_table(lines)] if is_table else [wrap_paragraph(line) for line in lines]
    return "\n".join(parts)
