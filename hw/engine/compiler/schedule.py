"""When the instructions of one image, or of two, run: slots, in which both programs run and at whose start they meet.

One image: the instructions in order, each run of instructions of one program in a slot of its own. Two images, whose
instructions fall into K stages, first of values, then of the arrays:

    slot    0     1     2     3     4        2K−1
    values  X₀    Y₀    X₁    Y₁    X₂   …   Y₍K₋₁₎
    arrays  Y₍K₋₁₎ X₀    Y₀    X₁    Y₁   …   X₍K₋₁₎

What both would use at the same time gets slots one after the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hw.engine.compiler.instructions import Banks, Instruction
from hw.engine.program import Kind

Part = Sequence[Instruction]


@dataclass(frozen=True)
class Slot:
    """What both programs do between two meetings."""

    arrays: Part
    values: Part


def stages_of(instructions: Part) -> list[tuple[list[Instruction], list[Instruction]]]:
    """An image's instructions in stages: those of values, then those of the arrays."""
    stages: list[tuple[list[Instruction], list[Instruction]]] = []
    for instruction in instructions:
        if not stages or (stages[-1][1] and not instruction.is_arrays):
            stages.append(([], []))
        stages[-1][instruction.is_arrays].append(instruction)
    return stages


def slots_of(arrays: Part, values: Part) -> list[Slot]:
    """One slot for both, or one for each where they would use the same thing."""
    uses = [set().union(*(instruction.uses for instruction in part)) for part in (arrays, values)]
    if uses[0] & uses[1]:
        return [Slot(arrays, ()), Slot((), values)]
    return [Slot(arrays, values)]


def schedule(instructions: Part, banks: Banks | None) -> list[Slot]:
    """The slots that are run again and again: of one image, or where there are banks of two."""
    stages = stages_of(instructions)
    if banks is None:
        return [
            slot
            for values, arrays in stages
            for slot in (Slot((), values), Slot(arrays, ()))
            if slot.arrays or slot.values
        ]
    slots = []
    for number, (values, arrays) in enumerate(stages):
        before = stages[number - 1][1]
        moved = [
            [banks.moved(instruction, bank) for instruction in part]
            for part, bank in ((before, 1), (values, 0), (arrays, 0), (values, 1))
        ]
        slots += slots_of(moved[0], moved[1]) + slots_of(moved[2], moved[3])
    return slots


def program_of(slots: Sequence[Slot], arrays: bool, nothing: Instruction) -> list[Instruction]:
    """One of the two programs: the slots' parts, each beginning with a meeting; the last jumps to the first."""
    program: list[Instruction] = []
    for slot in slots:
        first, *others = (slot.arrays if arrays else slot.values) or [nothing]
        program += [replace(first, fields={**first.fields, "meets": 1}), *others]
    program[-1] = replace(program[-1], fields={**program[-1].fields, "jumps": 1})
    return program


@dataclass(frozen=True)
class Timed:
    """An instruction with the cycle in which it starts, from the beginning of a round of all slots."""

    instruction: Instruction
    start: int


@dataclass
class Clocks:
    """The time of both programs while slots run one after the other.

    load: cycles for an image to come in. loaded: when the image that comes in is whole. send: cycles for results to
    go out, if they are taken at once. sent: when they have.
    """

    load: int
    send: int
    now: int = 0
    loaded: int = 0
    sent: int = 0

    def run(self, slot: Slot, nothing: tuple[int, int]) -> list[Timed]:
        """Run a slot; `now` is then the next meeting. nothing: cycles of a part that has no instruction."""
        timed, ends = [], []
        for part, cost in zip((slot.arrays, slot.values), nothing, strict=True):
            time = self.now
            for instruction in part:
                if instruction.kind == Kind.COLLECT and instruction.fields.get("begins"):
                    time = max(time, self.loaded)
                if instruction.kind == Kind.FINISH or instruction.fields.get("writes_results"):
                    time = max(time, self.sent)
                if instruction.kind == Kind.LOAD:
                    self.loaded = time + self.load
                if instruction.kind == Kind.FINISH:
                    self.sent = time + self.send
                timed.append(Timed(instruction, time))
                time += instruction.cycles
            ends.append(time if part else time + cost)
        self.now = max(ends)
        return timed


def time_slots(slots: Sequence[Slot], clocks: Clocks, nothing: tuple[int, int]) -> tuple[list[Timed], int]:
    """When each instruction starts while images come in one after the other, and the cycles of a round."""
    for _ in range(3):  # the second round waits for no first image any more
        begin = clocks.now
        timed = [each for slot in slots for each in clocks.run(slot, nothing)]
    return [Timed(each.instruction, each.start - begin) for each in timed], clocks.now - begin
