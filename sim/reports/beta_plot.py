"""β of every layer over images, by the RTL and by torch, as a picture."""

from pathlib import Path

from asq_model.common.files import write_atomically
from sim.reports.adaptation import AdaptationRow

COLUMNS = 2  # no more, so that the text is read at 400 pixels, too


def draw_betas(rows: list[AdaptationRow], path: Path, title: str) -> None:
    """Draw the rows of `compare_steps` as a PNG, the same bytes for the same rows. Raises InputError."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = -(-len(rows) // COLUMNS)
    figure = Figure(figsize=(2.9 * COLUMNS, 1.9 * lines + 0.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(lines, COLUMNS, squeeze=False).flatten()
    for axis, row in zip(axes, rows, strict=False):
        images = range(len(row["torch_betas"]))
        axis.plot(images, row["torch_betas"], "o", mfc="none", color="tab:blue", markersize=5, label="torch")
        axis.plot(images, row["rtl_betas"], ".", color="tab:red", markersize=3, label="RTL")
        worst = max(abs(a / b - 1) for a, b in zip(row["rtl_betas"], row["torch_betas"], strict=True))
        axis.set_title(f"{row['layer']}\nat most {worst:.1e} apart", fontsize=9)
        axis.tick_params(labelsize=8)
    for axis in axes[len(rows) :]:
        axis.set_axis_off()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower right", ncols=2, fontsize=9, frameon=False)
    figure.supxlabel("image", fontsize=10)
    figure.supylabel("β", fontsize=10)
    figure.suptitle(title, fontsize=10)
    write_atomically(
        path, lambda temporary: figure.savefig(temporary, format="png", dpi=160, metadata={"Software": None})
    )
