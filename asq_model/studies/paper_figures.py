"""Draw the paper's figures 1, 3, 4, 5 and 6 from trained checkpoints.

The checkpoints are one in full precision, and those of LSQ and ASQ at 2 and at 3 bits that started from it.

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
import torch

from asq_model.common.files import write_bytes, write_text
from asq_model.common.records import write_record
from asq_model.common.result_schemas import FIGURES_PAGE, FiguresReport
from asq_model.quantisation.convert import inner_layers, quantised_layers
from asq_model.studies.figure_levels import MAGNIFIED, NEAR_ZERO, SETS, label_set, select_levels
from asq_model.studies.figure_networks import (
    COMPARED_BITS,
    METHODS,
    Networks,
    measure_errors,
    observe_block_outputs,
    observe_layer_inputs,
)
from asq_model.studies.paper_figures_page import list_figures, name_picture, render_page

matplotlib.use("Agg")
from matplotlib import pyplot as plt

COLOURS = {"LSQ": "#b35806", "ASQ": "#2166ac", "full precision": "#4d4d4d"}
# A page shows a picture about 700 pixels wide, 7.2 inches of 96 pixels: text has its size in points there.
WIDTH, SMALL = 7.2, 8  # inches of every picture; points, and no text is smaller
DPI = 144
TURNED: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}  # names of layers, side by side


def draw_figure_1(networks: Networks) -> plt.Figure:
    """Draw activations of one layer for three images, and the weights of the same layer."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.4))
    inputs = observe_layer_inputs(networks.full, networks.images)
    name = pick_middle(list(inputs))
    x = inputs[name].flatten(1)
    means = x.mean(1).argsort()
    bins = np.linspace(0, float(x.quantile(0.999)) if x.numel() < 1 << 24 else float(x.max()), 60)
    for index, which in ((means[0], "smallest mean"), (means[len(means) // 2], "median"), (means[-1], "largest mean")):
        left.hist(x[index].numpy(), bins, histtype="step", density=True, label=f"image with the {which}")
    left.set(
        yscale="log", xlabel="activation", ylabel="density", title=f"(a) Activations into {name}\nof three test images"
    )
    left.legend()
    weights = networks.full.get_submodule(name).get_parameter("weight").detach().flatten().numpy()
    right.hist(weights, 80, color=COLOURS["full precision"], density=True)
    right.set(xlabel="weight", ylabel="density", title=f"(b) Weights of {name}\nin full precision")
    right.locator_params(axis="x", nbins=6)
    return figure


def pick_middle(names: list[str]) -> str:
    """A layer that is neither the first nor the last."""
    return names[len(names) // 2]


def draw_figure_3(_: Networks) -> plt.Figure:
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


def draw_figure_4(networks: Networks) -> plt.Figure:
    """Draw one layer's input at few bits before and after quantisation, and the use of each code; LSQ above ASQ."""
    bits = networks.low_bits
    figure, axes = plt.subplots(2, 2, figsize=(WIDTH, 5.6), width_ratios=(3, 2))
    for (left, right), method in zip(axes, METHODS, strict=True):
        model = networks.quantised[method, bits]
        inputs = observe_layer_inputs(model, networks.images)
        name = pick_middle(list(inputs))
        layer = dict(quantised_layers(model))[name]
        with torch.no_grad():
            after = layer.activation_quantiser(inputs[name])
        codes, _ = layer.activation_quantiser.encode(inputs[name])
        top = float(inputs[name].flatten()[::7].quantile(0.9995))
        bins = np.linspace(0, top, 120)
        left.hist(
            inputs[name].flatten().numpy(),
            bins,
            histtype="step",
            color=COLOURS["full precision"],
            label="before quantisation",
        )
        left.hist(after.flatten().numpy(), bins, color=COLOURS[method], alpha=0.7, label="after")
        left.set(yscale="log", xlabel="activation", ylabel="values", title=f"{method}, {bits} bits: values into {name}")
        left.legend()
        share = torch.bincount(codes.flatten(), minlength=1 << bits).numpy() / codes.numel()
        bars = right.bar(range(1 << bits), 100 * share, color=COLOURS[method])
        right.bar_label(bars, [f"{100 * part:.1f}" for part in share], fontsize=SMALL)
        right.set(xlabel="integer code", ylabel="share, %", title=f"{method}: use of the codes", ylim=(0, 110))
        right.set_xticks(range(1 << bits))
    return figure


def draw_figure_5(networks: Networks) -> plt.Figure:
    """Draw the mean over images of ‖full precision − 3-bit‖₂ after each residual block, LSQ beside ASQ."""
    wanted = observe_block_outputs(networks.full, networks.images)
    figure, axes = plt.subplots(figsize=(WIDTH, 3.4))
    for place, method in enumerate(METHODS):
        outputs = observe_block_outputs(networks.quantised[method, COMPARED_BITS], networks.images)
        distance = [float((outputs[name] - wanted[name]).flatten(1).norm(dim=1).mean()) for name in wanted]
        bars = axes.bar(np.arange(len(wanted)) + 0.4 * place - 0.2, distance, 0.38, color=COLOURS[method], label=method)
        axes.bar_label(bars, fmt="%.1f", fontsize=SMALL)
    axes.set_xticks(range(len(wanted)), list(wanted), **TURNED)
    axes.set(ylabel="L2 distance", title=f"Distance from full precision after each block, {COMPARED_BITS} bits")
    axes.margins(y=0.1)
    axes.legend(ncols=2)
    return figure


def draw_figure_6(networks: Networks) -> plt.Figure:
    """Draw the rounding and clipping error of each low-bit layer's input at 3 bits: mean and deviation over images."""
    figure, axes = plt.subplots(2, 1, figsize=(WIDTH, 6), sharex=True)
    for place, method in enumerate(METHODS):
        model = networks.quantised[method, COMPARED_BITS]
        inputs = observe_layer_inputs(model, networks.images)
        names = [name for name, _ in inner_layers(model)]
        pairs = [measure_errors(layer, inputs[name]) for name, layer in inner_layers(model)]
        for which, (axis, kind) in enumerate(zip(axes, ("rounding", "clipping"), strict=True)):
            norms = [pair[which] for pair in pairs]
            axis.bar(
                np.arange(len(names)) + 0.4 * place - 0.2,
                [float(norm.mean()) for norm in norms],
                0.38,
                yerr=[float(norm.std()) for norm in norms],
                color=COLOURS[method],
                label=method,
                capsize=2,
            )
            axis.set(
                ylabel="L2 norm",
                title=f"Error by {kind}, {COMPARED_BITS} bits: mean and standard deviation over images",
            )
    axes[0].legend()
    axes[1].set_xticks(range(len(names)), names, **TURNED)
    return figure


FIGURES: dict[int, Callable[[Networks], plt.Figure]] = {
    1: draw_figure_1,
    3: draw_figure_3,
    4: draw_figure_4,
    5: draw_figure_5,
    6: draw_figure_6,
}


def make_report(networks: Networks, note: str) -> FiguresReport:
    """The record that the page is made of. note: what else there is to say of the data."""
    return {
        "network": networks.name,
        "low_bits": networks.low_bits,
        "images": len(networks.images),
        "made": networks.origins,
        "data": networks.data,
        "note": note,
    }


def draw_figure(number: int, networks: Networks) -> plt.Figure:
    """Draw a figure of the paper in the style of all."""
    with plt.rc_context():
        plt.rc("font", size=9)
        plt.rc("axes", titlesize=9.5)
        plt.rc("xtick", labelsize=SMALL)
        plt.rc("ytick", labelsize=SMALL)
        plt.rc("legend", fontsize=SMALL, frameon=False)
        plt.rc("figure.constrained_layout", use=True)
        figure = FIGURES[number](networks)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def draw_picture(number: int, networks: Networks) -> bytes:
    """Draw a figure of the paper; return its PNG. The same checkpoints give the same bytes."""
    figure, picture = draw_figure(number, networks), BytesIO()
    figure.savefig(picture, format="png", dpi=DPI, metadata={"Software": None})
    plt.close(figure)
    return picture.getvalue()


def draw_figures(networks: Networks, folder: Path, note: str = "", suffix: str = "") -> list[Path]:
    """Write every figure as `figure<N>.png`, the page `figures.md` and what it says, `figures.json`, to a folder.

    The same checkpoints give the same bytes.
    suffix: at the end of all names, for a page of another network; it has only the figures that depend on a network.
    """
    report, page = make_report(networks, note), folder / f"figures{suffix}.md"
    # All are drawn before one is written: a run that is killed meanwhile leaves the page with the pictures that it had.
    pictures = {
        folder / name_picture(number, suffix): draw_picture(number, networks) for number in list_figures(suffix)
    }
    for path, contents in pictures.items():
        write_bytes(path, contents)
    write_record(page.with_suffix(".json"), FIGURES_PAGE, report)
    write_text(page, render_page(report, suffix))
    return [page, *pictures]
