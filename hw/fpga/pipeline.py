"""Registers of a pipeline without a handshake: signals by the cycle in which they are used."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Signal, Value

from hw.fpga.cells import Term


@dataclass(frozen=True)
class Control:
    """A control bit of a weight, and how many cycles after the activation that it belongs to it is used."""

    bit: Value
    time: int = 0


class Pipeline:
    """Makes registers in a module, none of them reset: the flags that say whether they hold anything are.

    Bits are single signals, the same object for the same bit, so that cells can tell which inputs they share.
    """

    def __init__(self, m: Module):
        self.m = m
        self.delayed: dict[int, tuple[Value, Signal]] = {}  # with the key's own object, which keeps its identity

    def register(self, value: Value, name: str, drop: Value | None = None) -> Signal:
        """A bit's value a cycle later, 0 where `drop` was set: its reset, which a flip-flop has for nothing."""
        held = Signal(name=name, reset_less=True)
        self.m.d.sync += held.eq(value if drop is None else Mux(drop, 0, value))
        return held

    def delay(self, bit: Value, cycles: int = 1) -> Value:
        """Delay a bit by some cycles; whoever asks again gets the same register."""
        for _ in range(cycles):
            known = self.delayed.get(id(bit))
            if known is None:
                held = Signal(name=f"{name_of(bit)}_later", reset_less=True)
                self.m.d.sync += held.eq(bit)
                known = self.delayed[id(bit)] = (bit, held)
            bit = known[1]
        return bit

    def register_terms(self, terms: Sequence[Term], name: str) -> list[Value]:
        """Terms in registers; where a term is a signal already, its next register."""
        return [
            self.delay(term.signals[0]) if term.is_plain else self.register(term.make_logic(), f"{name}_{place}")
            for place, term in enumerate(terms)
        ]


def name_of(bit: Value) -> str:
    """The name of a bit, if it is a signal."""
    return bit.name if isinstance(bit, Signal) else "bit"


def name_bits(m: Module, value: Value, name: str) -> list[Signal]:
    """Name the bits of a value: each becomes a signal of its own."""
    bits = [Signal(name=f"{name}_{place}") for place in range(len(value))]
    m.d.comb += [bit.eq(part) for bit, part in zip(bits, value, strict=True)]
    return bits
