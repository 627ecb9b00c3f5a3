"""The cycles of each instruction of an engine's programs, and those that it waited, kept for a host to read."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.engine.engine_layouts import count_layout, event_layout
from hw.engine.engine_spec import EngineSpec

COUNT_BITS = 32


class InstructionCounts(wiring.Component):
    """Keeps, for each instruction of one program, the cycles of the last time that it was done.

    Members
    -------
    count : In(`count_layout`, one program), event : In(`event_layout`), restart : In(1)
    number : In
        The instruction that is asked for.
    cycles, waits : Out(COUNT_BITS)
        Of that instruction, a cycle later: from its start to the end of its work, and those in which it waited before:
        for an image, for room for results, for the other program or for the instruction before it.
    """

    def __init__(self, spec: EngineSpec, program: str):
        count = count_layout(spec)[program].shape
        self.number_shape = count["number"].shape
        super().__init__(
            {
                "count": In(count),
                "event": In(event_layout()),
                "restart": In(1),
                "number": In(self.number_shape),
                "cycles": Out(COUNT_BITS),
                "waits": Out(COUNT_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        row = data.StructLayout({"cycles": COUNT_BITS, "waits": COUNT_BITS})
        m.submodules.kept = kept = Memory(shape=row, depth=1 << len(self.number), init=[])
        into, out = kept.write_port(), kept.read_port()
        now, waits = Signal(COUNT_BITS), Signal(COUNT_BITS)
        at_hand, leaving = Signal(row), Signal(row)  # when an instruction started, and how long it had waited
        m.d.comb += [
            into.en.eq(self.event.done),
            into.addr.eq(self.count.number),
            into.data.cycles.eq(now - leaving.cycles),
            into.data.waits.eq(leaving.waits),
            out.addr.eq(self.number),
            self.cycles.eq(out.data.cycles),
            self.waits.eq(out.data.waits),
        ]
        m.d.sync += [now.eq(now + 1), waits.eq(waits + self.count.waits)]
        with m.If(self.count.starts):
            m.d.sync += [at_hand.cycles.eq(now), at_hand.waits.eq(waits)]
        with m.If(self.count.begins_to_leave):
            m.d.sync += leaving.eq(at_hand)
        with m.If(self.count.starts | self.count.skipped | self.restart):
            m.d.sync += waits.eq(0)
        return m
