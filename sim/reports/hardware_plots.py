"""The pictures of the hardware page, as SVG whose text and axes take the colour of the page around them."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from asq_model.common.files import write_text
from sim.explore.design_rows import DesignRow
from sim.explore.ranking import find_front
from sim.reports.colours import INK, PAPER
from sim.reports.name_points import make_line_boxes, name_points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

FRONT_OPACITY, BAR_OPACITY = 0.5, 0.6
WIDE = 5  # times the smallest area
TEXT = {"title": 11, "panel": 10, "axis": 9.5, "tick": 9, "legend": 9}  # points: a picture is read on a phone too
MARKS = {"POST": ("o", "#c2410c"), "uniform": ("s", "#2563eb"), "other level sets": ("^", "#6b7280")}
THROUGHPUT, ERROR = "Throughput against area", "Error against area"
OTHERS = "pot", "apot", "e2m1"
MARK_OF = {"post": "POST", "uniform": "uniform"} | dict.fromkeys(OTHERS, "other level sets")  # by family of weights


def make_figure(panels: int, columns: int = 1, bars: str = "") -> "tuple[Figure, list[Axes]]":
    """Make a figure in the page's colours, and its axes.

    columns: how many panels are beside each other; with one, texts are read on a phone. bars: what bars through points
    are, for the legend.
    """
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams["svg.fonttype"] = "none"
    matplotlib.rcParams["svg.hashsalt"] = "asq"  # the same bytes for the same rows
    lines = -(-panels // columns)
    figure = Figure(figsize=(5.5 * columns, 4.2 * lines), layout="constrained")
    figure.patch.set_facecolor("white")
    figure.patch.set_gid(PAPER)
    axes = figure.subplots(lines, columns, squeeze=False).flatten()
    for axis in axes[panels:]:
        axis.set_axis_off()
    for axis in axes[:panels]:
        axis.patch.set_alpha(0)
        axis.tick_params(colors=INK, labelsize=TEXT["tick"])
        axis.grid(alpha=0.2)
        for spine in axis.spines.values():
            spine.set_color(INK)
        for text in (axis.xaxis.label, axis.yaxis.label, axis.title):
            text.set_color(INK)
            text.set_size(TEXT["axis"])
    add_legend(figure, bars)
    return figure, list(axes[:panels])


def add_legend(figure: "Figure", bars: str) -> None:
    """Say below the panels what every mark is. bars: what bars through points are; empty for none."""
    from matplotlib.lines import Line2D

    marks = {name: Line2D([], [], marker=mark, color=colour, lw=0, ms=5) for name, (mark, colour) in MARKS.items()}
    marks["Pareto front"] = Line2D([], [], color=INK, lw=0.8, alpha=FRONT_OPACITY)
    marks["hollow: another is better in both"] = Line2D([], [], marker="o", color=INK, lw=0, ms=5, mfc="none")
    if bars:
        marks[bars] = Line2D([], [], marker="|", color=INK, lw=0, ms=10, alpha=BAR_OPACITY)
    figure.legend(
        marks.values(),
        marks,
        loc="outside lower center",
        ncols=2,
        fontsize=TEXT["legend"],
        labelcolor=INK,
        frameon=False,
    )


@dataclass(frozen=True)
class Point:
    """A design in a picture. family, unit, widths: of its products. spread: half its bar; None: no bar."""

    title: str
    family: str
    unit: str
    widths: tuple[int, int]
    x: float
    y: float
    spread: float | None = None


def make_point(row: DesignRow, x: float, y: float) -> Point:
    """Make the point of a measured design at a place of a picture."""
    return Point(row.title, row.family, row.unit, row.widths, x, y)


def group_points(points: Sequence[Point]) -> dict[str, list[int]]:
    """Indices of the points of each unit, called by unit and widths: `post 3 × 3 bits`."""
    indices: dict[str, list[int]] = {}
    for index, point in enumerate(points):
        indices.setdefault(f"{point.unit} {point.widths[0]} × {point.widths[1]} bits", []).append(index)
    return indices


def draw_points(axis: "Axes", points: Sequence[Point], higher_is_better: bool) -> list[Point]:
    """Draw points, a series for each unit and widths, and return them; those on the Pareto front are filled and joined.

    They come first of those returned. A small x is better; of y a high one, or a small one.
    """
    best_at = find_front([(point.x, -point.y if higher_is_better else point.y) for point in points])
    best = sorted(
        best_at, key=lambda index: (points[index].x, -points[index].y if higher_is_better else points[index].y)
    )
    axis.plot(
        [points[index].x for index in best], [points[index].y for index in best], color=INK, lw=0.8, alpha=FRONT_OPACITY
    )
    for name, members in group_points(points).items():
        marker, colour = MARKS[MARK_OF[points[members[0]].family]]
        x, y = [points[index].x for index in members], [points[index].y for index in members]
        filled = [colour if index in best else "none" for index in members]
        axis.scatter(x, y, 25, filled, marker=marker, edgecolors=colour, linewidths=1.2, label=name)
        for point in (points[index] for index in members):
            if point.spread is not None:
                axis.errorbar(point.x, point.y, point.spread, color=colour, lw=0.8, capsize=2, alpha=BAR_OPACITY)
    axis.margins(0.08, 0.15)  # names stand above and below the outermost points
    return [points[index] for index in [*best, *(index for index in range(len(points)) if index not in best)]]


def find_bar_boxes(axis: "Axes", points: Sequence[Point]) -> "list[Bbox]":
    """The places of the points' bars, for `name_points`; the figure's layout has to be known."""
    from matplotlib.transforms import Bbox

    boxes = []
    for point in points:
        if point.spread is not None:
            ends = [axis.transData.transform((point.x, point.y + side * point.spread)) for side in (-1, 1)]
            boxes.append(Bbox.from_extents(ends[0][0] - 1, ends[0][1], ends[1][0] + 1, ends[1][1]))
    return boxes


def scale_axis(axis: "Axes", points: Sequence[Point]) -> bool:
    """Make the x axis logarithmic where one design is many times as large as another; whether it was."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    areas = [point.x for point in points]
    if not areas or max(areas) < WIDE * min(areas):
        return False
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    return True


def draw(
    panels: dict[str, list[Point]],
    path: Path,
    titles: tuple[str, str, str],
    higher_is_better: bool,
    columns: int = 1,
    bars: str = "",
) -> None:
    """Draw a picture of panels, the points of each by its title, and write it as SVG.

    titles: of the picture and the axes. columns: how many panels are beside each other. bars: what bars are. Raises
    InputError if it cannot be written.
    """
    figure, axes = make_figure(len(panels), columns, bars)
    figure.suptitle(titles[0], fontsize=TEXT["title"], color=INK)
    drawn = []
    for axis, (title, points) in zip(axes, panels.items(), strict=True):
        drawn.append(draw_points(axis, points, higher_is_better))
        axis.set_title(title, fontsize=TEXT["panel"], color=INK)
        axis.set_xlabel(f"{titles[1]}{', logarithmic' if scale_axis(axis, points) else ''}")
        axis.set_ylabel(titles[2])
    figure.draw_without_rendering()  # where points are and how large texts is known after the layout only
    for axis, in_order in zip(axes, drawn, strict=True):
        names = [(point.title.replace("`", ""), point.x, point.y) for point in in_order]
        joined = axis.transData.transform(axis.lines[0].get_xydata())
        front_line = [box for ends in pairwise(joined) for box in make_line_boxes(*ends)]
        name_points(axis, names, find_bar_boxes(axis, in_order), front_line)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    write_text(path, buffer.getvalue())


def draw_throughput(panels: dict[str, list[DesignRow]], path: Path, title: str, columns: int = 1) -> None:
    """Products per second against LUTs, of rows with a clock. panels: each of one device, width and form."""
    points = {
        title: [
            make_point(row, row.luts, row.mhz * row.products_per_cycle / 1000)
            for row in rows
            if row.mhz is not None and row.luts is not None
        ]
        for title, rows in panels.items()
    }
    draw(points, path, (title, "LUTs", "products per second, 10⁹"), True, columns)


def draw_error(panels: dict[str, list[DesignRow]], path: Path, title: str, columns: int = 1) -> None:
    """Relative error of the golden results against LUTs. panels: each of one FPGA family, width and form."""
    points = {
        title: [make_point(row, row.luts, 100 * row.relative_error) for row in rows if row.luts is not None]
        for title, rows in panels.items()
    }
    draw(points, path, (title, "LUTs", "error of the results, % of their rms"), False, columns)


def draw_accuracy(panels: dict[str, list[Point]], path: Path, title: str) -> None:
    """Accuracy in percent (mean over seeds, bars its spread) against LUTs a product, a panel per FPGA family."""
    titles = title, "LUTs a product, in an 8 × 8 array", "top-1 accuracy, %"
    draw(panels, path, titles, True, bars="± standard deviation")
