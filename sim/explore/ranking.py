"""Rows of measured designs set against each other: the best of a group, ratios, and which are on the Pareto front.

A ratio is of groups that are complete: where a design that could be the best was not measured, there is none.
"""

from collections.abc import Callable, Iterable
from functools import cache

from sim.explore.design_space import designs, placings
from sim.explore.measure_design import Task, description
from sim.measure.nextpnr_clock import DEVICES

# Designs whose weights are powers of √2. `post-sorted` needs its terms in an order of its own, so it is told apart.
POST = ("post", "post-three-halves", "post-exact", "post-sorted")


def is_post(row: dict) -> bool:
    return row["unit"] in POST


def is_alone(row: dict) -> bool:
    """A POST design that takes its terms in any order."""
    return is_post(row) and row["unit"] != "post-sorted"


def is_sorted(row: dict) -> bool:
    return row["unit"] == "post-sorted"


def is_rival(row: dict) -> bool:
    return row["rival"]


def is_serial(row: dict) -> bool:
    return row["unit"] == "serial"


def widths_of(row: dict) -> tuple[int, int]:
    """(weight bits, activation bits)."""
    return row["weight_bits"], row["activation_bits"]


def group(rows: Iterable[dict], widths: tuple[int, int], form: str, target: str) -> list[dict]:
    """The rows of one width, form and target, without multiplier blocks."""
    return [
        row
        for row in rows
        if widths_of(row) == tuple(widths) and (row["form"], row["target"], row["dsp"]) == (form, target, False)
    ]


@cache
def compared_designs(widths: tuple[int, int], form: str, target: str) -> tuple[tuple[dict, bool], ...]:
    """(description, whether it is placed) of all designs that are compared at a width, in a form, on a target."""
    return tuple(
        (description(Task(design, target, ())), target in DEVICES and placings(design, 1) > 0)
        for design in designs(widths, form)
    )


def complete(
    rows: Iterable[dict], widths: tuple[int, int], form: str, target: str, wanted: Callable[[dict], bool]
) -> bool:
    """Whether every design that is compared there, of those that are `wanted`, has its figures: LUTs, and a clock where
    it is placed."""
    found = {row["name"]: row for row in group(rows, widths, form, target)}
    return all(
        about["name"] in found and "luts" in found[about["name"]] and ("mhz" in found[about["name"]] or not placed)
        for about, placed in compared_designs(tuple(widths), form, target)
        if wanted(about)
    )


def best(rows: Iterable[dict], wanted: Callable[[dict], bool]) -> dict | None:
    """The row with the most products per second and LUT (on a target without a clock: per LUT), None without one."""
    return max((row for row in rows if wanted(row) and "per_lut" in row), key=lambda row: row["per_lut"], default=None)


def best_rival(rows: Iterable[dict], widths: tuple[int, int], form: str, target: str) -> dict | None:
    """The best uniform design of a group, None unless all of them were measured."""
    return best(group(rows, widths, form, target), is_rival) if complete(rows, widths, form, target, is_rival) else None


def gain(
    rows: list[dict],
    widths: tuple[int, int],
    form: str,
    target: str,
    ours: Callable[[dict], bool],
    theirs: Callable[[dict], bool] = is_rival,
) -> tuple[float, dict, dict] | None:
    """(ratio, our best row, their best row) of a group; None, not measured, unless all of both were."""
    if not all(complete(rows, widths, form, target, wanted) for wanted in (ours, theirs)):
        return None
    members = group(rows, widths, form, target)
    our_best, their_best = best(members, ours), best(members, theirs)
    return (our_best["per_lut"] / their_best["per_lut"], our_best, their_best) if our_best and their_best else None


def front(points: list[tuple[float, float]]) -> list[int]:
    """Indices of the points that no other is below in one number and not above in the other; both are to be small."""
    return [
        index
        for index, (x, y) in enumerate(points)
        if not any(u <= x and v <= y and (u, v) != (x, y) for u, v in points)
    ]


def recommended(rows: Iterable[dict], target: str, widths: tuple[int, int], error: float, form: str) -> dict | None:
    """The best design of a target, form and width with no larger relative error."""
    return best(group(rows, widths, form, target), lambda row: row["relative_error"] <= error)
