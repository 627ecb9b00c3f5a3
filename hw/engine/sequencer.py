"""The sequencer: fetches, checks and starts the instructions of one program, one after the other."""

from collections.abc import Mapping, Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.asq.layouts import index_shape
from hw.engine.engine_spec import EngineSpec
from hw.engine.instruction_fields import AFTER_BITS
from hw.engine.program import ARRAY_KINDS, Kind, checksum, program_words
from hw.engine.row_writer import RowWriter, Section, serve
from hw.engine.stored_bits import expand, places_of


class Sequencer(wiring.Component):
    """Runs one of an engine's two programs.

        FETCH ──checksum right──► START ──► WORK ──all idle──► FLUSH ──► FETCH
          └──wrong──► STOP          │ waits for the other program, for the image, or for room for results
                                    └──► FETCH: an instruction for an image that is not there

    Members
    -------
    instruction : Out(its layout)
        Constant from START to the end of FLUSH.
    ready : In(1)
        What the instruction in START waits for is there, but for the other program.
    skips : In(1)
        The instruction in START is not for any image that is there. skipped : Out(1): it is left out in this cycle.
    ends : Out(1), other_ends : In(1)
        An instruction is done or left out; one of the other program is.
    starts : Out(1), with the instruction's kind. busy : In(1)
    at_work : Out(1)
        From the cycle after `starts` to the end of FLUSH.
    done : Out(1)
    error : Out(1)
    number : Out, waits : Out(1)
        Only if `counted`: which of its program's instructions is at hand; it waits in START.
    """

    def __init__(
        self,
        spec: EngineSpec,
        layout: data.StructLayout,
        kinds: Sequence[Kind],
        words: Sequence[int],
        writer: RowWriter | None = None,
        counted: bool = False,
    ):
        self.spec, self.layout, self.kinds, self.words = spec, layout, kinds, words
        self.writer, self.counted = writer, counted
        count = {"number": Out(range(instruction_count(spec, layout))), "waits": Out(1)} if counted else {}
        super().__init__(
            {
                "instruction": Out(layout),
                "ready": In(1),
                "skips": In(1),
                "skipped": Out(1),
                "ends": Out(1),
                "other_ends": In(1),
                "starts": Out(1),
                "busy": In(1),
                "at_work": Out(1),
                "done": Out(1),
                "error": Out(1),
            }
            | count
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word_bits, size = self.spec.word_bits, program_words(self.spec, self.layout)
        program = self.add_program(m)
        port = program.read_port()
        address, place = Signal(index_shape(self.spec.depths.program)), Signal(range(size + 2))
        empty = checksum(self.spec, [])
        total, packed = Signal(word_bits, init=empty), Signal(size * word_bits)
        flush = Signal.like(self.instruction.flush)
        jumped = Signal()  # the instruction at hand jumps
        places = places_of(self.spec, self.layout)
        instruction = packed if isinstance(places, range) else Cat(expand(self.spec, self.layout, packed))
        lead = Signal(signed(AFTER_BITS + 2))  # instructions of the other program that none has waited for yet
        left = Signal.like(lead)
        begins = self.starts | self.skipped
        m.d.comb += [
            port.addr.eq(address),
            self.instruction.eq(instruction),
            left.eq(lead - self.instruction.after),
            self.ends.eq(self.done | self.skipped),
        ]
        m.d.sync += lead.eq(Mux(begins, left, lead) + self.other_ends)
        with m.FSM():
            with m.State("FETCH"):
                self.fetch(m, port.data, address, place, total, packed)
            with m.State("START"):
                m.d.sync += [flush.eq(self.instruction.flush), place.eq(0), total.eq(empty)]
                self.start(m, left, begins, address, jumped)
            with m.State("WORK"):
                m.d.comb += self.at_work.eq(1)
                with m.If(~self.busy):
                    m.next = "FLUSH"
            with m.State("FLUSH"):
                m.d.comb += self.at_work.eq(1)
                m.d.sync += flush.eq(flush - 1)
                with m.If(~flush.any()):
                    m.d.comb += self.done.eq(1)
                    m.next = "FETCH"
            with m.State("STOP"):
                m.d.comb += self.error.eq(1)
        if self.counted:
            self.count(m, jumped)
        return m

    def add_program(self, m: Module) -> Memory:
        """Add the memory of the program's words."""
        depth = max(self.spec.depths.program, 2)
        m.submodules.program = program = Memory(shape=unsigned(self.spec.word_bits), depth=depth, init=self.words)
        serve(m, self.writer, Section.ARRAY_PROGRAM if self.kinds == ARRAY_KINDS else Section.VALUE_PROGRAM, program)
        return program

    def fetch(self, m: Module, word: Value, address: Signal, place: Signal, total: Signal, packed: Signal) -> None:
        """Read an instruction word by word, and check it: the last word is the checksum of those before.

        word: at the address of the cycle before. place: of the word that is addressed. total: the checksum so far.
        """
        word_bits, size = self.spec.word_bits, program_words(self.spec, self.layout)
        m.d.sync += place.eq(place + 1)
        with m.If(place <= size):
            m.d.sync += address.eq(address + 1)
        with m.If(place == size + 1):
            m.next = "START"
            known = Cat(self.instruction.kind == kind for kind in self.kinds).any()
            with m.If((word != total) | ~known):
                m.next = "STOP"
        with m.Elif(place.any()):
            m.d.sync += packed.eq(Cat(packed, word) >> word_bits)
            m.d.sync += total.eq(total.rotate_left(1) ^ word)

    def start(self, m: Module, left: Signal, begins: Value, address: Signal, jumped: Signal) -> None:
        """Start the instruction, or leave it out, when all that it waits for is there; go on to where it jumps.

        left: below zero while the other program has not done what the instruction comes after.
        """
        with m.If(left >= 0):
            with m.If(self.skips):
                m.d.comb += self.skipped.eq(1)
                m.next = "FETCH"
            with m.Elif(self.ready):
                m.d.comb += self.starts.eq(1)
                m.next = "WORK"
        with m.If(begins & self.instruction.jumps):
            m.d.sync += address.eq(self.instruction.next)
        if self.counted:
            m.d.comb += self.waits.eq(~begins)
            with m.If(begins & self.instruction.jumps):
                m.d.sync += jumped.eq(1)

    def count(self, m: Module, jumped: Signal) -> None:
        """Number the instructions. A program jumps to its second one."""
        with m.If(self.ends):
            following = Mux(
                jumped | self.skipped & self.instruction.jumps, self.instruction.next.any(), self.number + 1
            )
            m.d.sync += [self.number.eq(following), jumped.eq(0)]


def instruction_count(spec: EngineSpec, layout: data.StructLayout) -> int:
    """Instructions that fit into the memory of a program."""
    return max(spec.depths.program // (program_words(spec, layout) + 1), 2)


def start_signals(m: Module, sequencer: Sequencer) -> Mapping[Kind, Signal]:
    """A signal for each kind of instruction that a sequencer starts."""
    starts = {kind: Signal(name=f"start_{kind.name.lower()}") for kind in sequencer.kinds}
    kind = sequencer.instruction.kind
    m.d.comb += [start.eq(sequencer.starts & (kind == which)) for which, start in starts.items()]
    return starts
