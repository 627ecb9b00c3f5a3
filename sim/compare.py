"""Rows of measured designs set against each other: the best of a group, ratios, and which are on the Pareto front."""

from collections.abc import Callable, Iterable

AIMS = {(4, 4): 1.25, (4, 8): 1.6}  # products per second and LUT, over the best uniform rival
# Designs whose weights are powers of √2. `post-sorted` needs its terms in an order of its own, so it is told apart.
POST = ("post", "post-three-halves", "post-exact", "post-sorted")


def is_post(row: dict) -> bool:
    return row["unit"] in POST


def is_rival(row: dict) -> bool:
    return row["rival"]


def group(rows: Iterable[dict], widths: tuple[int, int], form: str, target: str) -> list[dict]:
    """The rows of one width, form and target, without multiplier blocks."""
    return [
        row
        for row in rows
        if (row["weight_bits"], row["activation_bits"]) == tuple(widths)
        and (row["form"], row["target"], row["dsp"]) == (form, target, False)
    ]


def settled(rows: Iterable[dict], missing: Iterable[dict]) -> list[dict]:
    """The rows; of a group of which `missing` has a rival none counts as one, since the best is not known yet."""

    def key(row: dict) -> tuple:
        return row["weight_bits"], row["activation_bits"], row["form"], row["target"]

    open_groups = {key(row) for row in missing if is_rival(row) and not row["dsp"]}
    return [row | {"rival": is_rival(row) and key(row) not in open_groups} for row in rows]


def best(rows: Iterable[dict], wanted: Callable[[dict], bool]) -> dict | None:
    """The row with the most products per second and LUT (on a target without a clock: per LUT), None without one."""
    return max((row for row in rows if wanted(row) and "per_lut" in row), key=lambda row: row["per_lut"], default=None)


def gain(rows: list[dict], wanted: Callable[[dict], bool]) -> tuple[float, dict, dict] | None:
    """(ratio, the best wanted row, the best rival) of a group, None where one of them is missing."""
    ours, theirs = best(rows, wanted), best(rows, is_rival)
    return (ours["per_lut"] / theirs["per_lut"], ours, theirs) if ours and theirs else None


def front(points: list[tuple[float, float]]) -> list[int]:
    """Indices of the points that no other is below in one number and not above in the other; both are to be small."""
    return [
        index
        for index, (x, y) in enumerate(points)
        if not any(u <= x and v <= y and (u, v) != (x, y) for u, v in points)
    ]


def recommended(rows: Iterable[dict], target: str, weight_bits: int, error: float, form: str = "mac") -> dict | None:
    """The best design of a target and form for weights of that width, with no larger relative error."""
    fitting = [row for row in rows if (row["target"], row["form"], row["dsp"]) == (target, form, False)]
    return best(fitting, lambda row: row["weight_bits"] == weight_bits and row["relative_error"] <= error)
