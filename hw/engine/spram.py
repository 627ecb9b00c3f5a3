"""Weights in iCE40 UltraPlus' single-port RAM: 16,384 words of 16 bits each, which no bitstream fills."""

from pathlib import Path

from amaranth.hdl import ClockSignal, Const, Instance, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from asq_model.common.errors import InputError
from hw.asq.layouts import index_shape
from hw.engine.row_writer import RowWriter, Section

WORDS, WORD_BITS = 1 << 14, 16
MOST_BLOCKS = 4  # of a device
MODEL = Path(__file__).with_suffix(".v")  # of the cell, to simulate it


class SpramWeights(wiring.Component):
    """A memory of weights out of SB_SPRAM256KA, side by side; read with a clock, written while the engine is in reset.

    Members
    -------
    address : In
    data : Out(a row of weights), a cycle later
    """

    def __init__(self, writer: RowWriter):
        self.writer, self.size = writer, writer.sizes[Section.WEIGHTS]
        blocks = -(-self.size.bits // WORD_BITS)
        if blocks > MOST_BLOCKS or self.size.rows > WORDS:
            has = f"{self.size.rows} rows of {self.size.bits} bits"
            raise InputError(f"weights are {has}; allowed in SPRAM: {WORDS} rows of {MOST_BLOCKS * WORD_BITS} bits")
        super().__init__({"address": In(index_shape(self.size.rows)), "data": Out(self.size.bits)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        writes, address = Signal(), Signal(range(WORDS))
        m.d.comb += writes.eq(self.writer.is_chosen(Section.WEIGHTS))
        m.d.comb += address.eq(Mux(writes, self.writer.row.address, self.address))
        contents = self.writer.contents(Section.WEIGHTS)
        for number, low in enumerate(range(0, self.size.bits, WORD_BITS)):
            word = Signal(WORD_BITS, name=f"word_{number}")
            part = Signal(WORD_BITS, name=f"part_{number}")
            m.d.comb += [part.eq(contents[low : low + WORD_BITS]), self.data[low : low + WORD_BITS].eq(word)]
            m.submodules[f"block_{number}"] = Instance(
                "SB_SPRAM256KA",
                i_ADDRESS=address,
                i_DATAIN=part,
                i_MASKWREN=Const(0xF, 4),
                i_WREN=writes,
                i_CHIPSELECT=Const(1, 1),
                i_CLOCK=ClockSignal(),
                i_STANDBY=Const(0, 1),
                i_SLEEP=Const(0, 1),
                i_POWEROFF=Const(1, 1),  # active low
                o_DATAOUT=word,
            )
        return m
