"""Names and prose of the hardware page. Its figures are filled in by who computes them: the prose itself has none."""

import re
from functools import cache
from pathlib import Path

TEXTS = Path(__file__).with_name("hardware_prose.md")
SHORT = {"ice40": "iCE40", "ecp5": "ECP5", "xc7": "LUT6"}
TITLES = {
    "mac": "One multiply-accumulate unit",
    "dot16": "Dot product of 16 lanes",
    "dot64": "Dot product of 64 lanes",
    "array8x8": "Array of 8 × 8",
    "array16x16": "Array of 16 × 16",
}


@cache
def texts() -> dict[str, str]:
    """The page's prose by name."""
    parts = re.split(r"<!-- (\w+) -->\n", TEXTS.read_text(encoding="utf-8"))
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def text(name: str, **values: object) -> str:
    """A piece of the page's prose by its name, with these values in its holes."""
    return texts()[name].strip().format(**values)


def widths_text(widths: tuple[int, int]) -> str:
    """Weight bits and activation bits in words, such as `4 × 8 bits`."""
    return f"{widths[0]} × {widths[1]} bits"
