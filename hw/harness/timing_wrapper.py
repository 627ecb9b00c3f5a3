"""A unit between registers, so that a clock rate found for it is that of its own logic."""

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.catalogue import make_component
from hw.emit import Spec, to_verilog

FOLD = 4  # bits that one step folds into one: a look-up table's inputs


class Registered(wiring.Component):
    """Instantiates the module that `emit` writes for `spec`, with a register at each of its ports.

    The input registers are one long shift register and the output's bits are folded into one, a step a cycle, so that
    units with more ports than a package has pins fit too. The handshake is cut, so this is for measuring, not for use.
    Nothing is reset: a chip has a network for that, but nextpnr takes the pin to every register of an ECP5 through the
    fabric, one by one, for most of the time that it routes.

    Members
    -------
    d : In(1)
    q : Out(1)
    """

    def __init__(self, spec: Spec):
        self.spec = spec
        super().__init__({"d": In(1), "q": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        inputs: list[Signal] = []
        outputs: list[Signal] = []
        ports: dict[str, Signal] = {}
        signature = make_component(self.spec).signature
        for path, member, value in signature.flatten(signature.create()):
            is_input = member.flow == In
            inside = Signal.like(value, name=f"{'_'.join(map(str, path))}_inside", reset_less=True)
            (inputs if is_input else outputs).append(inside)
            ports[f"{'i' if is_input else 'o'}_{'__'.join(map(str, path))}"] = inside
        m.submodules.unit = Instance(self.spec.name, i_clk=ClockSignal(), i_rst=Const(0), **ports)
        chain = Cat(*inputs)
        m.d.sync += chain.eq(Cat(self.d, chain))
        bits = Cat(*outputs)
        folded = Signal(len(bits), name="held", reset_less=True)
        m.d.sync += folded.eq(bits)
        while len(folded) > 1:
            parts = [folded[start : start + FOLD].xor() for start in range(0, len(folded), FOLD)]
            folded = Signal(len(parts), name=f"folded_{len(parts)}", reset_less=True)
            m.d.sync += folded.eq(Cat(*parts))
        m.d.comb += self.q.eq(folded)
        return m


def make_registered_verilog(spec: Spec) -> tuple[str, str]:
    """Make the wrapping module's name and Verilog; it instantiates `spec.name`, which it does not contain."""
    name = f"registered_{spec.name}"
    return name, to_verilog(Registered(spec), name, f"{spec.name} between registers, for measuring its clock")
