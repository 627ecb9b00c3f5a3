"""When each instruction of an engine's two programs is done, from reset to the last image.

The rules are those of `hw.engine.sequencer` and `hw.engine.coordinate`: a program has its next instruction fetched
meanwhile, waits for as many of the other program's as it has to, leaves the instruction out if its image is not there,
waits for an image that is coming in or for room for results, and works as long as the compiler says. The arrays' next
one may start while the results of the one before are still written, or its own codes. Images are offered without a
pause, and results taken at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod

from asq_model.spec.graph.graph import Graph
from hw.engine.compiler.cycles import (
    BEGUN_DELAY,
    ENDED,
    LOAD_DELAY,
    LOADED,
    SEEN,
    count_fetch_cycles,
    count_send_cycles,
)
from hw.engine.compiler.instructions import Instruction
from hw.engine.compiler.schedule import Program
from hw.engine.engine_spec import EngineSpec
from hw.engine.program import Kind, array_layout, value_layout


@dataclass(frozen=True)
class Event:
    """An instruction that is done: of which program, in which of its rounds (−1: before them), for which image (−1: for
    none), from which cycle to which.
    """

    instruction: Instruction
    is_arrays: bool
    round: int
    image: int
    start: int
    cycle: int


@dataclass
class RunningProgram:
    """A program that runs: what comes next, and in which cycle it can start at the earliest.

    fetch: cycles from where an instruction can start to where the next can; from its end, if that is not read `ahead`.
    ended: the cycle in which each one so far was done, released or left out; done: in which the last that was not left
    out was done. taken: how many of the other program's it has waited for. there: the image of each bank.
    """

    program: Program
    is_arrays: bool
    fetch: int
    start: int
    ahead: bool
    place: int = 0
    taken: int = 0
    done: int = 0
    ended: list[int] = field(default_factory=list)
    there: dict[int, int | None] = field(default_factory=lambda: {0: None, 1: None})

    @property
    def instruction(self) -> Instruction:
        """What can start next."""
        loop = self.program.loop
        return loop[(self.place - 1) % len(loop)] if self.place else self.program.first

    @property
    def rounds(self) -> int:
        """Rounds that are done; −1 before the first."""
        return (self.place - 1) // len(self.program.loop)

    def is_ready(self, other: "RunningProgram") -> bool:
        """Whether the other program has done what the next instruction waits for."""
        return self.taken + self.instruction.fields.get("after", 0) <= len(other.ended)

    def wait(self, other: "RunningProgram") -> None:
        """Wait for the other program's instructions."""
        self.taken += self.instruction.fields.get("after", 0)
        if self.taken > 0:
            self.start = max(self.start, other.ended[self.taken - 1] + 1)

    def skip(self, start: int, loaded: int) -> None:
        """Leave the instruction out. loaded: the cycle in which it could start at the earliest."""
        self.ended.append(start)
        self.start = max(start + LOADED, loaded + self.fetch) if self.ahead else start + 1 + self.fetch

    def work(self, start: int, loaded: int) -> None:
        """Do the instruction. loaded: the cycle in which it could start at the earliest."""
        idle = start + self.instruction.busy + SEEN
        self.done = idle + self.instruction.flush + ENDED
        released = self.instruction.fields.get("released", 0)
        self.ended.append(start + released if released else self.done)
        if self.ahead:
            self.start = max(idle + LOADED if self.is_arrays else self.done + 1, loaded + self.fetch)
        else:
            self.start = self.done + 1 + self.fetch


@dataclass
class Arrivals:
    """The images that come in. numbers: of an image; count: images, or None for no end.

    there: which image each bank has, as far as instructions that begin with one know.
    """

    numbers: int
    count: int | None
    there: dict[int, int | None] = field(default_factory=lambda: {0: None, 1: None})
    loads: int = 0
    begun: int = 0
    full: int = 0
    begins: int = 0

    def load(self, cycle: int) -> None:
        """An image may come in from this cycle on."""
        self.loads += 1
        self.begun, self.full = cycle + BEGUN_DELAY, cycle + self.numbers + LOAD_DELAY

    @property
    def comes(self) -> bool:
        """Whether the image that may come in does."""
        return self.count is None or self.loads <= self.count

    @property
    def ends(self) -> bool:
        """Whether an instruction that begins would wait for ever: nothing is under way and nothing comes."""
        return not self.comes and all(image is None for image in self.there.values())

    def begin(self, bank: int, cycle: int) -> int | None:
        """The cycle in which an instruction that begins starts, or None if it is left out."""
        if any(image is not None for image in self.there.values()) and not (self.comes and self.begun <= cycle):
            self.there[bank] = None
            return None
        self.there[bank] = self.begins
        self.begins += 1
        return max(cycle, self.full)


@dataclass
class BothPrograms:
    """Both programs, and the images and results between them. send: cycles in which the results of an image leave."""

    runs: tuple[RunningProgram, RunningProgram]
    arrivals: Arrivals
    send: int
    sent: int = 0

    def image_of(self, run: RunningProgram, instruction: Instruction) -> int | None:
        """The image that an instruction is for, or None if it is not there."""
        bank = instruction.fields.get("bank", 0)
        if instruction.fields.get("enters"):
            run.there[bank] = self.arrivals.there[bank]
        return self.arrivals.there[bank] if instruction.kind == Kind.LOAD else run.there[bank]

    def step(self, run: RunningProgram) -> Event | None:
        """Do a program's next instruction, or leave it out; the other has done what it waits for."""
        instruction, loaded = run.instruction, run.start
        run.wait(self.runs[run.is_arrays])
        start: int | None = run.start
        image: int | None = -1
        if instruction.begins:
            bank = instruction.fields.get("bank", 0)
            start = self.arrivals.begin(bank, run.start)
            image = self.arrivals.there[bank]
        elif run.place:
            image = self.image_of(run, instruction)
            start = None if image is None else start
        number = run.rounds
        if start is None or image is None:
            run.skip(max(run.start, run.done + 1) if run.is_arrays else run.start, loaded)
            run.place += 1
            return None
        if run.is_arrays:
            start = max(start, run.done - instruction.fields.get("early", 0))
        if instruction.kind == Kind.LOAD:
            self.arrivals.load(start)
        if instruction.kind == Kind.FINISH or instruction.fields.get("writes_results"):
            start = max(start, self.sent)
        if instruction.kind == Kind.FINISH:
            self.sent = start + self.send
        run.work(start, loaded)
        run.place += 1
        return Event(instruction, run.is_arrays, number, image, start, run.done)

    def run(self) -> Iterator[Event]:
        """Every instruction, those of one program in order, until both wait for ever."""
        while True:
            moved = False
            for run, other in (self.runs, self.runs[::-1]):
                while run.is_ready(other) and not (run.instruction.begins and self.arrivals.ends):
                    moved = True
                    if (event := self.step(run)) is not None:
                        yield event
            if not moved:
                return


def run_programs(
    spec: EngineSpec, graph: Graph, programs: tuple[Program, Program], images: int | None
) -> Iterator[Event]:
    """Every instruction of a run, those of one program in order. images: how many are offered; None: without an end."""
    channels, rows, columns = graph.result.shape
    fetches = (count_fetch_cycles(spec, layout) for layout in (array_layout(spec), value_layout(spec)))
    arrays, values = (
        RunningProgram(program, is_arrays, fetch, fetch, spec.reads_ahead)
        for program, is_arrays, fetch in zip(programs, (True, False), fetches, strict=True)
    )
    send = count_send_cycles(spec, channels, rows * columns)
    return BothPrograms((arrays, values), Arrivals(prod(graph.input.shape), images), send).run()
