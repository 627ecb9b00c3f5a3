"""The page that shows the paper's figures and says what they were drawn from. Free of torch."""

from pathlib import Path

from asq_model.common.cifar10_copy import find_yardsticks
from asq_model.common.result_schemas import FiguresReport
from asq_model.common.templates import render_template
from asq_model.studies.figure_levels import MAGNIFIED, count_magnified
from asq_model.studies.trained_out.record import NETWORKS

PAGE = Path(__file__).with_name("figures.md.j2")
NUMBERS = (1, 3, 4, 5, 6)  # of the figures in the paper
OF_NO_NETWORK = (3,)
PAPERS_LOW_BITS = 2  # of Figure 4


def list_figures(suffix: str) -> list[int]:
    """The figures of a page: all, or of a further network those that depend on a network."""
    return [number for number in NUMBERS if number not in OF_NO_NETWORK or not suffix]


def name_picture(number: int, suffix: str) -> str:
    """The file name of a figure's picture."""
    return f"figure{number}{suffix}.png"


def render_page(report: FiguresReport, suffix: str = "") -> str:
    """The page that shows the figures. suffix: at the end of the names of its pictures."""
    low, high = MAGNIFIED
    return render_template(
        PAGE,
        report=report,
        title=NETWORKS.get(report["network"], report["network"]),
        suffix=suffix,
        notes=[*filter(None, [report["note"]]), *find_yardsticks([report["data"]])],
        pictures={number: name_picture(number, suffix) for number in list_figures(suffix)},
        magnified=f"{low:.2f} to {high:.2f}",
        levels=count_magnified(),
        papers_low_bits=PAPERS_LOW_BITS,
    )
