"""The order in which both programs do the instructions of one image or two, and what each instruction waits for.

The instructions of an image fall into K stages, first of values (V), then of the arrays (A). A round has every stage
of every image under way, that of a bank followed by one of the other bank, m stages ahead:

    bank 0   V₀ A₀         V₁ A₁           …   V₍K₋₁₎ A₍K₋₁₎
    bank 1         Vₘ Aₘ           V₍m₊₁₎ A₍m₊₁₎  …

Each program has its own instructions in this order, and goes on as soon as it can: an instruction waits only for those
of the other program that come before it and that it depends on, or with which it shares a part of the engine. The
next image may be read while the last layers of the one before it in its bank are at work.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hw.engine.compiler.conflicts import Conflicts, Turn
from hw.engine.compiler.instructions import Banks, Instruction, Place
from hw.engine.compiler.overlap import find_early_starts, time_releases
from hw.engine.program import Kind

MOST_AHEAD = 8  # distances of two images that are tried
ARRIVAL = Place("arrival")  # whether there is an image, as an instruction that begins finds out


@dataclass(frozen=True)
class Program:
    """What a program does once, and then again and again."""

    first: Instruction
    loop: tuple[Instruction, ...]


def mark_arrivals(instructions: Sequence[Instruction]) -> list[Instruction]:
    """Mark the first instruction of each program that looks whether the image is there."""
    marked = [replace(each, writes=(*each.writes, ARRIVAL)) if each.begins else each for each in instructions]
    for arrays in (True, False):
        users = (n for n, each in enumerate(marked) if each.is_arrays == arrays and not each.begins)
        number = next((n for n in users if marked[n].kind != Kind.LOAD), None)
        if number is not None:
            fields = {**marked[number].fields, "enters": 1}
            marked[number] = replace(marked[number], fields=fields, reads=(*marked[number].reads, ARRIVAL))
    return marked


def count_entry(instructions: Sequence[Instruction]) -> int:
    """Count the instructions that read the image: those up to the LOAD of the next."""
    return 1 + next(number for number, each in enumerate(instructions) if each.kind == Kind.LOAD)


def split_stages(numbers: Sequence[int], is_arrays: Sequence[bool]) -> list[list[int]]:
    """Split an image's instructions into stages, each a list of their numbers; another image follows it."""
    starts = [place for place, number in enumerate(numbers) if not is_arrays[number] and is_arrays[numbers[place - 1]]]
    ends = [*starts[1:], starts[0] + len(numbers)]
    return [
        [numbers[place % len(numbers)] for place in range(start, end)] for start, end in zip(starts, ends, strict=True)
    ]


def list_orders(instructions: Sequence[Instruction], conflicts: Conflicts, banks: int) -> Iterator[list[Turn]]:
    """Every order of a round that is tried. banks: images under way."""
    entry = count_entry(instructions)
    is_arrays = [each.is_arrays for each in instructions]
    others = range(entry, len(instructions))
    needed = np.flatnonzero(conflicts.rows[:entry, entry:].any(0))  # by what reads the next image, or the other way
    earliest = int(needed.max(initial=-1)) + 1
    parts = [n for n in range(1, len(others)) if is_arrays[others[n]] != is_arrays[others[n - 1]]]
    places = {earliest, len(others)} | {place for place in parts[-2:] if place > earliest}
    for place in sorted(places, reverse=True):
        numbers = [*others[:place], *range(entry), *others[place:]]
        yield from interleave(split_stages(numbers, is_arrays), banks)


def interleave(stages: Sequence[Sequence[int]], banks: int) -> Iterator[list[Turn]]:
    """The turns of a round, for each distance of its two images that is tried."""
    count = len(stages)
    for ahead in range(0, count, -(-count // MOST_AHEAD)) if banks > 1 else [0]:
        yield [
            Turn(number, bank)
            for place in range(count)
            for bank, stage in enumerate([stages[place], stages[(place + ahead) % count]][:banks])
            for number in stage
        ]


def count_waits(conflict: np.ndarray, is_arrays: np.ndarray, mine: bool) -> tuple[list[int], int]:
    """Count how many more of the other program's instructions each instruction of a program waits for.

    Returned with them: how many of these are left out in the first round, since no round is before it.
    conflict: which turns may not be at work together. is_arrays: which are the arrays'. mine: the program's.
    """
    own, other = np.flatnonzero(is_arrays == mine), np.flatnonzero(is_arrays != mine)
    count = len(other)
    order = np.arange(1, count + 1)
    meets, earlier = conflict[np.ix_(own, other)], own[:, None] > other
    needed = np.where(meets, np.where(earlier, order, order - count), -count).max(1)
    least = int(needed.max()) - count
    reached = np.maximum.accumulate(np.maximum(needed, least))
    return np.diff(reached, prepend=least).tolist(), -least


def make_program(
    instructions: Sequence[Instruction],
    banks: Banks | None,
    turns: Sequence[Turn],
    first: Instruction,
    waits: list[int],
    lead: int,
    overlaps: Sequence[Mapping[str, int]],
) -> Program:
    """Make one of the two programs. turns: its own; waits: of each, and `lead`, as `count_waits` has them; overlaps:
    the fields of each that say so.
    """
    loop = []
    for turn, after, overlap in zip(turns, waits, overlaps, strict=True):
        instruction = instructions[turn.number]
        moved = banks.move_to(instruction, turn.bank) if banks else instruction
        loop.append(replace(moved, fields={**moved.fields, "after": after, **overlap}))
    loop[-1] = replace(loop[-1], fields={**loop[-1].fields, "jumps": 1})
    # What the other program does once counts, too.
    return Program(replace(first, fields={**first.fields, "after": 1 - lead}), tuple(loop))


def make_programs(
    marked: Sequence[Instruction],
    conflicts: Conflicts,
    banks: Banks | None,
    first: tuple[Instruction, Instruction],
    found: Mapping[int, tuple[int, int]],
    turns: Sequence[Turn],
) -> tuple[Program, Program]:
    """The arrays' program and the other, in an order. marked: with arrivals. first: what each does once. found: what
    layers need not wait for, as `find_releases` has it.
    """
    is_arrays = np.array([marked[turn.number].is_arrays for turn in turns])
    conflict = conflicts.find_conflicts(turns)
    programs = []
    for mine, once in zip((True, False), first, strict=True):
        own = [turn for turn, arrays in zip(turns, is_arrays, strict=True) if arrays == mine]
        overlaps = (
            find_early_starts(marked, conflicts, own) if mine else time_releases(found, turns, conflict, is_arrays)
        )
        programs.append(make_program(marked, banks, own, once, *count_waits(conflict, is_arrays, mine), overlaps))
    return programs[0], programs[1]
