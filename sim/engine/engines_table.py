"""The table of engines for one device and one width, and what POST reaches beside the others."""

from collections.abc import Iterator
from statistics import mode

from asq_model.common.markdown import format_markdown_table
from sim.engine.engines_report import UNIFORM, EngineRow, title_of

MEGAHERTZ = 100  # at which rates are given where nothing was placed
COUNTED = (
    ("lane", "LUTs a product"),
    ("luts", "LUTs"),
    ("ffs", "flip-flops"),
    ("dsps", "multiplier blocks"),
    ("blocks", "memory blocks"),
)
RATES = (("rate", f"images/s at {MEGAHERTZ} MHz"), ("density", "images/s a MHz and 1,000 LUTs"))
PLACED_RATES = (
    ("clock", "MHz, placed"),
    ("rate", "images/s"),
    ("density", "images/s a MHz and 1,000 LUTs"),
    ("placed density", "images/s a 1,000 LUTs"),
)


def group_rows(rows: list[EngineRow]) -> Iterator[tuple[str, int, int, list[EngineRow]]]:
    """Group the rows of a page by one FPGA family and one width, as they stand: family, both widths, rows."""
    groups: dict[tuple[str, int, int], list[EngineRow]] = {}
    for row in rows:
        groups.setdefault((row.family, row.weight_bits, row.activation_bits), []).append(row)
    for (family, weights, activations), found in groups.items():
        yield family, weights, activations, found


def find_main_preset(rows: list[EngineRow]) -> str:
    """Find the preset of most rows."""
    return mode(row.preset for row in rows)


def compute_merit(row: EngineRow, placed: bool) -> float:
    """What engines are compared by: images a second and LUT, at the clock of each or at one clock for all."""
    return row.placed_density if placed and row.placed_density is not None else row.density


def columns_of(placed: bool) -> tuple[tuple[str, str], ...]:
    """Keys and titles of a table of engines that were placed, or of others."""
    return (
        ("products", "products"),
        ("cycles", "cycles an image"),
        ("latency", "latency"),
        ("busy", "products busy"),
        ("first", "cycles a tile of the first layer"),
        *COUNTED,
        *(PLACED_RATES if placed else RATES),
        ("over", "over uniform"),
        ("switching", "switching a weight"),
        ("accuracy", "top-1, %"),
        ("simulated", "images in RTL"),
        ("network", "network"),
    )


def are_placed(rows: list[EngineRow]) -> bool:
    """Whether every row has a clock, by which rows are then compared."""
    return all(row.placed for row in rows)


def make_engines_table(rows: list[EngineRow]) -> str:
    """Make the table of one device and one width, in Markdown."""
    placed = are_placed(rows)
    usual = find_main_preset(rows)
    rival = next((row for row in rows if is_rival(row) and row.preset == usual), None)
    lines = []
    for row in rows:
        rate = row.placed_rate if placed else MEGAHERTZ * 1e6 / row.cycles
        over = None if rival is None else compute_merit(row, placed) / compute_merit(rival, placed)
        lines.append(
            {
                "products": title_of(row, usual),
                "cycles": f"{row.cycles:,.1f}",
                "latency": f"{row.latency:,}",
                "busy": f"{row.busy:.0%}",
                "first": f"{row.first_layer} ({row.any_first_layer})",
                "lane": f"{row.area.lane.luts * row.lanes / row.products:.1f}",
                "luts": f"{row.luts:,}",
                "ffs": f"{row.total.ffs:,}",
                "dsps": f"{row.total.dsps:,}",
                "blocks": f"{row.total.memories if row.placed else row.blocks:,}",
                "clock": f"{row.placed.megahertz:.1f} ({len(row.placed.clocks)})" if row.placed else "",
                "rate": f"{rate:,.0f}",
                "density": f"{row.density:.2f}",
                "placed density": f"{compute_merit(row, placed):.1f}",
                "over": "not measured" if over is None else f"{over:.2f}",
                "switching": "not measured" if row.switching is None else f"{row.switching:.0f}",
                "accuracy": f"{100 * row.right / row.tested:.2f}",
                "simulated": f"{row.simulated}",
                "network": f"`{row.network}`",
            }
        )
    return format_markdown_table(lines, columns_of(placed))


def is_rival(row: EngineRow) -> bool:
    """Whether a row is an engine of whole uniform products, which the others are compared with."""
    return row.unit == UNIFORM and not row.serial


def find_best_post(rows: list[EngineRow]) -> EngineRow | None:
    """POST's best engine of a device and a width; None without any."""
    placed = are_placed(rows)
    return max((row for row in rows if row.unit == "post"), key=lambda row: compute_merit(row, placed), default=None)


def compare_engines(rows: list[EngineRow]) -> list[str]:
    """How many times each other engine of a device and a width POST's best one reaches, in words; empty without both.

    In images a second and LUT, as `compute_merit` has it.
    """
    best = find_best_post(rows)
    if best is None:
        return []
    placed, usual = are_placed(rows), find_main_preset(rows)
    return [
        f"{compute_merit(best, placed) / compute_merit(row, placed):.2f} times `{title_of(row, usual)}`"
        for row in rows
        if row.unit != "post"
    ]
