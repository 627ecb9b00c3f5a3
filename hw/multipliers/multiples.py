"""The multiples of an activation that products need beside it, √2·a or 3·a, made once for all that share it."""

import numpy as np
from amaranth.hdl import Module, Shape, Signal, Value, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from asq_model.spec.mac import MacSpec
from asq_model.spec.sqrt2 import split_sqrt2_table


def activation_shape(spec: MacSpec) -> Shape:
    """Shape of an integer activation."""
    return (signed if spec.signed_activation else unsigned)(spec.activation_bits)


def range_shape(low: int, high: int) -> Shape:
    """The narrowest shape that holds both bounds and zero."""
    return Shape.cast(range(min(low, 0), max(high, 0) + 1))


def multiple_shapes(spec: MacSpec) -> dict[str, Shape]:
    """Shapes of the multiples of an activation that a product needs beside it, by name."""
    return {name: range_shape(int(table.min()), int(table.max())) for name, table in spec.multiples.items()}


class MultiplesOf(wiring.Component):
    """Makes the multiples of an activation that `spec`'s products need, without a clock.

    A root is looked up in one table (a small LUT each bit), or for wide activations in two that are added:

        high bits of a ──► table ──► [register] ──┐
                                                  + ──► >> guard ──► root
        low bits of a ───► table ──► [register] ──┘

    `split_sqrt2_table` finds the guard bits with which the sum is the correctly rounded root. registered: a register
    between the tables and their adder.

    Members
    -------
    activation : In(activation_bits)
    root : Out
        round(√2·a·2^frac), for `post`: a table, or for wide activations the sum of two.
    triple : Out
        3·a, for the other units that have a multiple: an adder.
    """

    def __init__(self, spec: MacSpec, registered: bool = False):
        self.spec, self.registered = spec, registered
        shapes = multiple_shapes(spec)
        super().__init__(
            {"activation": In(activation_shape(spec))} | {name: Out(shape) for name, shape in shapes.items()}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if "triple" in self.spec.multiples:
            m.d.comb += self.triple.eq((self.activation << 1) + self.activation)
        elif self.spec.splits_root:
            m.d.comb += self.root.eq(self.add_halves(m))
        else:
            look_up(m, self.root, self.activation.as_unsigned(), self.spec.multiples["root"])
        return m

    def add_halves(self, m: Module) -> Value:
        """Add a table of the low bits and one of the others; returns their sum, the root."""
        low_bits = (len(self.activation) + 1) // 2
        low = np.arange(1 << low_bits)
        patterns = np.arange(1 << len(self.activation) - low_bits)
        high = self.spec.activations[patterns << low_bits]
        *tables, guard = split_sqrt2_table(high, low, self.spec.frac_bits)
        parts = []
        for name, index, table in zip(
            ("high", "low"), (self.activation[low_bits:], self.activation[:low_bits]), tables, strict=True
        ):
            part = Signal(range_shape(int(table.min()), int(table.max())), name=f"{name}_root")
            look_up(m, part, index, table)
            if self.registered:
                held = Signal.like(part, name=f"{name}_held")
                m.d.sync += held.eq(part)
                part = held
            parts.append(part)
        return (parts[0] + parts[1]) >> guard


def look_up(m: Module, result: Signal, index: Value, table: np.ndarray) -> None:
    """Drive `result` with the table's entry at `index`."""
    with m.Switch(index):
        for pattern, entry in enumerate(table[:-1]):
            with m.Case(pattern):
                m.d.comb += result.eq(int(entry))
        with m.Default():  # the last pattern, so that the case is complete for every reader
            m.d.comb += result.eq(int(table[-1]))
