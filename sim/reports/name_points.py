"""Names beside the points of a picture, where they cover nothing."""

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from sim.reports.colours import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

Box = tuple[float, float, float, float]  # left, bottom, right, top, in pixels
SIZE = 8.5  # points, of a name
WIDER = 1.15  # than here a name may be in a browser, whose font is another
LINE_STEP = 3  # points between the boxes of a line
BESIDE = 11  # points; a name that is further from its design has a line to it
# Where a name may stand: how its text is aligned, and how far from its point, in points.
SIDES = tuple(
    (side, level, (dx * reach, dy * reach))
    for reach in (4, 8, 12, 18, 26, 36, 50, 66)
    for side, level, dx, dy in (
        ("left", "center", 1.3, 0),
        ("left", "bottom", 1, 0.5),
        ("left", "top", 1, -0.5),
        ("right", "center", -1.3, 0),
        ("right", "bottom", -1, 0.5),
        ("right", "top", -1, -0.5),
        ("center", "bottom", 0, 1.2),
        ("center", "top", 0, -1.2),
        ("left", "bottom", 0, 1.2),
        ("left", "top", 0, -1.2),
        ("right", "top", -0.4, -1),
        ("right", "bottom", -0.4, 1),
        ("left", "top", 0.4, -1),
        ("left", "bottom", 0.4, 1),
    )
)


def name_points(
    axis: "Axes", names: list[tuple[str, float, float]], bars: "Sequence[Bbox]" = (), avoided: "Sequence[Bbox]" = ()
) -> None:
    """Write each name (text, x, y) beside its point, where it covers nothing.

    It stands on the first side where it covers no point, no bar, no name before it and no line to one; a name that
    stands further away has a line to its point, which crosses no other point and no name. A name that fits nowhere is
    left out, the tables have it. avoided:
    covered only by a name that fits nowhere else. The figure's layout has to be known.
    """
    room = axis.get_window_extent()
    at = [place_of(axis, x, y) for _, x, y in names]
    marks = [(x - 3, y - 3, x + 3, y + 3) for x, y in at]
    taken = [corners_of(box) for box in bars] + marks
    soft = [corners_of(box) for box in avoided]
    written_boxes: list[Box] = []
    for (text, x, y), point in zip(names, at, strict=True):
        written = axis.annotate(text, (x, y), fontsize=SIZE, color=INK, xytext=(0, 0), textcoords="offset points")
        extent = written.get_window_extent()
        size = WIDER * extent.width, extent.height
        own = place_box(point, (6, 6), "center", "center", (0, 0), 1)
        others = [mark for mark in marks if not overlaps(mark, np.array([own]))]
        for clear, (side, level, offset) in product((np.array([*taken, *soft]), np.array(taken)), SIDES):
            box = place_box(point, size, side, level, offset, axis.figure.dpi / 72)
            inside = room.x0 < box[0] and room.y0 < box[1] and box[2] < room.x1 and box[3] < room.y1
            if not inside or overlaps(box, clear):
                continue
            far = max(map(abs, offset)) > BESIDE
            line = [corners_of(step) for step in make_line_boxes(point, find_nearest(box, point))] if far else []
            crossed = [*written_boxes, *others]
            if any(overlaps(step, np.array(crossed)) for step in line if crossed):
                continue
            written.set(ha=side, va=level)
            written.xyann = offset
            taken += [box, *line]
            written_boxes.append(box)
            if far:
                point_to(axis, (x, y), box)
            break
        else:
            written.remove()


def corners_of(box: "Bbox") -> Box:
    """A box of matplotlib as numbers."""
    return float(box.x0), float(box.y0), float(box.x1), float(box.y1)


def place_box(
    point: tuple[float, float],
    size: tuple[float, float],
    side: str,
    level: str,
    offset: tuple[float, float],
    pixels: float,
) -> Box:
    """Place the box of a text of this size, aligned so, beside a point. pixels: of a point of its offset."""
    left = point[0] + offset[0] * pixels - {"left": 0, "center": 0.5, "right": 1}[side] * size[0]
    bottom = point[1] + offset[1] * pixels - {"bottom": 0, "center": 0.5, "top": 1}[level] * size[1]
    return left, bottom, left + size[0], bottom + size[1]


def overlaps(box: Box, others: "np.ndarray") -> bool:
    """Whether a box covers any of others, an array of a row for each."""
    apart = (others[:, 2] <= box[0]) | (others[:, 0] >= box[2]) | (others[:, 3] <= box[1]) | (others[:, 1] >= box[3])
    return not bool(apart.all())


def place_of(axis: "Axes", x: float, y: float) -> tuple[float, float]:
    """Where a point is drawn, in pixels."""
    across, up = axis.transData.transform((x, y))
    return float(across), float(up)


def find_nearest(box: Box, point: Sequence[float]) -> tuple[float, float]:
    """The place of a box that is nearest to a point."""
    return min(max(point[0], box[0]), box[2]), min(max(point[1], box[1]), box[3])


def make_line_boxes(start: Sequence[float], end: Sequence[float]) -> "list[Bbox]":
    """Make small boxes along a line, which together cover it."""
    from matplotlib.transforms import Bbox

    steps = max(1, int(max(abs(end[0] - start[0]), abs(end[1] - start[1])) // LINE_STEP))
    places = [
        (start[0] + (end[0] - start[0]) * k / steps, start[1] + (end[1] - start[1]) * k / steps)
        for k in range(steps + 1)
    ]
    return [Bbox.from_extents(x - 1, y - 1, x + 1, y + 1) for x, y in places]


def point_to(axis: "Axes", point: tuple[float, float], box: Box) -> None:
    """Draw a thin line from a point to the nearest place of a box."""
    from matplotlib.lines import Line2D

    end = axis.transData.inverted().transform(find_nearest(box, place_of(axis, *point)))
    axis.add_artist(Line2D([point[0], end[0]], [point[1], end[1]], lw=0.5, color=INK, alpha=0.5))
