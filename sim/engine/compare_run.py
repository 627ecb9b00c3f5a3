"""Comparing an engine's run with the graph and with the predicted cycles: a line for each thing that differs."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from asq_model.spec.graph.graph import Graph
from asq_model.spec.graph.tensor import Trace
from hw.engine.compiler.compiled import Compiled
from hw.engine.compiler.run_programs import Event, run_programs
from sim.engine.compare_words import compare_codes, compare_values
from sim.engine.expected_words import expect_codes, expect_values, shape_codes
from sim.engine.run_engine import ARRAYS, VALUES, EngineLog


@dataclass(frozen=True)
class Executed:
    """An instruction that was done, as predicted, and in which cycle it was; what it wrote."""

    event: Event
    cycle: int
    values: list[int] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)

    @property
    def start(self) -> int:
        """The cycle in which it began to work."""
        return self.cycle - (self.event.cycle - self.event.start)

    @property
    def late(self) -> int:
        """By how many cycles it was later than predicted."""
        return self.cycle - self.event.cycle

    def __str__(self) -> str:
        instruction = self.event.instruction
        return f"image {self.event.image}, {instruction.kind.name} {instruction.name}:"


def compare_run(
    compiled: Compiled, graph: Graph, images: np.ndarray, log: EngineLog, sample: int, stalls: bool = False
) -> list[str]:
    """Compare what an engine did with images with what it should have done: a line for each difference.

    Compared are all results and classes, when every instruction of both programs was done, and of the first `sample`
    images each stored value and code. stalls: images or results were waited for, so that times are not compared.
    """
    lines = list(compare_results(graph, images, log, compiled.spec.total_bits))
    events = list(run_programs(compiled.spec, graph, compiled.programs, len(images)))
    executed, differences = follow_programs(events, log)
    lines += differences
    if not stalls:
        lines += compare_cycles(executed)
        lines += find_missing(events, log)
    if sample:
        lines += assign_words(executed, log, sample)
        trace = Trace(keep=True)
        graph(images[:sample], trace)
        for one in executed:
            if 0 <= one.event.image < sample:
                lines += compare_stored(compiled, graph, trace, one)
    return lines


def results_of(log: EngineLog, total_bits: int) -> tuple[np.ndarray, np.ndarray]:
    """The results that came out, int64, and whether each was marked as its image's last."""
    words = np.array([word for _, word in log.results], object)
    values = words & (1 << total_bits) - 1
    signed = values - (values >> total_bits - 1 << total_bits) if len(words) else values
    return signed.astype(np.int64), (words >> total_bits & 1).astype(bool)


def compare_results(graph: Graph, images: np.ndarray, log: EngineLog, total_bits: int) -> Iterator[str]:
    """Compare the results of all images, their order, the mark of the last, and the classes."""
    _, rows, columns = graph.result.shape
    wanted = graph(images).transpose(0, 2, 3, 1).reshape(len(images), -1)  # channels of a pixel after each other
    size = wanted.shape[1]
    if log.error is not None:
        yield f"the engine stopped with an error in cycle {log.error}"
    results, last = results_of(log, total_bits)
    if len(results) != wanted.size:
        yield f"{len(results)} results came out in {log.cycles} cycles; the graph has {wanted.size}"
    whole = len(results) // size
    found = results[: whole * size].reshape(whole, size)
    marks = last[: whole * size].reshape(whole, size)
    for image in range(whole):
        differ = np.flatnonzero(found[image] != wanted[image])
        if len(differ):
            place = int(differ[0])
            seen = f"{found[image, place]}, in the graph {wanted[image, place]}"
            yield f"image {image}: result {place} is {seen} ({len(differ)} of {size} differ)"
        if rows * columns == 1 and (own := found[image].argmax()) != (right := wanted[image].argmax()):
            yield f"image {image}: class {own}, in the graph {right}"
        if marks[image].tolist() != [False] * (size - 1) + [True]:
            yield f"image {image}: `last` is with results {np.flatnonzero(marks[image]).tolist()}, not with the last"


def find_missing(events: list[Event], log: EngineLog) -> Iterator[str]:
    """Find programs of which fewer instructions were done than should be: a line for each."""
    for letter in (ARRAYS, VALUES):
        wanted = sum(event.is_arrays == (letter == ARRAYS) and event.cycle < log.cycles for event in events)
        done = len(log.done[letter])
        if done < wanted:
            yield f"program {letter}: {done} instructions were done in {log.cycles} cycles, predicted {wanted}"


def follow_programs(events: list[Event], log: EngineLog) -> tuple[list[Executed], list[str]]:
    """Match the instructions that were done with the predicted ones: those that match, by cycle; a line for others."""
    executed, lines = [], []
    for letter in (ARRAYS, VALUES):
        wanted = [event for event in events if event.is_arrays == (letter == ARRAYS)]
        for number, ((cycle, kind), event) in enumerate(zip(log.done[letter], wanted, strict=False)):
            one = Executed(event, cycle)
            if kind != event.instruction.kind:
                lines.append(f"{one} instruction {number} of program {letter} is of kind {kind}")
                break
            executed.append(one)
    return sorted(executed, key=lambda one: one.cycle), lines


def compare_cycles(executed: list[Executed]) -> Iterator[str]:
    """Compare cycles with the predicted ones: a line for each instruction that is not as late as the one before it."""
    before = 0
    for one in executed:
        if one.late != before:
            yield f"{one} done in cycle {one.cycle}, predicted {one.event.cycle}; before it {before:+} cycles"
        before = one.late


def assign_words(executed: list[Executed], log: EngineLog, sample: int) -> list[str]:
    """Assign each word that was made to the instruction that was at work; a line if there is none or more than one.

    Words count as long as an image of the sample is under way.
    """
    lines = []
    last = max((one.cycle for one in executed if 0 <= one.event.image < sample), default=0)
    for part, uses in (("values", "finisher"), ("codes", "quantiser")):
        programs = [[one for one in executed if one.event.is_arrays == is_arrays] for is_arrays in (True, False)]
        ends = [[one.cycle for one in program] for program in programs]
        foreign = 0
        for cycle, word in getattr(log, part):
            places = [bisect_left(end, cycle) for end in ends]
            now = [program[place] for program, place in zip(programs, places, strict=True) if place < len(program)]
            makers = [one for one in now if one.start <= cycle and uses in one.event.instruction.uses]
            if len(makers) == 1:
                getattr(makers[0], part).append(word)
            elif cycle <= last:
                foreign += 1
        if foreign:
            lines.append(
                f"{foreign} words of {part} were made while no instruction, or more than one, makes such words"
            )
    return lines


def compare_stored(compiled: Compiled, graph: Graph, trace: Trace, one: Executed) -> Iterator[str]:
    """Compare the values and codes that an instruction wrote with the graph's."""
    instruction, image = one.event.instruction, one.event.image
    kept = bool(instruction.fields.get("writes_results"))
    if kept or instruction.fields.get("writes_values"):
        channels = slice(*(instruction.channels or (None,)))
        wanted = expect_values(compiled.spec, instruction, trace.outputs[instruction.tensor][image][channels])
        yield from compare_values(compiled, f"{one} value", one.values, wanted, kept)
    if instruction.layer:
        codes = shape_codes(graph, instruction.tensor, instruction.layer, trace, image)
        wanted = expect_codes(compiled, instruction, codes)
        yield from compare_codes(compiled, f"{one} code", one.codes, wanted)
