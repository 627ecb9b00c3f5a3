"""The pictures of the hardware page, as SVG whose text and axes take the colour of the page around them."""

import io
from pathlib import Path

from asq_model.files import write_text
from sim.compare import front

INK = "#010203"  # replaced by the page's own colour
MARKS = {"post": ("o", "#c2410c"), "uniform": ("s", "#2563eb"), "other": ("^", "#6b7280")}


def family(row: dict) -> str:
    """Which mark a row gets."""
    if row["unit"].startswith("post"):
        return "post"
    return "uniform" if row["rival"] else "other"


def figure_of(width: float, height: float, panels: int):
    """(figure, axes) in the page's colours."""
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams["svg.fonttype"] = "none"
    matplotlib.rcParams["svg.hashsalt"] = "asq"  # the same bytes for the same rows
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    for axis in axes:
        axis.patch.set_alpha(0)
        axis.tick_params(colors=INK, labelsize=8)
        axis.grid(alpha=0.2)
        for spine in axis.spines.values():
            spine.set_color(INK)
        for label in (axis.xaxis.label, axis.yaxis.label, axis.title):
            label.set_color(INK)
            label.set_size(9)
    return figure, axes


def save(figure, path: Path) -> None:
    """Raises InputError when it cannot be written."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    write_text(path, buffer.getvalue().replace(INK, "currentColor"))


def scatter(axis, rows: list[dict], across: str, up: str, higher_is_better: bool) -> None:
    """Rows as points with their names, those on the Pareto front in full colour and joined."""
    points = [(row[across], -row[up] if higher_is_better else row[up]) for row in rows]
    best = sorted(front(points), key=lambda index: points[index])
    axis.plot(
        [rows[index][across] for index in best], [rows[index][up] for index in best], color=INK, lw=0.8, alpha=0.5
    )
    for index, row in enumerate(rows):
        marker, colour = MARKS[family(row)]
        axis.plot(row[across], row[up], marker, color=colour, ms=5, alpha=1 if index in best else 0.45)
        if index in best or family(row) != "other":
            axis.annotate(
                row["title"].replace("`", ""),
                (row[across], row[up]),
                fontsize=6,
                color=INK,
                xytext=(4, 2),
                textcoords="offset points",
            )


def draw_throughput(rows: dict[str, list[dict]], path: Path) -> None:
    """Products per second against LUTs, a panel per device. rows: of one width and form, by the panel's title."""
    figure, axes = figure_of(5 * len(rows), 4, len(rows))
    for axis, (title, members) in zip(axes, rows.items(), strict=True):
        shown = [row | {"rate": row["mhz"] * row["products_per_cycle"] / 1000} for row in members]
        scatter(axis, shown, "luts", "rate", True)
        axis.set_title(title)
        axis.set_xlabel("LUTs")
        axis.set_ylabel("products per second, 10⁹")
    save(figure, path)


def draw_error(rows: dict[str, list[dict]], path: Path) -> None:
    """Relative error of the golden results against LUTs, a panel per fabric."""
    figure, axes = figure_of(5 * len(rows), 4, len(rows))
    for axis, (title, members) in zip(axes, rows.items(), strict=True):
        scatter(axis, [row | {"percent": 100 * row["relative_error"]} for row in members], "luts", "percent", False)
        axis.set_title(title)
        axis.set_xlabel("LUTs")
        axis.set_ylabel("error of the results, % of their rms")
    save(figure, path)


def draw_accuracy(rows: dict[str, list[dict]], path: Path) -> None:
    """Accuracy (mean over seeds, bars its spread) against LUTs a product, a panel per fabric.

    rows: designs with `accuracy` and `spread` in percent and `luts_per_product`.
    """
    figure, axes = figure_of(5 * len(rows), 4, len(rows))
    for axis, (title, members) in zip(axes, rows.items(), strict=True):
        scatter(axis, members, "luts_per_product", "accuracy", True)
        for row in members:
            axis.errorbar(
                row["luts_per_product"], row["accuracy"], row["spread"], color=MARKS[family(row)][1], lw=0.8, capsize=2
            )
        axis.set_title(title)
        axis.set_xlabel("LUTs a product, in an 8 × 8 array")
        axis.set_ylabel("top-1 accuracy, %")
    save(figure, path)
