"""The module that the test benches drive: a unit's emitted Verilog, untouched, with a cycle counter on its streams."""

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from hw.catalogue import make_component
from hw.cycle_counter import COUNTS, CycleCounter
from hw.emit import Spec, to_verilog


class BenchTop(wiring.Component):
    """Instantiates the module that `emit` writes for `spec`, with a `CycleCounter` on its streams.

    Members: the unit's, and the counter's outputs.
    """

    def __init__(self, spec: Spec):
        self.spec = spec
        self.unit = make_component(spec).signature
        self.counter = CycleCounter()
        counts = self.counter.signature.members
        super().__init__(dict(self.unit.members) | {name: counts[name] for name in COUNTS})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.counter = counter = self.counter
        ports = {
            f"{'i' if member.flow == In else 'o'}_{'__'.join(map(str, path))}": value
            for path, member, value in self.unit.flatten(self)
        }
        m.submodules.unit = Instance(self.spec.name, i_clk=ClockSignal(), i_rst=ResetSignal(), **ports)
        m.d.comb += [
            counter.i_valid.eq(self.i.valid),
            counter.i_ready.eq(getattr(self.i, "ready", 1)),  # an array's streams have none
            counter.o_valid.eq(self.o.valid),
            counter.o_ready.eq(getattr(self.o, "ready", 1)),
        ]
        m.d.comb += [getattr(self, name).eq(getattr(counter, name)) for name in COUNTS]
        return m


def bench_name(spec: Spec) -> str:
    """Name of the bench's top module."""
    return f"bench_{spec.name}"


def make_bench_verilog(spec: Spec) -> str:
    """Make the Verilog of the bench's top module; it instantiates the module `spec.name`, which it does not contain."""
    return to_verilog(BenchTop(spec), bench_name(spec), f"Test bench top for {spec.name}: the unit and a cycle counter")
