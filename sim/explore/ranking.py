"""Rows of measured designs set against each other: the best of a group, ratios, and which are on the Pareto front.

A ratio is of groups that are complete: where a design that could be the best was not measured, there is none.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

from sim.explore.design import is_for
from sim.explore.design_rows import Description, DesignRow
from sim.explore.design_space import choose_placings, list_designs
from sim.explore.measure_design import Task, describe_task
from sim.measure.fpga_families import DEVICES

# `post-three-halves` has 3/2 in place of √2. `post-sorted` needs its terms in an order of its own, so it is told apart.
POST = ("post", "post-three-halves", "post-exact", "post-sorted")


@dataclass(frozen=True)
class Gain:
    """Our best design's products per second and LUT over their best one's."""

    ratio: float
    ours: DesignRow
    theirs: DesignRow


def is_post(row: Description) -> bool:
    """Whether a design is one of POST's: its levels are powers of √2, or in their place 3/2 between powers of two."""
    return row.unit in POST


def is_alone(row: Description) -> bool:
    """A POST design that takes its terms in any order."""
    return is_post(row) and row.unit != "post-sorted"


def is_sorted(row: Description) -> bool:
    """Whether a POST design wants the terms of a dot product in an order of its own."""
    return row.unit == "post-sorted"


def is_rival(row: Description) -> bool:
    """Whether a design is a uniform one that takes a cycle for a product: what POST is compared with."""
    return row.rival


def is_serial(row: Description) -> bool:
    """Whether a design is the bit-serial multiplier."""
    return row.unit == "serial"


def select_group(rows: Iterable[DesignRow], widths: tuple[int, int], form: str, target: str) -> list[DesignRow]:
    """The rows of one width, form and target, without multiplier blocks."""
    return [row for row in rows if row.widths == widths and (row.form, row.target, row.dsp) == (form, target, False)]


@cache
def list_compared(widths: tuple[int, int], form: str, target: str) -> tuple[tuple[Description, bool], ...]:
    """List (description, whether it is placed) of all designs that are compared at a width, in a form, on a target."""
    return tuple(
        (describe_task(Task(design, target, ())), target in DEVICES and choose_placings(design, 1) > 0)
        for design in list_designs(widths, form)
        if is_for(design, target)
    )


def is_complete(
    rows: Iterable[DesignRow], widths: tuple[int, int], form: str, target: str, wanted: Callable[[Description], bool]
) -> bool:
    """Whether every `wanted` design that is compared there was measured: LUTs, and a clock where it is placed."""
    measured = {row.name: row for row in select_group(rows, widths, form, target)}
    wanted_designs = [(design.name, placed) for design, placed in list_compared(widths, form, target) if wanted(design)]
    return all(
        name in measured and measured[name].luts is not None and (measured[name].mhz is not None or not placed)
        for name, placed in wanted_designs
    )


def find_best(rows: Iterable[DesignRow], wanted: Callable[[DesignRow], bool]) -> DesignRow | None:
    """The row with the most products per second and LUT (on a target without a clock: per LUT), None without one."""
    candidates = [row for row in rows if wanted(row) and row.per_lut is not None]
    return max(candidates, key=lambda row: row.per_lut or 0.0, default=None)


def find_best_rival(rows: Iterable[DesignRow], widths: tuple[int, int], form: str, target: str) -> DesignRow | None:
    """The best uniform design of a group, None unless all of them were measured."""
    return (
        find_best(select_group(rows, widths, form, target), is_rival)
        if is_complete(rows, widths, form, target, is_rival)
        else None
    )


def compute_gain(
    rows: list[DesignRow],
    widths: tuple[int, int],
    form: str,
    target: str,
    ours: Callable[[Description], bool],
    theirs: Callable[[Description], bool] = is_rival,
) -> Gain | None:
    """What our best design of a group gains over their best; None, not measured, unless all of both were."""
    if not all(is_complete(rows, widths, form, target, wanted) for wanted in (ours, theirs)):
        return None
    members = select_group(rows, widths, form, target)
    our_best, their_best = find_best(members, ours), find_best(members, theirs)
    if our_best is None or their_best is None or our_best.per_lut is None or their_best.per_lut is None:
        return None
    return Gain(our_best.per_lut / their_best.per_lut, our_best, their_best)


def find_front(points: list[tuple[float, float]]) -> list[int]:
    """Indices of the Pareto front, both numbers to be small: no other point is as small in both and smaller in one."""
    return [
        index
        for index, (x, y) in enumerate(points)
        if not any(u <= x and v <= y and (u, v) != (x, y) for u, v in points)
    ]


def find_recommended(
    rows: Iterable[DesignRow], target: str, widths: tuple[int, int], error: float, form: str
) -> DesignRow | None:
    """Find the best design of a target, form and width whose relative error is at most `error`."""
    return find_best(select_group(rows, widths, form, target), lambda row: row.relative_error <= error)
