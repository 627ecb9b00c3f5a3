"""The golden vectors that come with this package: hardware is compared on them without training anything.

Excerpts of the digits network at 3x3, 4x4, 4x8, 3x4 and 5x4 bits (weights x activations), with 8-bit vectors of its
last layer. Made by `python -m asq_model export --widths 3x3,4x4,4x8,3x4,5x4 --excerpt sim/golden`.
"""

from pathlib import Path

SHIPPED = Path(__file__).parents[1] / "golden"
WIDTHS = ((3, 3), (4, 4), (4, 8), (3, 4), (5, 4))


def shipped_folder(widths: tuple[int, int]) -> Path:
    """The folder of the vectors at these widths, of weights and activations."""
    return SHIPPED / f"digits_post{widths[0]}_a{widths[1]}_seed0"


def shipped_folders() -> tuple[Path, ...]:
    """The folders of all vectors that come with the package."""
    return tuple(shipped_folder(widths) for widths in WIDTHS)
