"""A part of which an engine has many: written once, as a Verilog module of its own."""

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In


class ModuleInstance(wiring.Component):
    """Stands for a component that is a module of another name, and has its ports."""

    def __init__(self, name: str, part: wiring.Component):
        self.name = name
        super().__init__(dict(part.signature.members))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ports = {
            f"{'i' if member.flow == In else 'o'}_{'__'.join(map(str, path))}": Value.cast(value)
            for path, member, value in self.signature.flatten(self)
        }
        m.submodules.part = Instance(self.name, i_clk=ClockSignal(), i_rst=ResetSignal(), **ports)
        return m
