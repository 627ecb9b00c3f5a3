"""The pictures of a sweep: Pareto plots, a panel for each target, width and form of which something can be drawn."""

from collections.abc import Callable
from pathlib import Path

from sim.explore.design_rows import DesignRow
from sim.measure.fpga_families import DEVICES, FPGA_FAMILIES
from sim.reports.hardware_plots import ERROR, THROUGHPUT, draw_error, draw_throughput


def group_panels(rows: list[DesignRow], targets: dict[str, str]) -> dict[str, list[DesignRow]]:
    """Group the rows of a sweep by panel: designs of one width and form on one target, which alone can be compared.

    targets: titles by name. A panel for each target side by side, a line of them for each width and form.
    """
    return {
        f"{title}, {widths[0]} × {widths[1]} bits, {form}": [
            row for row in rows if (row.widths, row.form, row.target) == (widths, form, target)
        ]
        for widths, form in dict.fromkeys((row.widths, row.form) for row in rows)
        for target, title in targets.items()
    }


def draw_swept(
    rows: list[DesignRow],
    titles: dict[str, str],
    drawn: Callable[[dict[str, list[DesignRow]], Path, str, int], None],
    path: Path,
    title: str,
) -> None:
    """Draw rows of a sweep, a line of panels for each width and form; without rows, no picture stays.

    titles: of targets. drawn: draws the panels. title: of the picture.
    """
    drawn_targets = {target: title for target, title in titles.items() if any(row.target == target for row in rows)}
    if rows:
        panels = {title: members for title, members in group_panels(rows, drawn_targets).items() if members}
        drawn(panels, path, title, len(drawn_targets))
    else:
        path.unlink(missing_ok=True)  # of an earlier sweep


def draw_sweep(rows: list[DesignRow], targets: list[str], out: Path) -> None:
    """Pareto plots of a sweep, a panel for each target, width and form of which something can be drawn."""
    devices = {target: DEVICES[target].title for target in targets if target in DEVICES}
    families = {target: FPGA_FAMILIES[target].title for target in targets if target in FPGA_FAMILIES}
    placed = [row for row in rows if row.mhz is not None]
    counted = [row for row in rows if row.luts is not None]
    draw_swept(placed, devices, draw_throughput, out / "throughput.svg", THROUGHPUT)
    draw_swept(counted, families, draw_error, out / "error.svg", ERROR)
