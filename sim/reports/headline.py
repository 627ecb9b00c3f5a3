"""What README says was found, and its picture: made from the rows of the hardware page, never typed."""

import io
from collections.abc import Iterator
from pathlib import Path

from asq_model.common.files import write_text
from sim.explore.design_rows import DesignRow
from sim.explore.design_space import FULL_WIDTHS
from sim.measure.fpga_families import FPGA_FAMILIES
from sim.reports.colours import INK, PAPER
from sim.reports.titles import SHORT, TITLES, widths_text
from sim.reports.verdict import AIMS, ARRAY, NOT_MEASURED, compute_gains, is_alone, is_post, ratio_of

BLOCK = "hardware"  # of README
PICTURE = "headline.svg"
HEADLINE = "POST's 8 × 8 arrays over the best uniform ones"  # what the picture shows, in words
# What README shows: a form and its widths, and which POST designs count.
SHOWN = (*((ARRAY, widths, is_post) for widths in AIMS), ("mac", FULL_WIDTHS, is_alone))
BAR_STEP, BAR_WIDTH = 0.38, 0.36  # of the distance between two families
POST_COLOUR, UNIFORM_COLOUR = "#c2410c", "#2563eb"


def compare_best(rows: list[DesignRow]) -> Iterator[tuple[str, dict[str, float | None]]]:
    """What is compared, and POST's best over uniform's best on each FPGA family; None where it is not measured."""
    for form, widths, which in SHOWN:
        by_family = compute_gains(rows, widths, form, FPGA_FAMILIES, which)
        ratios = {family: ratio_of(gain) for family, gain in by_family.items()}
        yield f"{TITLES[form]}, {widths_text(widths)}", ratios


def render_findings(rows: list[DesignRow]) -> str:
    """Tell in a sentence in how many comparisons POST's best design is ahead of uniform's best, and how far."""
    ratios = [ratio for _, by_family in compare_best(rows) for ratio in by_family.values()]
    measured = [ratio for ratio in ratios if ratio is not None]
    missing = f"\n{len(ratios) - len(measured)} more were {NOT_MEASURED}." if len(measured) < len(ratios) else ""
    if not measured:
        return f"POST's products a second and LUT beside uniform's: {NOT_MEASURED}.\n"
    won = f"{sum(ratio > 1 for ratio in measured)} of {len(measured)}"
    span = f"{min(measured):.2f} to {max(measured):.2f} times"
    return (
        f"In products a second and LUT (an FPGA's look-up table), POST is {span} the best uniform design\nthat we can"
        f" build, and ahead of it in {won} comparisons; those in LUT6 have no clock.{missing}\n"
    )


def draw_headline(rows: list[DesignRow], out: Path) -> None:
    """Write the picture of README as SVG: bars beside a line at 1, on white, so that it reads on a dark page too."""
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams["svg.fonttype"] = "path"
    matplotlib.rcParams["svg.hashsalt"] = "asq"  # the same bytes for the same rows
    groups = [(what, gains) for what, gains in compare_best(rows) if what.startswith(TITLES[ARRAY])]
    figure = Figure(figsize=(5.5, 3.3), layout="constrained", facecolor="white")
    figure.patch.set_gid(PAPER)
    axis = figure.subplots()
    axis.patch.set_alpha(0)
    axis.tick_params(colors=INK)
    for spine in axis.spines.values():
        spine.set_color(INK)
    for index, (what, gains) in enumerate(groups):
        known = [(place, gain) for place, gain in enumerate(gains.values()) if gain is not None]
        across = [place + (index - 0.5) * BAR_STEP for place, _ in known]
        label = what.rpartition(", ")[2]
        bars = axis.bar(
            across, [gain for _, gain in known], BAR_WIDTH, label=label, color=POST_COLOUR, alpha=1 - 0.45 * index
        )
        axis.bar_label(bars, fmt="%.2f", fontsize=9, color=("white", INK)[index], label_type="center")
        for place, gain in enumerate(gains.values()):
            if gain is None:
                x = place + (index - 0.5) * BAR_STEP
                axis.text(x, 0.03, NOT_MEASURED, rotation=90, ha="center", va="bottom", fontsize=8, color=INK)
    axis.axhline(1, color=UNIFORM_COLOUR, label="best uniform array")
    axis.set_xlim(-0.5, len(FPGA_FAMILIES) - 0.5)
    axis.set_xticks(range(len(FPGA_FAMILIES)), [SHORT[family] for family in FPGA_FAMILIES])
    axis.set_ylabel("products per second and LUT,\nover the best uniform array", fontsize=9, color=INK)
    axis.set_title("POST's best 8 × 8 array (LUT6: per LUT, no clock)", fontsize=10, color=INK)
    figure.legend(fontsize=9, loc="outside lower center", ncols=3, frameon=False, labelcolor=INK)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    write_text(out, buffer.getvalue())
