"""β of every layer over images, by the RTL and by torch, as a picture."""

from pathlib import Path

from asq_model.common.files import atomic_write
from sim.reports.adaptation import AdaptationRow

COLUMNS = 3


def draw_betas(rows: list[AdaptationRow], path: Path, title: str) -> None:
    """Draw the rows of `sim.reports.adaptation` as a PNG, the same bytes for the same rows. Raises InputError."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = -(-len(rows) // COLUMNS)
    figure = Figure(figsize=(4 * COLUMNS, 2.4 * lines + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(lines, COLUMNS, squeeze=False).flatten()
    for axis, row in zip(axes, rows, strict=False):
        images = range(len(row["torch_betas"]))
        axis.plot(images, row["torch_betas"], "o", mfc="none", color="tab:blue", label="torch")
        axis.plot(images, row["rtl_betas"], ".", color="tab:red", markersize=3, label="RTL")
        worst = max(abs(a / b - 1) for a, b in zip(row["rtl_betas"], row["torch_betas"], strict=True))
        axis.set_title(f"{row['layer']}: apart at most {worst:.1e}", fontsize=9)
        axis.tick_params(labelsize=7)
    for axis in axes[len(rows) :]:
        axis.set_axis_off()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2, fontsize=8, frameon=False)
    figure.supxlabel("image", fontsize=9)
    figure.supylabel("β", fontsize=9)
    figure.suptitle(title, fontsize=10)
    atomic_write(path, lambda temporary: figure.savefig(temporary, format="png", dpi=100, metadata={"Software": None}))
