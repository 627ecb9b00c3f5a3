"""A unit between registers, so that a clock rate found for it is that of its own logic."""

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from hw.emit import Spec, to_verilog
from hw.units import component


class Registered(wiring.Component):
    """`spec`'s unit as an instance of the module that `emit` writes, with a register at each of its ports.

    The handshake is cut too, so this is for measuring, not for use.
    """

    def __init__(self, spec: Spec):
        self.spec = spec
        super().__init__(dict(component(spec).signature.members))

    def elaborate(self, platform):
        m = Module()
        ports = {}
        for path, member, value in self.signature.flatten(self):
            inside = Signal.like(value, name=f"{'_'.join(map(str, path))}_inside")
            is_input = member.flow == In
            m.d.sync += inside.eq(value) if is_input else value.eq(inside)
            ports[f"{'i' if is_input else 'o'}_{'__'.join(map(str, path))}"] = inside
        m.submodules.unit = Instance(self.spec.name, i_clk=ClockSignal(), i_rst=ResetSignal(), **ports)
        return m


def registered_verilog(spec: Spec) -> tuple[str, str]:
    """(name, Verilog) of the module; it instantiates the module `spec.name`, which it does not contain."""
    name = f"registered_{spec.name}"
    return name, to_verilog(Registered(spec), name, f"{spec.name} between registers, for measuring its clock")
