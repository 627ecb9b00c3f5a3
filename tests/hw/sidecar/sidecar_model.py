"""A model of every emitted module that knows nothing but its sidecar: what to send, what must come back, and when.

It is the reader that sidecars are written for, so nothing of this project is imported here.
"""

import random
from dataclasses import dataclass
from itertools import pairwise

from formulas import cycles_of_case
from icarus_bench import Run


def field_of(sidecar: dict, port: str, *path: str) -> tuple[int, int, bool]:
    """(offset, width, signed) of a field of a port, or of the port itself."""
    row = next(row for row in sidecar["ports"] if row["name"] == port)
    offset = 0
    for name in path:
        row = next(field for field in row["fields"] if field["name"] == name)
        offset += row["offset"]
    return offset, row["width"], row["signed"]


def limits(width: int, signed: bool) -> tuple[int, int]:
    """The smallest and the largest number of so many bits."""
    return (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)


def placed(place: tuple[int, int, bool], value: int) -> int:
    """A value at its place in a word."""
    offset, width, signed = place
    low, high = limits(width, signed)
    assert low <= value <= high, f"{value} does not fit {width} bits"
    return (value & ((1 << width) - 1)) << offset


def packed(sidecar: dict, port: str, values: dict[tuple[str, ...], int]) -> int:
    """A port's word, of values by the path of their field."""
    return sum(placed(field_of(sidecar, port, *path), value) for path, value in values.items())


def payload_of(sidecar: dict, stream: str) -> str:
    return next(row["payload"] for row in sidecar["streams"] if row["name"] == stream)


def round_shift(x: int, n: int) -> int:
    return (2 * x + (1 << n)) >> n + 1


def clamp(x: int, low: int, high: int) -> int:
    return min(max(x, low), high)


@dataclass
class Plan:
    """A run, and what it must show.

    expected: words of each output stream; selected: beats that a latency counts from and to, by stream and name; timed:
    whether latencies hold (nothing waits); variables: of formulas; back_to_back: maps follow each other, so that the
    period holds; gapless: beats of `i` do, so that the interval holds.
    """

    run: Run
    expected: dict[str, list[int]]
    selected: dict[tuple[str, str], list[int]]
    timed: bool
    variables: dict[str, int]
    back_to_back: bool = False
    gapless: bool = False

    def expect(self) -> None:
        """Fill in `expected` after the run, where it depends on when beats were taken."""


def check_words(plan: Plan) -> None:
    """Raises AssertionError unless every word that came out is the expected one."""
    for stream, expected in plan.expected.items():
        found = [word for _, word in plan.run.beats(stream)]
        top = plan.run.sidecar["top"]
        assert len(found) == len(expected), f"{top}: {len(found)} beats of {stream}, expected {len(expected)}"
        wrong = [place for place, pair in enumerate(zip(found, expected, strict=True)) if pair[0] != pair[1]]
        if wrong:
            place = wrong[0]
            said = f"{len(wrong)} wrong beats of {stream}, number {place} is {found[place]:x} for {expected[place]:x}"
            raise AssertionError(f"{top}: {said}")


def cycles_of(plan: Plan, side: dict) -> list[int]:
    """Cycles at which the beats that a latency names were taken."""
    cycles = [cycle for cycle, _ in plan.run.beats(side["stream"])]
    if side["beats"] == "every":
        return cycles
    return [cycles[index] for index in plan.selected[side["stream"], side["beats"]]]


def check_timing(plan: Plan) -> None:
    """Raises AssertionError unless interval, latencies and period are the sidecar's, to the cycle."""
    sidecar, timing = plan.run.sidecar, plan.run.sidecar["timing"]
    for entry in timing["latency"] if plan.timed else ():
        cycles = entry["cycles"] if "cycles" in entry else cycles_of_case(entry["cases"], plan.variables)
        pairs = zip(cycles_of(plan, entry["from"]), cycles_of(plan, entry["to"]), strict=True)
        found = {end - start for start, end in pairs}
        assert found == {cycles}, f"{sidecar['top']}: latency of {entry['of']} is {cycles}, found {sorted(found)[:9]}"
    if plan.gapless:
        cycles = [cycle for cycle, _ in plan.run.beats("i")]
        found = {second - first for first, second in pairwise(cycles)}
        assert found <= {timing["interval"]}, f"{sidecar['top']}: interval is {timing['interval']}, found {found}"
    if plan.back_to_back:
        period = cycles_of_case(timing["period"], plan.variables)
        if "pixels" in timing["variables"]:
            period = max(period, plan.variables["words"] * plan.variables["pixels"])
        first = next(entry["to"] for entry in timing["latency"] if entry["of"] == "o")
        cycles = cycles_of(plan, first)
        found = {second - first for first, second in pairwise(cycles)}
        assert found == {period}, f"{sidecar['top']}: period is {period}, found {found}"


def check_ready(made: list[Plan]) -> None:
    """Raises AssertionError unless, in the runs of one module, `ready` followed the inputs that the sidecar names, and
    no `valid` followed any."""
    sidecar = made[0].run.sidecar
    for stream in sidecar["streams"]:
        driven = {"ready": "in", "valid": "out"}
        for part in (part for part, way in driven.items() if way == stream["direction"] and stream[part]):
            found = set().union(*(plan.run.follows(stream[part]) for plan in made))
            said = set(stream["ready_follows"]) if part == "ready" else set()
            assert found == said, f"{sidecar['top']}: {stream[part]} follows {sorted(said)}, found {sorted(found)}"


def check(plan: Plan) -> None:
    """Raises AssertionError unless the run shows what the sidecar says."""
    plan.expect()
    check_words(plan)
    check_timing(plan)


def plans(sidecar: dict, verilog, seed: int) -> list[Plan]:
    """Runs of a module, at full rate and with stalls."""
    import sidecar_block_runs
    import sidecar_products

    rng = random.Random(f"{sidecar['top']} {seed}")
    if sidecar["form"] == "mac":
        return sidecar_products.mac_plans(sidecar, verilog, rng)
    if sidecar["form"] == "array":
        return sidecar_products.array_plans(sidecar, verilog, rng)
    return sidecar_block_runs.block_plans(sidecar, verilog, rng)
