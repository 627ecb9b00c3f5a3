"""The page that shows the paper's figures and says what they were drawn from. Free of torch."""

from math import log2
from pathlib import Path
from typing import Literal

from asq_model.common.cifar10_copy import find_yardsticks
from asq_model.common.templates import render_template
from asq_model.studies.figure_levels import MAGNIFIED, count_magnified
from asq_model.studies.figure_records import METHODS, FiguresReport, Plots, Spread
from asq_model.studies.method_names import MEANING_OF_METHODS, name_network

PAGE = Path(__file__).with_name("figures.md.j2")
NUMBERS = (1, 3, 4, 5, 6)  # of the figures in the paper
OF_NO_NETWORK = (3,)
PAPERS_LOW_BITS = 2  # of Figure 4


def list_figures(suffix: str) -> list[int]:
    """The figures of a page: all, or of a further network those that depend on a network."""
    return [number for number in NUMBERS if number not in OF_NO_NETWORK or not suffix]


def name_picture(number: int, suffix: str) -> str:
    """The file name of a figure's picture."""
    return f"figure{number}{suffix}.png"


def render_page(report: FiguresReport, suffix: str = "") -> str:
    """The page that shows the figures. suffix: at the end of the names of its pictures."""
    low, high = MAGNIFIED
    return render_template(
        PAGE,
        report=report,
        methods=MEANING_OF_METHODS,
        title=name_network(report["network"]),
        suffix=suffix,
        notes=[*filter(None, [report["note"]]), *find_yardsticks([report["data"]])],
        pictures={number: name_picture(number, suffix) for number in list_figures(suffix)},
        magnified=f"{low:.2f} to {high:.2f}",
        levels=count_magnified(),
        papers_low_bits=PAPERS_LOW_BITS,
        shown=describe_plots(report["plots"]) if "plots" in report else {},
    )


def describe_plots(plots: Plots) -> dict[int, str]:
    """Say what figures 4, 5 and 6 show, by number."""
    lsq, asq = METHODS
    entropies = {method: entropy_of(codes["shares"]) for method, codes in plots["codes"].items()}
    ratios = [two / one for one, two in zip(plots["distances"][lsq], plots["distances"][asq], strict=True)]
    nearer, blocks, layers = sum(ratio < 1 for ratio in ratios), len(ratios), len(plots["layers"])
    errors, others = plots["errors"][asq], plots["errors"][lsq]
    smaller = {
        "by rounding": count_smaller(errors["rounding"], others["rounding"]),
        "by clipping": count_smaller(errors["clipping"], others["clipping"]),
        "by both together": count_smaller(errors["whole"], others["whole"]),
    }
    used = {method: sum(share > 0 for share in codes["shares"]) for method, codes in plots["codes"].items()}
    wilder = count_smaller(others["whole"], errors["whole"], "deviations")
    better = "does" if entropies[asq] > entropies[lsq] else "does not"
    larger = count_smaller(others["whole"], errors["whole"])
    return {
        4: f"A code of {plots['codes'][asq]['layer']} carries {entropies[lsq]:.2f} bits with {lsq},"
        f" {entropies[asq]:.2f} with {asq} (its entropy); used are {used[lsq]} codes and {used[asq]}."
        f" The paper has {asq} make better use of the codes: by this measure, in this layer, it {better}.",
        5: f"{asq} is nearer to full precision than {lsq} after {nearer} of {blocks} blocks;"
        f" its distances are {min(ratios):.2f} to {max(ratios):.2f} times {lsq}'s. The paper has it nearer after each.",
        6: f"Of {layers} layers, {asq}'s error is smaller than {lsq}'s "
        + ", ".join(f"{how} in {count}" for how, count in smaller.items())
        + f". The paper has {asq}'s error above {lsq}'s in several layers, and more variable:"
        f" here it is larger in {larger} of {layers}, and varies more over images in {wilder}.",
    }


def entropy_of(shares: list[float]) -> float:
    """The entropy of codes that are used so often, in bits."""
    return sum(share * log2(1 / share) for share in shares if share)


def count_smaller(one: Spread, other: Spread, what: Literal["means", "deviations"] = "means") -> int:
    """How many layers have a smaller mean, or deviation, in the first."""
    return sum(x < y for x, y in zip(one[what], other[what], strict=True))
