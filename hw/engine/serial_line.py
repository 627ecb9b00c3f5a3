"""A serial line (UART): bytes of 8 bits, the lowest first, with a start and a stop bit, and no parity."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

FRAME = 10  # bits of a byte on the line


class Receiver(wiring.Component):
    """Takes bytes from a line.

    Members
    -------
    line : In(1)
    valid : Out(1), byte : Out(8)
        In one cycle.
    broken : Out(1)
        In one cycle: there was no stop bit.

    cycles: of a bit, at least 4.
    """

    def __init__(self, cycles: int):
        self.cycles = cycles
        super().__init__({"line": In(1), "valid": Out(1), "byte": Out(8), "broken": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        held, line = Signal(init=1), Signal(init=1)
        m.d.sync += [held.eq(self.line), line.eq(held)]
        left, bits = Signal(range(2 * self.cycles)), Signal(range(FRAME))

        with m.FSM():
            with m.State("IDLE"), m.If(~line):
                m.d.sync += [left.eq(self.cycles + self.cycles // 2 - 2), bits.eq(8)]
                m.next = "BITS"
            with m.State("BITS"):
                m.d.sync += left.eq(left - 1)
                with m.If(~left.any()):
                    m.d.sync += [left.eq(self.cycles - 1), bits.eq(bits - 1)]
                    with m.If(bits.any()):
                        m.d.sync += self.byte.eq(Cat(self.byte, line)[1:])
                    with m.Else():
                        m.d.comb += [self.valid.eq(line), self.broken.eq(~line)]
                        m.next = "IDLE"
        return m


class Transmitter(wiring.Component):
    """Sends numbers of several bytes, the lowest first.

    Members
    -------
    valid : In(1), number : In(8 · count), ready : Out(1)
    line : Out(1)
    """

    def __init__(self, cycles: int, count: int):
        self.cycles, self.count = cycles, count
        super().__init__({"valid": In(1), "number": In(8 * count), "ready": Out(1), "line": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        size = FRAME * self.count
        frames = Signal(size, init=-1)
        left, bits = Signal(range(self.cycles)), Signal(range(size + 1))
        m.d.comb += [self.ready.eq(~bits.any()), self.line.eq(frames[0])]
        whole = Cat(Cat(Const(0, 1), self.number.word_select(n, 8), Const(1, 1)) for n in range(self.count))
        with m.If(self.ready & self.valid):
            m.d.sync += [frames.eq(whole), bits.eq(size), left.eq(self.cycles - 1)]
        with m.Elif(bits.any()):
            m.d.sync += left.eq(left - 1)
            with m.If(~left.any()):
                m.d.sync += [left.eq(self.cycles - 1), bits.eq(bits - 1), frames.eq(Cat(frames[1:], Const(1, 1)))]
        return m
