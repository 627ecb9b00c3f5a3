"""Verilog and C++ that lie in files of their own beside the code that uses them, with holes for what varies."""

from functools import cache
from pathlib import Path
from string import Template


class SourceTemplate(Template):
    """A text whose holes are `${name}`; Verilog's own `$display` and `$signed` stay as they are."""

    # `Template` compiles it: typeshed has the type that it is afterwards.
    pattern = r"\$(?:\{(?P<braced>[a-z_]+)\}|(?P<escaped>(?!))|(?P<named>(?!))|(?P<invalid>(?!)))"  # type: ignore[assignment]


@cache
def read_template(path: Path) -> SourceTemplate:
    """Read the template in a file, once."""
    return SourceTemplate(path.read_text(encoding="utf-8"))


def fill_template(path: Path, **values: object) -> str:
    """The text in a file, every hole filled. Raises KeyError for a hole without a value."""
    return read_template(path).substitute(values)
