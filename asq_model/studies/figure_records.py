"""The record of the paper's figures: what was measured for each, which its picture and its page are made from.

Free of torch.
"""

from typing import Annotated, NotRequired, TypedDict

from msgspec import Meta

from asq_model.common.records import Amount, Digest, Line, Schema, Text, Whole, Width, Word
from asq_model.common.result_schemas import REMEDY

METHODS = ("LSQ", "ASQ")
COMPARED_BITS = 3  # of Figures 5 and 6
Number = Annotated[float, Meta(ge=-1e18, le=1e18)]


class Histogram(TypedDict):
    """How often values lie between one edge and the next: a count each, or a density. There is one edge more."""

    edges: list[Number]
    counts: list[Amount]


class Activations(TypedDict):
    """Figure 1: densities of one layer's input for three test images, by their names, and of its weights."""

    layer: Word
    images: dict[Line, Histogram]
    weights: Histogram


class Codes(TypedDict):
    """Figure 4: values of one layer's input before and after quantisation, and each code's share of them."""

    layer: Word
    before: Histogram
    after: Histogram
    shares: list[Annotated[float, Meta(ge=0, le=1)]]


class Spread(TypedDict):
    """Mean and standard deviation over images, of each layer in turn."""

    means: list[Amount]
    deviations: list[Amount]


class Errors(TypedDict):
    """Figure 6, of one method: L2 norms of the errors in each layer's input; `whole` is of both together."""

    rounding: Spread
    clipping: Spread
    whole: Spread


class Plots(TypedDict):
    """What the figures show. distances: Figure 5, the mean L2 distance after each block.

    codes, distances and errors are by method.
    """

    activations: Activations
    codes: dict[Word, Codes]
    blocks: list[Word]
    distances: dict[Word, list[Amount]]
    layers: list[Word]
    errors: dict[Word, Errors]


class FiguresReport(TypedDict):
    """What the page of the paper's figures says of them.

    images: how many they show. made: a line on each network that they were drawn from. low_bits: bits of Figure 4's.
    plots: what was measured; without it the pictures cannot be drawn again.
    """

    network: Word
    low_bits: Width
    images: Whole
    made: list[Line]
    data: Digest
    note: Text
    plots: NotRequired[Plots]


def check(report: FiguresReport) -> None:
    """Raises ValueError for lists that do not belong to the same layers, blocks or codes."""
    if "plots" not in report:
        return
    plots = report["plots"]
    spreads = [spread for errors in plots["errors"].values() for spread in (errors["rounding"], errors["clipping"])]
    spreads += [errors["whole"] for errors in plots["errors"].values()]
    lengths = [(len(plots["blocks"]), len(distances)) for distances in plots["distances"].values()]
    lengths += [(len(plots["layers"]), len(values)) for one in spreads for values in (one["means"], one["deviations"])]
    lengths += [(1 << report["low_bits"], len(codes["shares"])) for codes in plots["codes"].values()]
    histograms = [*plots["activations"]["images"].values(), plots["activations"]["weights"]]
    histograms += [one for codes in plots["codes"].values() for one in (codes["before"], codes["after"])]
    lengths += [(len(one["counts"]) + 1, len(one["edges"])) for one in histograms]
    if any(wanted != found for wanted, found in lengths):
        raise ValueError("its plots have lists of other lengths than layers, blocks, codes or edges")


FIGURES_PAGE: Schema[FiguresReport] = Schema("report on the paper's figures", FiguresReport, 2, REMEDY, check=check)
