"""The round of a network's instructions that takes the fewest cycles, of all orders that are tried."""

from collections.abc import Sequence
from dataclasses import dataclass

from hw.engine.compiler.build import Build
from hw.engine.compiler.compile_ends import make_image_fields
from hw.engine.compiler.conflicts import Conflicts, Turn
from hw.engine.compiler.instructions import Banks, Instruction
from hw.engine.compiler.move_bundles import shorten_round
from hw.engine.compiler.overlap import find_releases
from hw.engine.compiler.round_times import Timed, images_end, time_round
from hw.engine.compiler.schedule import Program, list_orders, make_programs, mark_arrivals
from hw.engine.program import Kind


@dataclass(frozen=True)
class TimedRound:
    """Two programs, the order that they are in, and when their instructions start."""

    order: Sequence[Turn]
    programs: tuple[Program, Program]
    timed: list[Timed]
    period: int


def find_best_round(build: Build, banks: Banks | None, order: Sequence[Turn]) -> TimedRound:
    """Make the two programs in `order`; if that is empty, in the order whose round takes the fewest cycles."""
    marked, first = mark_arrivals(build.instructions), list_first_instructions(build)
    conflicts = Conflicts(marked)
    found = find_releases(build.spec, marked) if build.spec.reads_ahead else {}

    def time_order(turns: Sequence[Turn]) -> TimedRound:
        programs = make_programs(marked, conflicts, banks, first, found, turns)
        return TimedRound(turns, programs, *time_round(build.spec, build.graph, programs))

    def cycles_of(turns: Sequence[Turn]) -> int:
        return time_order(turns).period

    def ends(turns: Sequence[Turn]) -> bool:
        return images_end(build.spec, build.graph, time_order(turns).programs)

    if not order:
        tried = sorted(list_orders(marked, conflicts, 2 if banks else 1), key=cycles_of)
        order = shorten_round(marked, conflicts, next(filter(ends, tried)), cycles_of, ends)
    return time_order(order)


def list_first_instructions(build: Build) -> tuple[Instruction, Instruction]:
    """List what the arrays' program and the other do once: nothing, and the LOAD of the first image."""
    nothing = Instruction(Kind.NOTHING, "nothing", {"kind": int(Kind.NOTHING)}, 0)
    load = {"kind": int(Kind.LOAD), "begins": 1, **make_image_fields(build)}
    return nothing, Instruction(Kind.LOAD, "the first image", load, 0)
