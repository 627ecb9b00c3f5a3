"""The pictures of the hardware page, as SVG whose text and axes take the colour of the page around them."""

import io
from pathlib import Path

from asq_model.common.files import write_text
from sim.explore.ranking import front
from sim.measure.nextpnr_clock import DEVICES
from sim.measure.yosys_area import FABRICS

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
OTHERS = "pot", "apot", "e2m1"
MARK_OF = {"post": "POST", "uniform": "uniform"} | dict.fromkeys(OTHERS, "other level sets")  # by family of weights


def figure_of(panels: int, columns: int | None = None):
    """(figure, axes) in the page's colours, `columns` panels beside each other (None: all of them)."""
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    matplotlib.rcParams["svg.fonttype"] = "none"
    matplotlib.rcParams["svg.hashsalt"] = "asq"  # the same bytes for the same rows
    columns = columns or panels
    lines = -(-panels // columns)
    figure = Figure(figsize=(5 * columns, 4 * lines), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.subplots(lines, columns, squeeze=False).flatten()
    for axis in axes[panels:]:
        axis.set_axis_off()
    for axis in axes[:panels]:
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
    return figure, axes[:panels]


def series(rows: list[dict]) -> dict[str, list[int]]:
    """Indices of the rows of each unit, called by unit and widths: `post 3 × 3 bits`."""
    found: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        found.setdefault(f"{row['unit']} {row['weight_bits']} × {row['activation_bits']} bits", []).append(index)
    return found


def scatter(axis, rows: list[dict], across: str, up: str, higher_is_better: bool) -> list[tuple[str, float, float]]:
    """Rows as points, a series for each unit and widths, those on the Pareto front in full colour and joined. Returns
    (name, x, y) of each, these first.

    across, up: a row's columns; `across` is better when it is small. A row with `spread` gets a bar of it.
    """
    points = [(row[across], -row[up] if higher_is_better else row[up]) for row in rows]
    best = sorted(front(points), key=lambda index: points[index])
    axis.plot(
        [rows[index][across] for index in best], [rows[index][up] for index in best], color=INK, lw=0.8, alpha=0.5
    )
    for name, members in series(rows).items():
        marker, colour = MARKS[MARK_OF[rows[members[0]]["family"]]]
        x, y = ([rows[index][what] for index in members] for what in (across, up))
        opacity = [1 if index in best else 0.45 for index in members]
        axis.scatter(x, y, 25, colour, marker=marker, alpha=opacity, linewidths=0, label=name)
        for index in members:
            if "spread" in rows[index]:
                bar = {"color": colour, "lw": 0.8, "capsize": 2, "alpha": 0.6}
                axis.errorbar(rows[index][across], rows[index][up], rows[index]["spread"], **bar)
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


def draw(
    panels: dict[str, list[dict]], path: Path, across: str, up: str, titles: tuple[str, str], columns=None, **how
) -> None:
    """`scatter` each panel, its rows by its title. titles: of the axes; columns: how many panels are beside each other
    (None: all). Raises InputError if it cannot be written."""
    figure, axes = figure_of(len(panels), columns)
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


def draw_throughput(panels: dict[str, list[dict]], path: Path, columns: int | None = None) -> None:
    """Products per second against LUTs, of rows with a clock. panels: each of one device, width and form."""
    shown = {
        title: [row | {"rate": row["mhz"] * row["products_per_cycle"] / 1000} for row in rows if "mhz" in row]
        for title, rows in panels.items()
    }
    draw(shown, path, "luts", "rate", ("LUTs", "products per second, 10⁹"), columns, higher_is_better=True)


def draw_error(panels: dict[str, list[dict]], path: Path, columns: int | None = None) -> None:
    """Relative error of the golden results against LUTs. panels: each of one fabric, width and form."""
    shown = {title: [row | {"percent": 100 * row["relative_error"]} for row in rows] for title, rows in panels.items()}
    labels = "LUTs", "error of the results, % of their rms"
    draw(shown, path, "luts", "percent", labels, columns, higher_is_better=False)


def panels_of(rows: list[dict], targets: dict[str, str]) -> dict[str, list[dict]]:
    """Rows of a sweep by panel: designs of one width and form on one target, which alone can be set against each other.

    targets: titles by name. A panel for each target side by side, a line of them for each width and form.
    """
    kinds = dict.fromkeys((row["weight_bits"], row["activation_bits"], row["form"]) for row in rows)
    return {
        f"{title}, {weights} × {activations} bits, {form}": [
            row
            for row in rows
            if (row["weight_bits"], row["activation_bits"], row["form"], row["target"])
            == (weights, activations, form, target)
        ]
        for weights, activations, form in kinds
        for target, title in targets.items()
    }


def draw_sweep(rows: list[dict], targets: list[str], out: Path) -> None:
    """Pareto plots of a sweep, a panel for each target, width and form of which something can be drawn."""
    for column, draw, known, name in (
        ("mhz", draw_throughput, DEVICES, "throughput.svg"),
        ("luts", draw_error, FABRICS, "error.svg"),
    ):
        shown = [row for row in rows if column in row]
        titles = {target: known[target].title for target in targets if any(row["target"] == target for row in shown)}
        if shown:
            panels = {title: members for title, members in panels_of(shown, titles).items() if members}
            draw(panels, out / name, columns=len(titles))
        else:
            (out / name).unlink(missing_ok=True)  # of an earlier sweep


def draw_accuracy(panels: dict[str, list[dict]], path: Path) -> None:
    """Accuracy (mean over seeds, bars its spread) against LUTs a product, a panel per fabric.

    panels: designs with `accuracy` and `spread` in percent and `luts_per_product`.
    """
    titles = "LUTs a product, in an 8 × 8 array", "top-1 accuracy, %"
    draw(panels, path, "luts_per_product", "accuracy", titles, higher_is_better=True)
