"""The page that shows the paper's figures and says what they were drawn from. Free of torch."""

from asq_model.common.cifar10_copy import yardsticks
from asq_model.common.result_schemas import FiguresReport
from asq_model.studies.figure_levels import MAGNIFIED, count_magnified
from asq_model.studies.trained_out.record import NETWORKS

CAPTIONS = {
    1: "(a) Activations of one layer for three test images, full precision; (b) the same layer's weights.",
    3: "Quantisation levels at 4 bits, divided by the largest magnitude. The paper draws the `extended` sets, and"
    f" magnifies {MAGNIFIED[0]:.2f} to {MAGNIFIED[1]:.2f} (grey) of POT and POST. Levels in that range, zero among"
    f" them: {count_magnified()}.",
    4: "One layer's input at {bits} bits before and after quantisation over all images, and the use of the codes, in"
    " percent.",
    5: "Mean L2 distance between full precision's and the 3-bit network's activations after each residual block.",
    6: "L2 norm of the error that rounding and clipping make in each low-bit layer's input at 3 bits; bars are the"
    " standard deviation over images.",
}
OF_NO_NETWORK = (3,)
PAPERS_LOW_BITS = 2  # of Figure 4


def figure_numbers(suffix: str) -> list[int]:
    """The figures of a page: all, or of a further network those that depend on a network."""
    return [number for number in CAPTIONS if number not in OF_NO_NETWORK or not suffix]


def picture_name(number: int, suffix: str) -> str:
    """The file name of a figure's picture."""
    return f"figure{number}{suffix}.png"


def render_page(report: FiguresReport, suffix: str = "") -> str:
    """The page that shows the figures. suffix: at the end of the names of its pictures."""
    network, images = report["network"], f"the first {report['images']} test images"
    command = f"make figures NETWORK={network}" + (f" SUFFIX={suffix}" if suffix else "")
    lines = [
        f"# The paper's figures{f' on {NETWORKS.get(network, network)}' if suffix else ''}",
        "",
        f"{network}, {images}. Drawn by `{command}` from:",
    ]
    lines += ["", *[f"- {line}" for line in report["made"]]]
    for note in [*filter(None, [report["note"]]), *yardsticks([report["data"]])]:
        lines += ["", note]
    for number in figure_numbers(suffix):
        caption = CAPTIONS[number].format(bits=report["low_bits"])
        if number == 4 and report["low_bits"] != PAPERS_LOW_BITS:
            caption += f" The paper draws {PAPERS_LOW_BITS} bits, at which this network has not been trained."
        lines += ["", f"## Figure {number}", "", f"![Figure {number}]({picture_name(number, suffix)})", "", caption]
    return "\n".join(lines) + "\n"
