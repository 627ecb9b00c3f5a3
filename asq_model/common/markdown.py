"""Tables in Markdown, for every page and report of this project."""

from collections.abc import Iterable, Mapping, Sequence

RULES = {"l": "---", "r": "---:"}  # the line below the titles, by the side that a column is aligned to


def format_cell(value: object) -> str:
    """Format the text of a table's cell; floats have three decimals."""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def format_table_lines(titles: Sequence[str], rows: Iterable[Sequence[object]], sides: str) -> list[str]:
    """Format a table whose columns have these titles; sides: `l` or `r` for each column."""
    table = [list(titles), *([format_cell(value) for value in row] for row in rows)]
    lines = [f"|{'|'.join(f' {text} ' if text else ' ' for text in row)}|" for row in table]
    return [lines[0], f"|{'|'.join(RULES[side] for side in sides)}|", *lines[1:]]


def format_markdown_table(rows: Iterable[Mapping[str, object]], columns: Sequence[tuple[str, str]]) -> str:
    """Format a table whose columns line up in a terminal too. columns: the key and the title of each."""
    table = [[title for _, title in columns]]
    table += [[format_cell(row.get(key, "")) for key, _ in columns] for row in rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(columns))]
    first, *others = widths
    rule = ["-" * first, *("-" * (width - 1) + ":" for width in others)]
    lines = []
    for row in [table[0], rule, *table[1:]]:
        cells = [row[0].ljust(first), *(text.rjust(width) for text, width in zip(row[1:], others, strict=True))]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
