"""When each instruction of an engine's two programs is done, from reset to the last image.

The rules are those of `hw.engine.sequencer` and of `Engine.coordinate`: a program fetches an instruction, meets the
other where it has to, leaves the instruction out if its image is not there, waits for an image that is coming in, and
works as long as the compiler says. Images are offered without a pause, and results taken at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod

from asq_model.spec.graph.graph import Graph
from hw.engine.compiler.compiled import Compiled
from hw.engine.compiler.cycles import LOAD_DELAY, idle_cycles, send_cycles
from hw.engine.compiler.instructions import Instruction
from hw.engine.compiler.schedule import program_of
from hw.engine.program import Kind, array_layout, program_words, value_layout

BEGUN_DELAY = 2  # cycles from a LOAD until the program sees that its image has begun to come in


@dataclass(frozen=True)
class Event:
    """An instruction that is done: of which program, for which image (−1: for none), from which cycle to which."""

    instruction: Instruction
    is_arrays: bool
    image: int
    start: int
    cycle: int


@dataclass
class Program:
    """A program that runs: what comes next, and in which cycle it can start.

    fetch: cycles from the end of one instruction to where the next can start.
    """

    is_arrays: bool
    fetch: int
    loop: list[Instruction]
    first: list[Instruction]
    start: int
    place: int = 0

    @property
    def instruction(self) -> Instruction:
        """What can start next."""
        if self.place < len(self.first):
            return self.first[self.place]
        return self.loop[(self.place - len(self.first)) % len(self.loop)]


@dataclass
class Way:
    """The way of images through an engine. images: how many come. numbers: those of one. send: cycles in which the
    results of one leave. there: which image each bank works on.
    """

    images: int
    numbers: int
    send: int
    there: dict[int, int | None] = field(default_factory=lambda: {0: None, 1: None})
    loads: int = 0
    begun: int = 0
    full: int = 0
    begins: int = 0
    sent: int = 0

    def load(self, cycle: int) -> None:
        """Images may come in from this cycle on."""
        self.loads += 1
        self.begun, self.full = cycle + BEGUN_DELAY, cycle + self.numbers + LOAD_DELAY

    @property
    def comes(self) -> bool:
        """Whether the image that may come in does."""
        return self.loads <= self.images

    def begin(self, bank: int, cycle: int) -> int | None:
        """The cycle in which the next image's first instruction starts, or None if it is left out.

        Raises StopIteration where no image comes any more and nothing is under way.
        """
        alone = self.there[1 - bank] is None
        if not alone and not (self.comes and self.begun <= cycle):
            self.there[bank] = None
            return None
        if not self.comes:
            raise StopIteration
        self.there[bank] = self.begins
        self.begins += 1
        return max(cycle, self.full)


def programs_of(compiled: Compiled) -> tuple[Program, Program]:
    """Both programs: that of the arrays, and the other with the LOAD before its loop."""
    spec, programs = compiled.spec, []
    for is_arrays, layout in ((True, array_layout(spec)), (False, value_layout(spec))):
        nothing = Instruction(Kind.NOTHING, "nothing", {}, idle_cycles(spec, layout))
        load = Instruction(Kind.LOAD, "the first image", {"begins": 1}, idle_cycles(spec, layout))
        fetch = program_words(spec, layout) + 2
        loop = program_of(compiled.slots, is_arrays, nothing)
        programs.append(Program(is_arrays, fetch, loop, [] if is_arrays else [load], fetch))
    return programs[0], programs[1]


def run_instruction(program: Program, way: Way) -> Event | None:
    """Run a program's next instruction, or leave it out."""
    instruction, cycle = program.instruction, program.start
    bank = instruction.fields.get("bank", 0)
    image = way.there[bank]
    begins = bool(instruction.fields.get("begins"))
    start: int | None = cycle
    if instruction.kind == Kind.COLLECT and begins:
        start = way.begin(bank, cycle)
        image = way.there[bank]
    elif image is None and not begins and instruction.kind != Kind.NOTHING:
        start = None
    program.place += 1
    if start is None:
        program.start = cycle + 1 + program.fetch
        return None
    if instruction.kind == Kind.LOAD:
        way.load(start)
    if instruction.kind == Kind.FINISH or instruction.fields.get("writes_results"):
        start = max(start, way.sent)
    if instruction.kind == Kind.FINISH:
        way.sent = start + way.send
    program.start = start + instruction.cycles
    end = program.start - program.fetch - 1
    return Event(instruction, program.is_arrays, -1 if image is None else image, start, end)


def predict_events(compiled: Compiled, graph: Graph, images: int) -> Iterator[Event]:
    """Every instruction of a run, those of one program in order. images: how many are offered."""
    channels, rows, columns = graph.result.shape
    way = Way(images, prod(graph.input.shape), send_cycles(compiled.spec, channels, rows * columns))
    programs = programs_of(compiled)
    while True:
        for program in programs:  # up to where they meet
            while not program.instruction.fields.get("meets"):
                if (event := run_instruction(program, way)) is not None:
                    yield event
        met = max(program.start for program in programs)
        for program in programs:
            program.start = met
            try:
                event = run_instruction(program, way)
            except StopIteration:
                return
            if event is not None:
                yield event
