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
        Of that instruction, a cycle later: from its fetch to the end of its work, and those in which it waited for an
        image, for room for results or for the other program, which are not among the former.
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
        cycles, waits = Signal(COUNT_BITS, init=1), Signal(COUNT_BITS)  # this one among the cycles
        m.d.comb += [
            into.en.eq(self.event.done),
            into.addr.eq(self.count.number),
            into.data.cycles.eq(cycles),
            into.data.waits.eq(waits),
            out.addr.eq(self.number),
            self.cycles.eq(out.data.cycles),
            self.waits.eq(out.data.waits),
        ]
        m.d.sync += [cycles.eq(cycles + ~self.count.waits), waits.eq(waits + self.count.waits)]
        with m.If(self.event.done | self.count.skipped | self.restart):
            m.d.sync += [cycles.eq(1), waits.eq(0)]
        return m
