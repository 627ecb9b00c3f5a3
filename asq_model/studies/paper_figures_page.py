"""The page that shows the paper's figures and says what they were drawn from. Free of torch."""

from asq_model.common.cifar10_copy import yardsticks
from asq_model.common.result_schemas import FiguresReport
from asq_model.studies.figure_levels import MAGNIFIED, count_magnified

CAPTIONS = {
    1: "(a) Activations of one layer for three test images, full precision; (b) the same layer's weights.",
    3: "Quantisation levels at 4 bits, divided by the largest magnitude. The paper draws the `extended` sets, and"
    f" magnifies {MAGNIFIED[0]:.2f} to {MAGNIFIED[1]:.2f} (grey) of POT and POST. Levels in that range, zero among"
    f" them: {count_magnified()}.",
    4: "One layer's input at 2 bits before and after quantisation over all images, and the use of the four codes.",
    5: "Mean L2 distance between full precision's and the 3-bit network's activations after each residual block.",
    6: "L2 norm of the error that rounding and clipping make in each low-bit layer's input at 3 bits; bars are the"
    " standard deviation over images.",
}


def render_page(report: FiguresReport) -> str:
    """The page that shows the figures."""
    network, images = report["network"], f"the first {report['images']} test images"
    lines = [
        "# The paper's figures",
        "",
        f"{network}, {images}. Drawn by `make figures NETWORK={network}` from:",
    ]
    lines += ["", *[f"- {line}" for line in report["made"]]]
    for note in [*filter(None, [report["note"]]), *yardsticks([report["data"]])]:
        lines += ["", note]
    for number, caption in CAPTIONS.items():
        lines += ["", f"## Figure {number}", "", f"![Figure {number}](figure{number}.png)", "", caption]
    return "\n".join(lines) + "\n"
