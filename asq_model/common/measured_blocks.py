"""Parts of README and of guides that a program writes from records, between two marks: no figure there is typed."""

from pathlib import Path

from asq_model.common.errors import InputError
from asq_model.common.files import read_text, write_text

END = "<!-- end -->"


def mark_block(name: str, text: str) -> str:
    """Put the marks of a part called `name` around its text, as it stands in the file."""
    return f"<!-- measured: {name}, written by `make pages` -->\n{text}{END}"


def write_block(path: Path, name: str, text: str) -> None:
    """Put `text`, whole lines, between the marks of a part. Raises InputError where they are not."""
    contents = read_text(path, "page")
    begin = mark_block(name, "").removesuffix(END)
    before, found, rest = contents.partition(begin)
    _, end, after = rest.partition(END)
    if not found or not end:
        raise InputError(f"{path} has no lines {begin.strip()} and {END}")
    write_text(path, before + mark_block(name, text) + after)
