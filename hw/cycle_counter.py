"""The cycle counter: watches a unit's two streams and counts cycles, and which side made the other wait."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

COUNTER_BITS = 32
COUNTS = ("cycles", "input_stalls", "output_stalls", "operands", "results")


class CycleCounter(wiring.Component):
    """Counts a stream unit's cycles from its first accepted operand to its latest result, both cycles included.

    At full rate a unit of interval I and latency L takes I·(K − 1) + L + 1 cycles for K operands. Reset starts
    afresh. Counters wrap around after 2^32 cycles.

    Members
    -------
    i_valid, i_ready, o_valid, o_ready : In(1)
        The handshakes of the unit's input and output streams.
    cycles : Out(32)
        Cycles from the first accepted operand to the latest result taken.
    input_stalls : Out(32)
        Of the cycles between accepted operands, those in which the unit was ready and no operand was offered.
    output_stalls : Out(32)
        Cycles in which a result was offered and not taken.
    operands, results : Out(32)
        How many were taken.
    """

    def __init__(self) -> None:
        super().__init__(
            {name: In(1) for name in ("i_valid", "i_ready", "o_valid", "o_ready")}
            | {name: Out(COUNTER_BITS) for name in COUNTS}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        started = Signal()
        elapsed = Signal(COUNTER_BITS)  # cycles before this one, from the first operand's on
        waiting = Signal(COUNTER_BITS)  # input stalls since the latest operand: they count once another one comes
        accepted = self.i_valid & self.i_ready
        taken = self.o_valid & self.o_ready
        with m.If(accepted | started):
            m.d.sync += [started.eq(1), elapsed.eq(elapsed + 1)]
        with m.If(accepted):
            m.d.sync += [
                self.operands.eq(self.operands + 1),
                self.input_stalls.eq(self.input_stalls + waiting),
                waiting.eq(0),
            ]
        with m.Elif(started & self.i_ready):
            m.d.sync += waiting.eq(waiting + 1)
        with m.If(taken):
            m.d.sync += [self.results.eq(self.results + 1), self.cycles.eq(elapsed + 1)]
        with m.Elif(self.o_valid):
            m.d.sync += self.output_stalls.eq(self.output_stalls + 1)
        return m
