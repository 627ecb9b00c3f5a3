"""Rows as a table in Markdown that reads well in a terminal too."""

from collections.abc import Iterable, Mapping, Sequence


def cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def markdown_table(rows: Iterable[Mapping], columns: Sequence[tuple[str, str]]) -> str:
    """The rows as a Markdown table whose columns line up in a terminal too. columns: (key, title) of each."""
    table = [[title for _, title in columns]]
    table += [[cell(row.get(key, "")) for key, _ in columns] for row in rows]
    widths = [max(len(line[column]) for line in table) for column in range(len(columns))]
    rule = ["-" * widths[0]] + ["-" * (width - 1) + ":" for width in widths[1:]]
    lines = []
    for line in [table[0], rule, *table[1:]]:
        first, *rest = zip(line, widths, strict=True)
        cells = [first[0].ljust(first[1]), *(text.rjust(width) for text, width in rest)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
