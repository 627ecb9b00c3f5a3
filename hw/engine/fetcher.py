"""Reads the instructions of a program one after the other, and checks them, ahead of when they are needed."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.asq.layouts import index_shape
from hw.engine.engine_spec import EngineSpec
from hw.engine.program import ARRAY_KINDS, Kind, compute_checksum, program_words
from hw.engine.row_writer import RowWriter, Section, serve
from hw.engine.stored_bits import expand, places_of


def instruction_of(spec: EngineSpec, layout: data.StructLayout, stored: Value) -> Value:
    """An instruction, of its stored bits."""
    return stored if isinstance(places_of(spec, layout), range) else Cat(expand(spec, layout, stored))


class Fetcher(wiring.Component):
    """Reads an instruction word by word; the last word is the checksum of those before.

        FETCH ──checksum right──► FULL ──take──► FETCH
          └──wrong──► STOP

    Members
    -------
    full : Out(1)
        The next instruction is there. take : In(1), only while it is: the one after it may be read.
    stored : Out(its stored bits), instruction : Out(its layout)
    error : Out(1)
        The program is damaged.
    """

    def __init__(
        self,
        spec: EngineSpec,
        layout: data.StructLayout,
        kinds: Sequence[Kind],
        words: Sequence[int],
        writer: RowWriter | None = None,
    ):
        self.spec, self.layout, self.kinds, self.words, self.writer = spec, layout, kinds, words, writer
        super().__init__(
            {
                "full": Out(1),
                "take": In(1),
                "stored": Out(program_words(spec, layout) * spec.word_bits),
                "instruction": Out(layout),
                "error": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        port = self.add_program(m).read_port()
        size = program_words(self.spec, self.layout)
        address, place = Signal(index_shape(self.spec.depths.program)), Signal(range(size + 2))
        empty = compute_checksum(self.spec, [])
        total = Signal(self.spec.word_bits, init=empty)
        m.d.comb += [
            port.addr.eq(address),
            self.instruction.eq(instruction_of(self.spec, self.layout, self.stored)),
        ]
        with m.FSM():
            with m.State("FETCH"):
                self.fetch(m, port.data, address, place, total)
            with m.State("FULL"):
                m.d.comb += self.full.eq(1)
                m.d.sync += [place.eq(0), total.eq(empty)]
                with m.If(self.take):
                    m.next = "FETCH"
                    with m.If(self.instruction.jumps):
                        m.d.sync += address.eq(self.instruction.next)
            with m.State("STOP"):
                m.d.comb += self.error.eq(1)
        return m

    def add_program(self, m: Module) -> Memory:
        """Add the memory of the program's words."""
        depth = max(self.spec.depths.program, 2)
        m.submodules.program = program = Memory(shape=unsigned(self.spec.word_bits), depth=depth, init=self.words)
        serve(m, self.writer, Section.ARRAY_PROGRAM if self.kinds == ARRAY_KINDS else Section.VALUE_PROGRAM, program)
        return program

    def fetch(self, m: Module, word: Value, address: Signal, place: Signal, total: Signal) -> None:
        """Read an instruction, and check it.

        word: at the address of the cycle before. place: of the word that is addressed. total: the checksum so far.
        """
        word_bits, size = self.spec.word_bits, program_words(self.spec, self.layout)
        m.d.sync += place.eq(place + 1)
        with m.If(place <= size):
            m.d.sync += address.eq(address + 1)
        with m.If(place == size + 1):
            m.next = "FULL"
            known = Cat(self.instruction.kind == kind for kind in self.kinds).any()
            with m.If((word != total) | ~known):
                m.next = "STOP"
        with m.Elif(place.any()):
            m.d.sync += self.stored.eq(Cat(self.stored, word) >> word_bits)
            m.d.sync += total.eq(total.rotate_left(1) ^ word)
