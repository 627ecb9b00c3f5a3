"""Draw the paper's figures 1, 3, 4, 5 and 6 from the record of what was measured for them. Free of torch.

Figure 1: activations differ from image to image, weights are bell-shaped. 3: the levels at 4 bits, magnified near zero.
4: activations before and after quantisation at 2 bits (3 where no network has 2), and how the integer codes are used.
5: distance from full precision after each block at 3 bits. 6: rounding and clipping error of each layer's input at 3
bits, with its spread over images.
"""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes

from asq_model.common.files import write_bytes, write_text
from asq_model.common.records import write_record
from asq_model.studies.figure_levels import MAGNIFIED, NEAR_ZERO, SETS, label_set, select_levels
from asq_model.studies.figure_records import COMPARED_BITS, FIGURES_PAGE, METHODS, FiguresReport, Histogram
from asq_model.studies.paper_figures_page import list_figures, name_picture, render_page

matplotlib.use("Agg")
from matplotlib import pyplot as plt

COLOURS = {"LSQ": "#b35806", "ASQ": "#2166ac", "full precision": "#4d4d4d"}
# A page shows a picture about 700 pixels wide, 7.2 inches of 96 pixels: text has its size in points there.
WIDTH, SMALL = 7.2, 8  # inches of every picture; points, and no text is smaller
DPI = 144
TURNED: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}  # names of layers, side by side
BAR = 0.38  # width of one of two bars beside each other


def draw_histogram(axes: Axes, histogram: Histogram, **style: Any) -> None:
    """Draw a histogram as an outline, or filled."""
    axes.stairs(histogram["counts"], histogram["edges"], **style)


def draw_bars(axes: Axes, which: int, heights: list[float], **style: Any) -> Any:
    """Draw the first or second bar of each pair."""
    return axes.bar(np.arange(len(heights)) + 0.4 * which - 0.2, heights, BAR, **style)


def draw_figure_1(report: FiguresReport) -> plt.Figure:
    """Draw activations of one layer for three images, and the weights of the same layer."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.4))
    activations = report["plots"]["activations"]
    name = activations["layer"]
    for which, histogram in activations["images"].items():
        draw_histogram(left, histogram, label=f"image with the {which}")
    left.set(
        yscale="log", xlabel="activation", ylabel="density", title=f"(a) Activations into {name}\nof three test images"
    )
    left.legend()
    draw_histogram(right, activations["weights"], fill=True, color=COLOURS["full precision"])
    right.set(xlabel="weight", ylabel="density", title=f"(b) Weights of {name}\nin full precision")
    right.locator_params(axis="x", nbins=6)
    return figure


def draw_figure_3(_: FiguresReport) -> plt.Figure:
    """Draw the levels of uniform, POT and POST (all three level sets) at 4 bits, and magnified those near zero."""
    figure, (whole, magnified) = plt.subplots(2, 1, figsize=(WIDTH, 6.4))
    sets = SETS[::-1]
    for axes, low, high in ((whole, -1.0, 1.0), (magnified, 0.0, NEAR_ZERO)):
        for row, levels in enumerate(sets):
            values = select_levels(levels, low, high)
            axes.plot(values, np.full(len(values), row), "|", markersize=14, color=COLOURS["ASQ"], label="a level")
        axes.axvspan(*MAGNIFIED, color="#dddddd", zorder=0, label="what the paper magnifies")
        axes.set(ylim=(-0.6, len(sets) - 0.4), xlabel="level / α")
        axes.set_yticks(range(len(sets)), [label_set(levels) for levels in sets])
    for row, levels in enumerate(sets):
        text = f"{len(levels.levels)} levels, {levels.code_bits} bits"
        whole.annotate(text, (1.04, row), va="center", fontsize=SMALL)
    whole.set_xticks(np.linspace(-1, 1, 9))
    whole.set(xlim=(-1.05, 1.5), title="Levels at 4 bits; α: the largest magnitude")
    magnified.set(xlim=(-0.005, NEAR_ZERO), title="The same, magnified, from zero up")
    handles, names = magnified.get_legend_handles_labels()
    marks = dict(zip(names, handles, strict=True))  # one of each
    figure.legend(marks.values(), marks, loc="outside lower center", ncols=len(marks))
    return figure


def draw_figure_4(report: FiguresReport) -> plt.Figure:
    """Draw one layer's input at few bits before and after quantisation, and the use of each code; LSQ above ASQ."""
    bits = report["low_bits"]
    figure, axes = plt.subplots(2, 2, figsize=(WIDTH, 5.6), width_ratios=(3, 2))
    for (left, right), method in zip(axes, METHODS, strict=True):
        codes = report["plots"]["codes"][method]
        draw_histogram(left, codes["before"], color=COLOURS["full precision"], label="before quantisation")
        draw_histogram(left, codes["after"], fill=True, color=COLOURS[method], alpha=0.7, label="after")
        title = f"{method}, {bits} bits: values into {codes['layer']}"
        left.set(yscale="log", xlabel="activation", ylabel="values", title=title)
        left.legend()
        percents = [100 * share for share in codes["shares"]]
        bars = right.bar(range(len(percents)), percents, color=COLOURS[method])
        right.bar_label(bars, [f"{percent:.1f}" for percent in percents], fontsize=SMALL)
        right.set(xlabel="integer code", ylabel="share, %", title=f"{method}: use of the codes", ylim=(0, 110))
        right.set_xticks(range(len(percents)))
    return figure


def draw_figure_5(report: FiguresReport) -> plt.Figure:
    """Draw the mean over images of ‖full precision − 3-bit‖₂ after each residual block, LSQ beside ASQ."""
    plots = report["plots"]
    figure, axes = plt.subplots(figsize=(WIDTH, 3.4))
    for which, method in enumerate(METHODS):
        bars = draw_bars(axes, which, plots["distances"][method], color=COLOURS[method], label=method)
        axes.bar_label(bars, fmt="%.1f", fontsize=SMALL)
    axes.set_xticks(range(len(plots["blocks"])), plots["blocks"], **TURNED)
    axes.set(ylabel="L2 distance", title=f"Distance from full precision after each block, {COMPARED_BITS} bits")
    axes.margins(y=0.1)
    axes.legend(ncols=2)
    return figure


def draw_figure_6(report: FiguresReport) -> plt.Figure:
    """Draw the rounding and clipping error of each low-bit layer's input at 3 bits: mean and deviation over images."""
    plots = report["plots"]
    figure, (above, below) = plt.subplots(2, 1, figsize=(WIDTH, 6), sharex=True)
    for which, method in enumerate(METHODS):
        errors, style = plots["errors"][method], {"color": COLOURS[method], "label": method, "capsize": 2}
        for axes, kind, spread in ((above, "rounding", errors["rounding"]), (below, "clipping", errors["clipping"])):
            draw_bars(axes, which, spread["means"], yerr=spread["deviations"], **style)
            axes.set(
                ylabel="L2 norm",
                title=f"Error by {kind}, {COMPARED_BITS} bits: mean and standard deviation over images",
            )
    above.legend()
    below.set_xticks(range(len(plots["layers"])), plots["layers"], **TURNED)
    return figure


FIGURES: dict[int, Callable[[FiguresReport], plt.Figure]] = {
    1: draw_figure_1,
    3: draw_figure_3,
    4: draw_figure_4,
    5: draw_figure_5,
    6: draw_figure_6,
}


def draw_figure(number: int, report: FiguresReport) -> plt.Figure:
    """Draw a figure of the paper in the style of all."""
    with plt.rc_context():
        plt.rc("font", size=9)
        plt.rc("axes", titlesize=9.5)
        plt.rc("xtick", labelsize=SMALL)
        plt.rc("ytick", labelsize=SMALL)
        plt.rc("legend", fontsize=SMALL, frameon=False)
        plt.rc("figure.constrained_layout", use=True)
        figure = FIGURES[number](report)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def draw_picture(number: int, report: FiguresReport) -> bytes:
    """Draw a figure of the paper; return its PNG. The same record gives the same bytes."""
    figure, picture = draw_figure(number, report), BytesIO()
    figure.savefig(picture, format="png", dpi=DPI, metadata={"Software": None})
    plt.close(figure)
    return picture.getvalue()


def write_pictures(report: FiguresReport, folder: Path, suffix: str = "") -> list[Path]:
    """Write every figure of a page as `figure<N><suffix>.png` to a folder; return the paths.

    All are drawn before one is written: a run that is killed meanwhile leaves those that were there.
    """
    pictures = {folder / name_picture(number, suffix): draw_picture(number, report) for number in list_figures(suffix)}
    for path, contents in pictures.items():
        write_bytes(path, contents)
    return list(pictures)


def write_figures(report: FiguresReport, folder: Path, suffix: str = "") -> list[Path]:
    """Write the figures, their page `figures<suffix>.md` and its record to a folder; return page and pictures.

    suffix: at the end of all names, for a page of another network; it has only the figures that depend on a network.
    """
    page, pictures = folder / f"figures{suffix}.md", write_pictures(report, folder, suffix)
    write_record(page.with_suffix(".json"), FIGURES_PAGE, report)
    write_text(page, render_page(report, suffix))
    return [page, *pictures]
