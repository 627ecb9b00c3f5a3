"""Names beside the points of a picture, where they cover nothing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sim.reports.colours import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

BESIDE = 11  # points; a name that is further from its design has a line to it
# Where a name may stand: how its text is aligned, and how far from its point, in points.
SIDES = tuple(
    (side, level, (dx * reach, dy * reach))
    for reach in (4, 8, 12, 18, 26, 36)
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


def name_points(axis: "Axes", names: list[tuple[str, float, float]], bars: "Sequence[Bbox]" = ()) -> None:
    """Write each name (text, x, y) beside its point, on the first side where it covers no point, no bar and no name
    before it; one that stands further away has a line to its point. A name that fits nowhere is left out, the tables
    have it. The figure's layout has to be known.
    """
    from matplotlib.transforms import Bbox

    room = axis.get_window_extent()
    at = [axis.transData.transform((x, y)) for _, x, y in names]
    taken = [*(Bbox.from_extents(x - 3, y - 3, x + 3, y + 3) for x, y in at), *bars]
    for text, x, y in names:
        written = axis.annotate(text, (x, y), fontsize=7, color=INK, xytext=(0, 0), textcoords="offset points")
        for side, level, offset in SIDES:
            written.set(ha=side, va=level)
            written.xyann = offset
            box = written.get_window_extent().expanded(1.15, 1.0)  # a browser's font may be wider
            if room.contains(box.x0, box.y0) and room.contains(box.x1, box.y1) and not box.count_overlaps(taken):
                taken.append(box)
                if max(map(abs, offset)) > BESIDE:
                    point_to(axis, (x, y), box)
                break
        else:
            written.remove()


def point_to(axis: "Axes", point: tuple[float, float], box: "Bbox") -> None:
    """Draw a thin line from a point to the nearest place of a box."""
    from matplotlib.lines import Line2D

    x, y = axis.transData.transform(point)
    near = min(max(x, box.x0), box.x1), min(max(y, box.y0), box.y1)
    end = axis.transData.inverted().transform(near)
    axis.add_artist(Line2D([point[0], end[0]], [point[1], end[1]], lw=0.5, color=INK, alpha=0.5))
