"""What the hardware page's section on accuracy is filled with, from the points of `find_accuracy_points`."""

from math import hypot
from typing import NamedTuple

from asq_model.common.cifar10_copy import find_yardsticks
from asq_model.common.markdown import format_markdown_table
from sim.explore.design_rows import DesignRow
from sim.explore.design_space import FULL_WIDTHS
from sim.explore.ranking import is_post
from sim.reports.accuracy_points import ACTIVATIONS, Accuracy, AccuracyPoint, Measured
from sim.reports.titles import SHORT

COLUMNS = (
    ("network", "network"),
    ("weights", "weights"),
    ("arithmetic", "products"),
    ("seeds", "seeds"),
    ("accuracy", "top-1, %"),
    ("ice40", "iCE40 LUT4 a product"),
    ("ecp5", "ECP5 LUT4 a product"),
    ("xc7", "LUT6 a product"),
)


def make_accuracy_table(points: dict[str, list[AccuracyPoint]]) -> str:
    """Make a table of points by FPGA family, the least accurate first; mapped arrays of all families are one line."""
    lines: dict[tuple[str, Measured], dict[str, object]] = {}
    means: dict[tuple[str, Measured], float] = {}
    for target, members in points.items():
        for point in members:
            accuracy = point.accuracy
            key = point.title, accuracy.measured
            means[key] = accuracy.mean
            line = lines.setdefault(key, {"network": accuracy.measured.network, "weights": point.title})
            line |= {"arithmetic": accuracy.arithmetic, "seeds": accuracy.seeds}
            line |= {"accuracy": f"{accuracy.mean:.2f} ± {accuracy.spread:.2f}"}
            line[target] = f"{point.luts_per_product:.1f}"
    return format_markdown_table([lines[key] for key in sorted(lines, key=lambda key: means[key])], COLUMNS)


def is_uniform(row: DesignRow) -> bool:
    """Whether a design's weights are evenly spaced."""
    return row.family == "uniform"


def compare_accuracies(ours: Accuracy, theirs: Accuracy) -> str:
    """The difference of two accuracies in words, beside the spread that seeds give."""
    difference = ours.mean - theirs.mean
    if min(ours.seeds, theirs.seeds) < 2:
        return f"{difference:+.2f} points, of one seed"
    within = abs(difference) <= hypot(ours.spread, theirs.spread)
    return f"{difference:+.2f} points, {'less' if within else 'more'} than seeds are apart"


def compare_smallest(members: list[AccuracyPoint], network: str, target: str) -> tuple[str, str] | None:
    """The smallest POST array against the smallest uniform one, of weights alike wide: (their areas, their accuracies)
    in words. None unless there are both.
    """
    fitting = [
        point
        for point in members
        if (point.accuracy.measured.network, point.row.weight_bits) == (network, FULL_WIDTHS[0])
    ]
    in_order = sorted(fitting, key=lambda point: (point.luts_per_product, -point.accuracy.mean))
    ours, theirs = (next((point for point in in_order if wanted(point.row)), None) for wanted in (is_post, is_uniform))
    if ours is None or theirs is None:
        return None
    ratio = ours.luts_per_product / theirs.luts_per_product
    accuracies = f"{ours.accuracy.mean:.2f} % against {theirs.accuracy.mean:.2f} %"
    return f"{ratio:.2f} on {SHORT[target]}", f"{accuracies}: {compare_accuracies(ours.accuracy, theirs.accuracy)}"


def compare_arrays(points: dict[str, list[AccuracyPoint]]) -> str:
    """`compare_smallest` for each network and FPGA family that has both, the families with the same accuracies
    together; empty without any.
    """
    by_network: dict[str, dict[str, list[str]]] = {}
    for target, members in points.items():
        for network in dict.fromkeys(point.accuracy.measured.network for point in members):
            if (words := compare_smallest(members, network, target)) is not None:
                area, accuracies = words
                by_network.setdefault(network, {}).setdefault(accuracies, []).append(area)
    return "; ".join(
        f"{network} {'; '.join(', '.join(areas) + f' ({accuracies})' for accuracies, areas in parts.items())}"
        for network, parts in by_network.items()
    )


class AccuracySection(NamedTuple):
    """What the section on accuracy is filled with.

    bits: of the weights compared. comparison: `compare_arrays`. notes: on the study, and the yardstick of a copy's
    images. title, picture: of the plot, and its file.
    """

    bits: int
    comparison: str
    networks: str
    images: str
    activations: str
    notes: list[str]
    title: str
    picture: str
    table: str


def describe_accuracies(points: dict[str, list[AccuracyPoint]], note: str, title: str, picture: str) -> AccuracySection:
    """The section on points by FPGA family, of a study with this note, whose plot has a title and a file."""
    measured = [point.accuracy.measured for members in points.values() for point in members]
    quantiser, bits = ACTIVATIONS
    return AccuracySection(
        bits=FULL_WIDTHS[0],
        comparison=compare_arrays(points),
        networks=", ".join(dict.fromkeys(entry.network for entry in measured)),
        images=" or ".join(map(str, dict.fromkeys(entry.images for entry in measured))),
        activations=f"{bits} bits ({quantiser.upper()})",
        notes=[*filter(None, [note]), *find_yardsticks(entry.data for entry in measured)],
        title=title,
        picture=picture,
        table=make_accuracy_table(points),
    )
