"""Tables and paragraphs as a terminal shows them: as wide as it is, 80 columns in a file, without colours."""

import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from itertools import groupby

from asq_model.common.markdown import cell

ENDLESS = 10_000  # columns, in which every table fits
WIDTH = 80  # of a file, and of a terminal that does not tell


def width() -> int:
    """How many columns the output has."""
    return shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else WIDTH


def paragraph(text: str) -> str:
    """A text broken at spaces so that it fits."""
    return textwrap.fill(text, width(), break_long_words=False, break_on_hyphens=False)


def title_lines(title: str, cells: Iterable[str], columns: int) -> str:
    """A title broken so that it is no wider than so many columns, unless its longest word or its cells are."""
    widest = max(columns, *map(len, [*title.split(), *cells]))
    return "\n".join(textwrap.wrap(title, widest, break_long_words=False))


def text_table(titles: Sequence[str], rows: Iterable[Sequence[object]], sides: str) -> str:
    """A table that fits; sides: `l` or `r` for each column. Titles take several lines where they have to."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=width(), color_system=None, force_terminal=False)
    lines = [[cell(value) for value in row] for row in rows]
    for columns, gap in ((WIDTH, 1), (16, 1), (10, 1), (1, 1), (1, 0)):  # the gap beside the box's own space
        table = Table(box=SIMPLE_HEAD, padding=(0, gap, 0, 0), pad_edge=False, show_edge=False)
        for title, side, *cells in zip(titles, sides, *lines, strict=True):
            header = Text(title_lines(title, cells, columns))
            table.add_column(header, justify="right" if side == "r" else "left", overflow="fold")
        for line in lines:
            table.add_row(*map(Text, line))
        if console.measure(table, options=console.options.update(max_width=ENDLESS)).maximum <= console.width:
            break
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n"))


def table_of_markdown(lines: Sequence[str]) -> str:
    """A table in Markdown as `text_table` shows it."""
    titles, rule, *rows = [[part.strip() for part in line.strip()[1:-1].split("|")] for line in lines]
    return text_table(titles, rows, "".join("r" if part.endswith(":") else "l" for part in rule))


def text_of_markdown(markdown: str) -> str:
    """A section of a page as a terminal shows it: its tables and lines fit, its marks are gone."""
    parts: list[str] = []
    without_links = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", markdown)
    plain = re.sub(r"\*\*|`", "", without_links)
    for is_table, group in groupby(plain.split("\n"), lambda line: line.startswith("|")):
        lines = list(group)
        parts += [table_of_markdown(lines)] if is_table else [paragraph(line) for line in lines]
    return "\n".join(parts)
