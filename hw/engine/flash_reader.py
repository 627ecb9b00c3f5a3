"""A board's SPI flash, read word by word from a place on, once after reset."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.engine.row_writer import LOAD_BITS

PLACE = 0x100000  # where the words lie: behind the bitstream
WAKE_UP, READ = 0xAB, 0x03
WAIT = 512  # cycles until a flash is awake: 43 µs at 12 MHz


class FlashReader(wiring.Component):
    """Wakes the flash, then reads on until it is told to stop. Mode 0; a bit takes two cycles.

    Members
    -------
    cs, sck, mosi : Out(1), miso : In(1)
        `cs` is 0 while the flash is read.
    begin : Out(1)
        In one cycle before the first word.
    valid : Out(1), word : Out(LOAD_BITS)
        The lowest byte of a word comes first.
    stop : In(1)
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "cs": Out(1, init=1),
                "sck": Out(1),
                "mosi": Out(1),
                "miso": In(1),
                "begin": Out(1),
                "valid": Out(1),
                "word": Out(LOAD_BITS),
                "stop": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sent, seen, left = Signal(LOAD_BITS), Signal(LOAD_BITS), Signal(range(WAIT))
        m.d.comb += [self.mosi.eq(sent[-1]), self.word.eq(Cat(seen[low : low + 8] for low in (24, 16, 8, 0)))]

        def shift(bits: int, following: str) -> None:
            """Send and take a bit in two cycles. After the last, `bits` more are counted in the state that follows."""
            m.d.sync += self.sck.eq(~self.sck)
            with m.If(~self.sck):
                m.d.sync += seen.eq(Cat(self.miso, seen))
            with m.Else():
                m.d.sync += [sent.eq(sent << 1), left.eq(left - 1)]
                with m.If(~left.any()):
                    m.d.sync += left.eq(bits - 1)
                    m.next = following

        with m.FSM():
            with m.State("START"):
                m.d.sync += [self.cs.eq(0), left.eq(7), sent.eq(Const(WAKE_UP << 24, LOAD_BITS))]
                m.next = "WAKE"
            with m.State("WAKE"):
                shift(WAIT, "WAIT")
            with m.State("WAIT"):
                m.d.sync += [self.cs.eq(1), left.eq(left - 1)]
                with m.If(~left.any()):
                    m.d.comb += self.begin.eq(1)
                    m.d.sync += [self.cs.eq(0), left.eq(LOAD_BITS - 1), sent.eq(READ << 24 | PLACE)]
                    m.next = "COMMAND"
            with m.State("COMMAND"):
                shift(LOAD_BITS, "READ")
            with m.State("READ"):
                m.d.comb += self.valid.eq(self.sck & ~left.any())
                shift(LOAD_BITS, "READ")
                with m.If(self.stop):
                    m.d.sync += [self.cs.eq(1), self.sck.eq(0)]
                    m.next = "DONE"
            with m.State("DONE"):
                pass
        return m
