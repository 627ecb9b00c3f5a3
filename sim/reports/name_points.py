"""Names beside the points of a picture, where they cover nothing."""

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

from sim.reports.colours import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

SIZE = 8.5  # points, of a name
LINE_STEP = 3  # points between the boxes of a line
BESIDE = 11  # points; a name that is further from its design has a line to it
# Where a name may stand: how its text is aligned, and how far from its point, in points.
SIDES = tuple(
    (side, level, (dx * reach, dy * reach))
    for reach in (4, 8, 12, 18, 26, 36, 50)
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
    """Write each name (text, x, y) beside its point, on the first side where it covers no point, no bar, no name before
    it and no line to one; one that stands further away has a line to its point. A name that fits nowhere is left out,
    the tables have it. avoided: covered only by a name that fits nowhere else. The figure's layout has to be known.
    """
    from matplotlib.transforms import Bbox

    room = axis.get_window_extent()
    at = [place_of(axis, x, y) for _, x, y in names]
    taken = [*(Bbox.from_extents(x - 3, y - 3, x + 3, y + 3) for x, y in at), *bars]
    written_boxes: list[Bbox] = []
    for (text, x, y), point in zip(names, at, strict=True):
        written = axis.annotate(text, (x, y), fontsize=SIZE, color=INK, xytext=(0, 0), textcoords="offset points")
        for clear, (side, level, offset) in product(([*taken, *avoided], taken), SIDES):
            written.set(ha=side, va=level)
            written.xyann = offset
            box = written.get_window_extent().expanded(1.15, 1.0)  # a browser's font may be wider
            far = max(map(abs, offset)) > BESIDE
            line = line_boxes(point, nearest(box, point)) if far else []
            inside = room.contains(box.x0, box.y0) and room.contains(box.x1, box.y1)
            if (
                inside
                and not box.count_overlaps(clear)
                and not any(step.count_overlaps(written_boxes) for step in line)
            ):
                taken += [box, *line]
                written_boxes.append(box)
                if far:
                    point_to(axis, (x, y), box)
                break
        else:
            written.remove()


def place_of(axis: "Axes", x: float, y: float) -> tuple[float, float]:
    """Where a point is drawn, in pixels."""
    across, up = axis.transData.transform((x, y))
    return float(across), float(up)


def nearest(box: "Bbox", point: Sequence[float]) -> tuple[float, float]:
    """The place of a box that is nearest to a point."""
    return min(max(point[0], box.x0), box.x1), min(max(point[1], box.y0), box.y1)


def line_boxes(start: Sequence[float], end: Sequence[float]) -> "list[Bbox]":
    """Small boxes along a line, which together cover it."""
    from matplotlib.transforms import Bbox

    steps = max(1, int(max(abs(end[0] - start[0]), abs(end[1] - start[1])) // LINE_STEP))
    places = [
        (start[0] + (end[0] - start[0]) * k / steps, start[1] + (end[1] - start[1]) * k / steps)
        for k in range(steps + 1)
    ]
    return [Bbox.from_extents(x - 1, y - 1, x + 1, y + 1) for x, y in places]


def point_to(axis: "Axes", point: tuple[float, float], box: "Bbox") -> None:
    """Draw a thin line from a point to the nearest place of a box."""
    from matplotlib.lines import Line2D

    end = axis.transData.inverted().transform(nearest(box, place_of(axis, *point)))
    axis.add_artist(Line2D([point[0], end[0]], [point[1], end[1]], lw=0.5, color=INK, alpha=0.5))
