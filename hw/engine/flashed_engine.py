"""An engine that stands alone on a board: weights come from its flash, images and results pass over a serial line."""

from amaranth.hdl import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from asq_model.common.errors import InputError
from hw.engine.engine import Engine
from hw.engine.flash_reader import FlashReader
from hw.engine.load_words import compute_engine_number
from hw.engine.memory_loader import MemoryLoader
from hw.engine.row_writer import LOAD_BITS
from hw.engine.serial_line import Receiver, Transmitter

BIT_CYCLES = 12  # of the line: a million bits a second at 12 MHz


class FlashedEngine(wiring.Component):
    """Runs a network for images that come over a serial line; results go back over it.

    After reset, the words of `hw.engine.load_words` are read from the flash, from `flash_reader.PLACE` on. Then come
    images, byte by byte, and results leave, each in as many bytes as it takes, signed, the lowest first. The engine
    takes the next image while it works on one; a byte that comes before there is room for it, a broken byte, and words
    that are damaged or for another engine set `error`, and nothing leaves until reset.

    Members
    -------
    cs, sck, mosi : Out(1), miso : In(1), the flash
    rx : In(1), tx : Out(1), the line
    error : Out(1)
    """

    def __init__(self, engine: Engine, bit_cycles: int = BIT_CYCLES):
        if not engine.spec.byte_input:
            allowed = "allowed over a serial line: True, a network that takes bytes"
            raise InputError(f"byte_input is False; {allowed}", "byte_input")
        assert engine.writer is not None
        self.engine, self.bit_cycles, self.sizes = engine, bit_cycles, engine.writer.sizes
        super().__init__(
            {
                "cs": Out(1),
                "sck": Out(1),
                "mosi": Out(1),
                "miso": In(1),
                "rx": In(1),
                "tx": Out(1),
                "error": Out(1),
            }
        )

    @property
    def result_bytes(self) -> int:
        """Bytes of a result on the line."""
        return -(-self.engine.spec.total_bits // 8)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec = self.engine.spec
        number = compute_engine_number(spec, self.engine.radix_bits, self.engine.piece_bits)
        m.submodules.flash = flash = FlashReader()
        m.submodules.loader = loader = MemoryLoader(self.sizes, number, filled=False, interval=LOAD_BITS)
        m.submodules.receiver = receiver = Receiver(self.bit_cycles)
        m.submodules.transmitter = transmitter = Transmitter(self.bit_cycles, self.result_bytes)
        m.submodules.engine = engine = ResetInserter(~loader.whole)(self.engine)
        lost = Signal()  # a byte was broken, or came before there was room for it
        with m.If(receiver.broken | receiver.valid & ~engine.i.ready):
            m.d.sync += lost.eq(1)
        result = Signal(8 * self.result_bytes)
        m.d.comb += [
            self.cs.eq(flash.cs),
            self.sck.eq(flash.sck),
            self.mosi.eq(flash.mosi),
            flash.miso.eq(self.miso),
            flash.stop.eq(loader.whole | loader.damaged),
            loader.begin.eq(flash.begin),
            loader.valid.eq(flash.valid),
            loader.word.eq(flash.word),
            engine.rows.eq(loader.rows),
            receiver.line.eq(self.rx),
            engine.i.valid.eq(receiver.valid & ~lost),
            engine.i.payload.eq(receiver.byte),
            result.eq(engine.o.payload.value),
            transmitter.valid.eq(engine.o.valid & ~lost),
            transmitter.number.eq(result),
            engine.o.ready.eq(transmitter.ready & ~lost),
            self.tx.eq(transmitter.line),
            self.error.eq(lost | loader.damaged | engine.error),
        ]
        return m
