"""What the hardware page concludes: ratios over rivals, and whether an aim is met, missed or not measured.

A conclusion is made of outcomes, one for each group that an aim is for. A group that was not measured whole has no
ratio, and its outcome is "not measured".
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from statistics import mean
from typing import NamedTuple

from sim.explore.design_rows import Description, DesignRow
from sim.explore.design_space import FORMS, FULL_WIDTHS, WIDTHS
from sim.explore.ranking import Gain, compute_gain, is_alone, is_post, is_rival, is_serial, is_sorted, list_compared
from sim.measure.fpga_families import DEVICES, FPGA_FAMILIES
from sim.reports.titles import SHORT, TITLES, widths_text

AIMS = {(4, 4): 1.25, (4, 8): 1.6}  # products per second and LUT, over the best uniform rival
ARRAY = "array8x8"  # what the aims are for
MET, MISSED, NOT_MEASURED = "met", "missed", "not measured"


Gains = dict[str, Gain | None]  # by FPGA family; None: not measured


def judge_ratio(ratio: float | None, aim: float) -> str:
    """Whether an aim is met by this ratio; None: the ratio is not known."""
    if ratio is None:
        return NOT_MEASURED
    return MET if ratio >= aim else MISSED


def list_outcomes(outcomes: Iterable[tuple[str, str]]) -> str:
    """A sentence for each kind of outcome, such as `Met: a, b. Missed: c.`, of pairs (name, outcome)."""
    names: dict[str, list[str]] = {state: [] for state in (MET, MISSED, NOT_MEASURED)}
    for name, state in outcomes:
        names[state].append(name)
    return " ".join(f"{state.capitalize()}: {', '.join(members)}." for state, members in names.items() if members)


def describe_ratios(by_target: Gains) -> str:
    """Gains by target in words, such as `1.05 on iCE40, not measured on ECP5`."""
    return ", ".join(
        f"{NOT_MEASURED if value is None else f'{value.ratio:.2f}'} on {SHORT[target]}"
        for target, value in by_target.items()
    )


def compute_gains(
    rows: list[DesignRow],
    widths: tuple[int, int],
    form: str,
    targets: Iterable[str],
    ours: Callable[[Description], bool],
    theirs: Callable[[Description], bool] = is_rival,
) -> Gains:
    """Compute POST's gain, as `compute_gain` does, for each target."""
    return {target: compute_gain(rows, widths, form, target, ours, theirs) for target in targets}


def ratio_of(value: Gain | None) -> float | None:
    """The ratio of a gain; None where it is not measured."""
    return None if value is None else value.ratio


def describe_range(values: Iterable[float | None]) -> str:
    """The least and the largest of what was measured, such as `0.95 to 1.05 times`."""
    measured = [value for value in values if value is not None]
    if not measured:
        return f"({NOT_MEASURED}) times"
    return f"{' to '.join(dict.fromkeys(f'{value:.2f}' for value in (min(measured), max(measured))))} times"


def count_met(outcomes: Iterable[tuple[str, str]]) -> str:
    """How many aims are met, such as `met in 2 of 4 comparisons, 1 not measured`."""
    states = [state for _, state in outcomes]
    missing = states.count(NOT_MEASURED)
    if missing == len(states):
        return NOT_MEASURED
    return f"met in {states.count(MET)} of {len(states) - missing} comparisons" + (
        f", {missing} {NOT_MEASURED}" if missing else ""
    )


def compute_array_gains(rows: list[DesignRow]) -> dict[tuple[int, int], Gains]:
    """Compute POST's best array over uniform's best, by width and FPGA family: what the aims are for."""
    return {widths: compute_gains(rows, widths, ARRAY, FPGA_FAMILIES, is_post) for widths in AIMS}


def judge_outcomes(
    gains_by_width: dict[tuple[int, int], Gains], aims: Mapping[tuple[int, int], float]
) -> list[tuple[str, str]]:
    """Judge what is compared of each width and target."""
    return [
        (f"{widths_text(widths)} on {SHORT[target]}", judge_ratio(ratio_of(value), aims[widths]))
        for widths, by_target in gains_by_width.items()
        for target, value in by_target.items()
    ]


def judge_folds(rows: list[DesignRow]) -> list[tuple[str, str]]:
    """Judge, as `judge_outcomes` does, the paper's B-fold: at B bits of a weight the aim is B."""
    folds = compute_serial_gains(rows)
    return judge_outcomes(folds, {widths: widths[0] for widths in folds})


def describe_aims() -> str:
    """Describe the aims in words, such as `1.25 at 4 × 4 bits and 1.6 at 4 × 8 bits`."""
    return " and ".join(f"{aim} at {widths_text(widths)}" for widths, aim in AIMS.items())


class Verdict(NamedTuple):
    """What the page concludes, in the words that its sentences take.

    aims: of arrays. arrays, alone: how many times uniform's products POST's array and its unit by itself make.
    alone_widths: of that unit. met, folds_met: how many of the aims, and of the paper's B-folds, are met. outcomes,
    fold_outcomes: which ones are met, missed and not measured, by name.
    """

    aims: str
    arrays: str
    met: str
    outcomes: str
    alone_widths: str
    alone: str
    folds_met: str
    fold_outcomes: str


def judge_aims(rows: list[DesignRow]) -> Verdict:
    """How far ahead POST's array is, what a unit alone is worth, and which aims are met."""
    arrays = compute_array_gains(rows)
    alone = compute_gains(rows, FULL_WIDTHS, "mac", FPGA_FAMILIES, is_alone)
    outcomes, folds = judge_outcomes(arrays, AIMS), judge_folds(rows)
    return Verdict(
        aims=describe_aims(),
        arrays=describe_range(ratio_of(value) for by_target in arrays.values() for value in by_target.values()),
        met=count_met(outcomes),
        outcomes=list_outcomes(outcomes),
        alone_widths=widths_text(FULL_WIDTHS),
        alone=describe_range(map(ratio_of, alone.values())),
        folds_met=count_met(folds),
        fold_outcomes=list_outcomes(folds),
    )


def list_post_widths(form: str) -> list[tuple[int, int]]:
    """List the widths at which POST designs are compared."""
    return [widths for widths in WIDTHS if any(is_post(design) for design, _ in list_compared(widths, form, "xc7"))]


def compute_serial_gains(rows: list[DesignRow]) -> dict[tuple[int, int], Gains]:
    """Compute POST's best unit over the bit-serial multiplier, by width and device: what the paper's B-fold is of."""
    return {
        widths: compute_gains(rows, widths, "mac", DEVICES, is_alone, is_serial) for widths in list_post_widths("mac")
    }


def describe_serial_ratios(rows: list[DesignRow]) -> list[tuple[str, int, str]]:
    """Describe POST's best unit over the bit-serial multiplier, for each width: widths, aim and ratios in words."""
    return [
        (widths_text(widths), widths[0], describe_ratios(by_target))
        for widths, by_target in compute_serial_gains(rows).items()
    ]


GAIN_COLUMNS = (
    ("what", "weights × activations"),
    ("aim", "aim"),
    ("ice40", "iCE40"),
    ("ecp5", "ECP5"),
    ("xc7", "LUT6 (no clock)"),
    ("sorted", "sorted terms: iCE40, ECP5, LUT6"),
)


def list_gains(rows: list[DesignRow]) -> Iterator[dict[str, str]]:
    """A line for each width and form of which something was measured: POST's best over uniform's best."""
    measured = {(row.widths, row.form) for row in rows}
    for widths in WIDTHS:
        for form in FORMS:
            if (widths, form) not in measured or widths not in list_post_widths(form):
                continue
            line = {"what": f"{widths[0]} × {widths[1]}, {TITLES[form].lower()}"}
            for target, value in compute_gains(rows, widths, form, FPGA_FAMILIES, is_alone).items():
                pair = f"{value.ratio:.2f}: {value.ours.title} over {value.theirs.title}" if value else NOT_MEASURED
                line[target] = pair
            line["aim"] = f"{AIMS[widths]:.2f}" if widths in AIMS else "–"
            line["sorted"] = "–"
            if any(is_sorted(design) for design, _ in list_compared(widths, form, "xc7")):
                of_sorted = compute_gains(rows, widths, form, FPGA_FAMILIES, is_sorted).values()
                line["sorted"] = ", ".join(f"{value.ratio:.2f}" if value else NOT_MEASURED for value in of_sorted)
            yield line


def compute_placing_spread(rows: list[DesignRow]) -> str:
    """Compute how far the best of a design's placings lies above their median; empty without placings."""
    parts = []
    for target in DEVICES:
        rates = [(row.mhz, row.mhz_median) for row in rows if row.target == target]
        spreads = [best / median - 1 for best, median in rates if best is not None and median is not None]
        if above := [spread for spread in spreads if spread > 0]:
            parts.append(f"{mean(above):.1%} on {SHORT[target]}, at most {max(above):.0%}")
    return "; ".join(parts)
