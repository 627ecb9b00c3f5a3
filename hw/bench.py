"""The module that the test benches drive: a unit's emitted Verilog, untouched, with a cycle counter on its streams."""

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal
from amaranth.lib import wiring

from asq_model.integer.mac import MacSpec
from hw.counter import CycleCounter
from hw.emit import to_verilog
from hw.mac import mac_ports

COUNTS = ("cycles", "input_stalls", "output_stalls", "operands", "results")


class BenchTop(wiring.Component):
    """`spec`'s MAC as an instance of the module that `emit` writes, and a `CycleCounter` beside it.

    Members: the MAC's, and the counter's outputs.
    """

    def __init__(self, spec: MacSpec):
        self.spec = spec
        self.counter = CycleCounter()
        counts = self.counter.signature.members
        super().__init__(mac_ports(spec) | {name: counts[name] for name in COUNTS})

    def elaborate(self, platform):
        m = Module()
        m.submodules.counter = counter = self.counter
        m.submodules.mac = Instance(
            self.spec.name,
            i_clk=ClockSignal(),
            i_rst=ResetSignal(),
            i_i__payload=self.i.payload,
            i_i__valid=self.i.valid,
            o_i__ready=self.i.ready,
            o_o__payload=self.o.payload,
            o_o__valid=self.o.valid,
            i_o__ready=self.o.ready,
        )
        m.d.comb += [
            counter.i_valid.eq(self.i.valid),
            counter.i_ready.eq(self.i.ready),
            counter.o_valid.eq(self.o.valid),
            counter.o_ready.eq(self.o.ready),
        ]
        m.d.comb += [getattr(self, name).eq(getattr(counter, name)) for name in COUNTS]
        return m


def bench_name(spec: MacSpec) -> str:
    return f"bench_{spec.name}"


def bench_verilog(spec: MacSpec) -> str:
    """Verilog of the bench's top module; it instantiates the module `spec.name`, which it does not contain."""
    return to_verilog(BenchTop(spec), bench_name(spec), f"Test bench top for {spec.name}: the unit and a cycle counter")
