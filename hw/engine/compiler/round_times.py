"""What a run of both programs says of them: the cycles of a round, the latency, and whether every image ends."""

from dataclasses import dataclass

from asq_model.spec.graph.graph import Graph
from hw.engine.compiler.instructions import Instruction
from hw.engine.compiler.run_programs import Event, run_programs
from hw.engine.compiler.schedule import Program
from hw.engine.engine_spec import EngineSpec
from hw.engine.program import Kind

MOST_ROUNDS = 16  # in which the time of a round becomes constant


@dataclass(frozen=True)
class Timed:
    """An instruction with the cycle of a round in which it starts."""

    instruction: Instruction
    start: int


def time_round(spec: EngineSpec, graph: Graph, programs: tuple[Program, Program]) -> tuple[list[Timed], int]:
    """When each instruction of a round starts while images come in one after the other, and the cycles of a round."""
    events: list[list[Event]] = [[] for _ in range(MOST_ROUNDS + 2)]
    size = sum(len(program.loop) for program in programs)
    period, before = 0, events[0]
    for event in run_programs(spec, graph, programs, None):
        events[event.round].append(event)
        now = events[event.round]
        if event.round > 0 and len(now) == size:
            apart = {
                b.start - a.start
                for a, b in zip(order_events(events[event.round - 1]), order_events(now), strict=False)
            }
            period, before = max(apart), now
            if (len(apart) == 1 and len(events[event.round - 1]) == size) or event.round == MOST_ROUNDS:
                break
    begin = min(event.start for event in before)
    return [Timed(event.instruction, (event.start - begin) % period) for event in order_events(before)], period


def order_events(events: list[Event]) -> list[Event]:
    """Events of a round, the arrays' first, those of a program in order."""
    return sorted(events, key=lambda event: not event.is_arrays)


def images_end(spec: EngineSpec, graph: Graph, programs: tuple[Program, Program]) -> bool:
    """Whether all images come to their end without others behind them.

    With the last image, an instruction that begins in the image's bank finds none and is left out; the next one that
    begins waits for an image. What is left of the last must not wait for that. Three images end in either bank.
    """
    for images in (1, 2, 3):
        events = run_programs(spec, graph, programs, images)
        if sum(event.instruction.kind == Kind.FINISH for event in events) != images:
            return False
    return True


def compute_latency(spec: EngineSpec, graph: Graph, programs: tuple[Program, Program]) -> int:
    """Compute the cycles of an image that is alone, from its last number to its results, which then go out."""
    events = list(run_programs(spec, graph, programs, 1))
    begin = next(event.start for event in events if event.instruction.begins)
    return max(event.cycle for event in events if event.instruction.kind == Kind.FINISH) + 1 - begin
