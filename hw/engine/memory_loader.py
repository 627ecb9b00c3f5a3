"""The loader of memories: words of 32 bits, as `hw.engine.load_words` makes them, become rows of memories."""

from contextlib import AbstractContextManager

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.crc import Processor
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from hw.engine.row_writer import LOAD_BITS, Section, Size, row_layout

ROW_COUNT_BITS = 24  # of a section's number of rows
END = 0  # the section that is none: a checksum follows


class MemoryLoader(wiring.Component):
    """Takes words after `begin`, and writes rows.

        begin ─► NUMBER ─► SECTION ─► ROWS ─► SECTION … ─► CHECKSUM ─► whole
                    └──────────┴─── what is not right ────────┴──────► damaged

    Members
    -------
    begin : In(1), in a cycle without a word
        A network is to be loaded: `whole` is 0 until all of it is there and its checksum is right.
    valid : In(1), word : In(LOAD_BITS), expects : Out(1)
        Words that come while none is expected are left out.
    rows : Out(`row_layout`)
    whole, damaged : Out(1)
        The memories hold a network; at first that of the bitstream, unless `filled` is false. What came is not for this
        engine, or was changed on its way; more words are left out until the next `begin`.
    """

    def __init__(self, sizes: dict[Section, Size], number: int, filled: bool = True, interval: int = 1):
        self.sizes, self.number, self.filled, self.interval = sizes, number, filled, interval
        super().__init__(
            {
                "begin": In(1),
                "valid": In(1),
                "word": In(LOAD_BITS),
                "expects": Out(1),
                "rows": Out(row_layout(sizes)),
                "whole": Out(1, init=int(filled)),
                "damaged": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.checksum = checksum = CRC32_ISO_HDLC(LOAD_BITS // self.interval).create()
        m.d.comb += checksum.start.eq(self.begin)
        if self.interval == 1:
            m.d.comb += [checksum.data.eq(self.word), checksum.valid.eq(self.valid)]
        else:
            self.check_slowly(m, checksum)
        rows, most = self.rows, max(size.words for size in self.sizes.values())
        left, word, last = Signal(ROW_COUNT_BITS), Signal(range(most + 1)), Signal(range(most + 1))
        section, count = self.word[ROW_COUNT_BITS:], self.word[:ROW_COUNT_BITS]
        m.d.sync += rows.valid.eq(0)
        with m.If(rows.valid):
            m.d.sync += rows.address.eq(rows.address + 1)
        with m.If(self.begin):
            m.d.sync += [self.whole.eq(0), self.damaged.eq(0)]
        with m.FSM() as fsm:
            with m.State("IDLE"), m.If(self.begin):
                m.next = "NUMBER"
            with m.State("NUMBER"), self.next_word(m):
                m.next = "SECTION"
                with m.If(self.word != self.number):
                    self.refuse(m)
            with m.State("SECTION"), self.next_word(m):
                m.d.sync += [left.eq(count), word.eq(0), rows.address.eq(0)]
                with m.If(count.any()):
                    m.next = "ROWS"
                self.choose_memory(m, section, count, last)
            with m.State("ROWS"), self.next_word(m):
                self.fill_row(m, word, last, left)
            with m.State("CHECKSUM"), self.next_word(m):
                m.d.sync += self.whole.eq(self.word == checksum.crc)
                m.next = "IDLE"
                with m.If(self.word != checksum.crc):
                    self.refuse(m)
        m.d.comb += self.expects.eq(~fsm.ongoing("IDLE"))
        return m

    def choose_memory(self, m: Module, section: Value, count: Value, last: Signal) -> None:
        """Begin a memory's rows, or go on to the checksum. last: the number of a row's last word."""
        with m.Switch(section):
            with m.Case(END):
                m.next = "CHECKSUM"
            for which, size in self.sizes.items():
                with m.Case(which):
                    m.d.sync += [self.rows.section.eq(which), last.eq(size.words - 1)]
                    with m.If(count > size.rows):
                        self.refuse(m)
            with m.Default():
                self.refuse(m)

    def fill_row(self, m: Module, word: Signal, last: Signal, left: Signal) -> None:
        """Move a word into the row; write it with its last. left: rows of the section that are not written."""
        rows = self.rows
        m.d.sync += [rows.row.eq(Cat(rows.row, self.word)[LOAD_BITS:]), word.eq(word + 1)]
        with m.If(word == last):
            m.d.sync += [rows.valid.eq(1), word.eq(0), left.eq(left - 1)]
            with m.If(left == 1):
                m.next = "SECTION"

    def check_slowly(self, m: Module, checksum: Processor) -> None:
        """Add a part of a word a cycle to the checksum."""
        held, left = Signal(LOAD_BITS), Signal(range(self.interval + 1))
        m.d.comb += [checksum.data.eq(held), checksum.valid.eq(left.any())]
        m.d.sync += held.eq(held >> LOAD_BITS // self.interval)
        with m.If(left.any()):
            m.d.sync += left.eq(left - 1)
        with m.If(self.valid):
            m.d.sync += [held.eq(self.word), left.eq(self.interval)]

    def next_word(self, m: Module) -> AbstractContextManager[None]:
        """A state, and what to do with a word in it. `begin` leads from every state to the first."""
        with m.If(self.begin):
            m.next = "NUMBER"
        return m.Elif(self.valid)

    def refuse(self, m: Module) -> None:
        """Say that what came is damaged, and wait for the next `begin`."""
        m.d.sync += self.damaged.eq(1)
        m.next = "IDLE"
