"""The pictures of the hardware page, as SVG whose text and axes take the colour of the page around them."""

import io
from pathlib import Path

from asq_model.files import write_text
from sim.compare import front

INK = "#010203"  # replaced by the page's own colour
# Where a name may stand: how its text is aligned, and how far from its point, in points.
SIDES = tuple(
    (side, level, (dx * reach, dy * reach))
    for reach in (4, 8, 12, 18, 26)
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
    )
)
MARKS = {"POST": ("o", "#c2410c"), "uniform": ("s", "#2563eb"), "other level sets": ("^", "#6b7280")}


def family(row: dict) -> str:
    """Which mark a row gets."""
    if row["unit"].startswith("post"):
        return "POST"
    return "uniform" if row["rival"] else "other level sets"


def figure_of(panels: int):
    """(figure, axes) in the page's colours."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    matplotlib.rcParams["svg.fonttype"] = "none"
    matplotlib.rcParams["svg.hashsalt"] = "asq"  # the same bytes for the same rows
    figure = Figure(figsize=(5 * panels, 4), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    for axis in axes:
        axis.patch.set_alpha(0)
        axis.tick_params(colors=INK, labelsize=8)
        axis.grid(alpha=0.2)
        for spine in axis.spines.values():
            spine.set_color(INK)
        for text in (axis.xaxis.label, axis.yaxis.label, axis.title):
            text.set_color(INK)
            text.set_size(9)
    marks = [Line2D([], [], marker=mark, color=colour, lw=0, ms=5) for mark, colour in MARKS.values()]
    place = {"loc": "outside lower center", "ncols": len(marks)}
    figure.legend(marks, [*MARKS], **place, fontsize=8, labelcolor=INK, frameon=False)
    return figure, axes


def scatter(axis, rows: list[dict], across: str, up: str, higher_is_better: bool) -> list[tuple[str, float, float]]:
    """Rows as points, those on the Pareto front in full colour and joined. Returns (name, x, y) of each, these first.

    across, up: a row's columns; `across` is better when it is small. A row with `spread` gets a bar of it.
    """
    points = [(row[across], -row[up] if higher_is_better else row[up]) for row in rows]
    best = sorted(front(points), key=lambda index: points[index])
    axis.plot(
        [rows[index][across] for index in best], [rows[index][up] for index in best], color=INK, lw=0.8, alpha=0.5
    )
    for index, row in enumerate(rows):
        marker, colour = MARKS[family(row)]
        axis.plot(row[across], row[up], marker, color=colour, ms=5, alpha=1 if index in best else 0.45)
        if "spread" in row:
            axis.errorbar(row[across], row[up], row["spread"], color=colour, lw=0.8, capsize=2, alpha=0.6)
    axis.margins(0.08)
    in_order = [*best, *(index for index in range(len(rows)) if index not in best)]
    return [(rows[index]["title"].replace("`", ""), rows[index][across], rows[index][up]) for index in in_order]


def label(axis, names: list[tuple[str, float, float]]) -> None:
    """Write each name (text, x, y) beside its point, on the first side where it covers no point and no name before it;
    a name that fits nowhere is left out, the tables have it. The figure's layout has to be known."""
    from matplotlib.transforms import Bbox

    room = axis.get_window_extent()
    at = [axis.transData.transform((x, y)) for _, x, y in names]
    taken = [Bbox.from_extents(x - 3, y - 3, x + 3, y + 3) for x, y in at]
    for text, x, y in names:
        written = axis.annotate(text, (x, y), fontsize=6, color=INK, xytext=(0, 0), textcoords="offset points")
        for side, level, offset in SIDES:
            written.set(ha=side, va=level)
            written.xyann = offset
            box = written.get_window_extent().expanded(1.15, 1.0)  # a browser's font may be wider
            if room.contains(box.x0, box.y0) and room.contains(box.x1, box.y1) and not box.count_overlaps(taken):
                taken.append(box)
                break
        else:
            written.remove()


def draw(panels: dict[str, list[dict]], path: Path, across: str, up: str, titles: tuple[str, str], **how) -> None:
    """`scatter` each panel, its rows by its title. titles: of the axes. Raises InputError if it cannot be written."""
    figure, axes = figure_of(len(panels))
    names = []
    for axis, (title, rows) in zip(axes, panels.items(), strict=True):
        names.append(scatter(axis, rows, across, up, **how))
        axis.set_title(title)
        axis.set_xlabel(titles[0])
        axis.set_ylabel(titles[1])
    figure.draw_without_rendering()  # where points are and how large texts is known after the layout only
    for axis, named in zip(axes, names, strict=True):
        label(axis, named)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    write_text(path, buffer.getvalue().replace(INK, "currentColor"))


def draw_throughput(panels: dict[str, list[dict]], path: Path) -> None:
    """Products per second against LUTs, of rows with a clock, a panel per device. panels: of one width and form."""
    shown = {
        title: [row | {"rate": row["mhz"] * row["products_per_cycle"] / 1000} for row in rows if "mhz" in row]
        for title, rows in panels.items()
    }
    draw(shown, path, "luts", "rate", ("LUTs", "products per second, 10⁹"), higher_is_better=True)


def draw_error(panels: dict[str, list[dict]], path: Path) -> None:
    """Relative error of the golden results against LUTs, a panel per fabric."""
    shown = {title: [row | {"percent": 100 * row["relative_error"]} for row in rows] for title, rows in panels.items()}
    draw(shown, path, "luts", "percent", ("LUTs", "error of the results, % of their rms"), higher_is_better=False)


def draw_accuracy(panels: dict[str, list[dict]], path: Path) -> None:
    """Accuracy (mean over seeds, bars its spread) against LUTs a product, a panel per fabric.

    panels: designs with `accuracy` and `spread` in percent and `luts_per_product`.
    """
    titles = "LUTs a product, in an 8 × 8 array", "top-1 accuracy, %"
    draw(panels, path, "luts_per_product", "accuracy", titles, higher_is_better=True)
