"""The multipliers: combinational, one per family of weights, all with one interface.

A product comes out as `value` and `carry` and means value + carry: a negative one as its magnitude's complement and a
carry, which the accumulator's adder takes in for nothing, where a negation here would be an adder of its own. `lane`
says which sum it belongs to. Widths come from the specification's own product tables, never from a guess.
"""

from abc import abstractmethod

import numpy as np
from amaranth.hdl import Module, Mux, Shape, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from asq_model.codes import APOT_TERMS
from asq_model.integer.mac import MacSpec
from asq_model.integer.sqrt2 import sqrt2_table


def activation_shape(spec: MacSpec) -> Shape:
    return (signed if spec.signed_activation else unsigned)(spec.activation_bits)


def range_shape(low: int, high: int) -> Shape:
    """The narrowest shape that holds both bounds and zero."""
    return Shape.cast(range(min(low, 0), max(high, 0) + 1))


def complement_shape(magnitudes: np.ndarray) -> Shape:
    """Holds every entry x, and ~x = −x − 1."""
    low, high = int(magnitudes.min()), int(magnitudes.max())
    return range_shape(min(low, -high - 1), max(high, -low - 1))


class Product(wiring.Component):
    """A weight code times an activation, without a clock: the interface that all multipliers share.

    Members
    -------
    weight : In(code_bits)
        Weight code.
    activation : In(activation_bits)
        Integer activation, signed if `spec.signed_activation`.
    value : Out(signed)
    carry : Out(1)
        The product is value + carry, in units of 2^-frac (`post-exact`: of 1). `uniform` has no carry.
    lane : Out(1)
        Set where the product is a multiple of √2. Only `post-exact` has it.
    """

    flags = ("carry",)

    def __init__(self, spec: MacSpec):
        self.spec = spec
        super().__init__(
            {
                "weight": In(spec.level_set.code_bits),
                "activation": In(activation_shape(spec)),
                **{name: Out(shape) for name, shape in self.outputs().items()},
            }
        )

    def outputs(self) -> dict[str, Shape]:
        """Shapes of value and of the flags that this multiplier has."""
        return {"value": self.value_shape()} | {flag: unsigned(1) for flag in self.flags}

    def value_shape(self) -> Shape:
        """Holds the product of every activation with every code whose sign bit is 0, and its complement."""
        return complement_shape(self.spec.products[: 1 << self.spec.level_set.code_bits - 1])

    def signed_value(self, magnitude, negative) -> list:
        """Statements that drive value and carry to `magnitude`, or to its opposite where `negative` is set."""
        wide = Signal(self.value.shape(), name="magnitude")
        return [wide.eq(magnitude), self.value.eq(wide ^ negative.replicate(len(wide))), self.carry.eq(negative)]


class ExponentProduct(Product):
    """±base^n as sign, exponent field and zero: what `pot`, `post` and `post-exact` have in common."""

    def elaborate(self, platform):
        m = Module()
        levels = self.spec.level_set
        field = self.weight[:-1]
        if levels.kind == "asymmetric":
            zero = self.weight == 1 << levels.bits - 1
        elif levels.kind == "extended":
            field, zero = field[:-1], field[-1]
        else:
            zero = field.all()
        m.d.comb += self.signed_value(Mux(zero, 0, self.magnitude(m, field)), self.weight[-1])
        return m

    @abstractmethod
    def magnitude(self, m: Module, field):
        """The product's size for a code that is not zero, given its exponent field."""


class PotProduct(ExponentProduct):
    """`pot`: a shift by the exponent."""

    def magnitude(self, m, field):
        return self.activation << field


class PostProduct(ExponentProduct):
    """`post`, Eq. 18: half-exponent n selects a·2^frac (n even) or a table's round(√2·a·2^frac) (n odd), then a shift
    by n >> 1 serves both. One table entry per activation value; the table is the specification's."""

    def magnitude(self, m, field):
        spec = self.spec
        table = sqrt2_table(spec.activations, spec.frac)
        root = Signal(range_shape(int(table.min()), int(table.max())))
        with m.Switch(self.activation.as_unsigned()):
            for pattern, entry in enumerate(table[:-1]):
                with m.Case(pattern):
                    m.d.comb += root.eq(int(entry))
            with m.Default():  # the last pattern, so that the case is complete for every reader
                m.d.comb += root.eq(int(table[-1]))
        return Mux(field[0], root, self.activation << spec.frac) << field[1:]


class PostExactProduct(ExponentProduct):
    """`post-exact`: a shift by n >> 1; whether √2 is a factor goes to `lane`, and nothing is rounded."""

    flags = ("carry", "lane")

    def value_shape(self):
        positive = slice(0, 1 << self.spec.level_set.code_bits - 1)
        either = self.spec.even_products[positive] + self.spec.odd_products[positive]  # one of the two is 0
        return complement_shape(either)

    def magnitude(self, m, field):
        m.d.comb += self.lane.eq(field[0])
        return self.activation << field[1:]


class ApotProduct(Product):
    """`apot`: one shifted copy of the activation per term, added; a term's field of 0 adds nothing."""

    def elaborate(self, platform):
        m = Module()
        start, total = 0, 0
        for index, shifts in enumerate(APOT_TERMS[self.spec.weight_bits]):
            width = len(shifts).bit_length()
            term = Signal((self.activation << max(shifts)).shape(), name=f"term_{index}")
            with m.Switch(self.weight[start : start + width]):
                for selected, shift in enumerate(shifts, start=1):
                    with m.Case(selected):
                        m.d.comb += term.eq(self.activation << shift)
                with m.Default():
                    m.d.comb += term.eq(0)
            start += width
            total += term
        m.d.comb += self.signed_value(total, self.weight[-1])
        return m


class UniformProduct(Product):
    """`uniform`: two's complement weight times activation, as synthesis likes to build it; there is no carry."""

    flags = ()

    def value_shape(self):
        return range_shape(int(self.spec.products.min()), int(self.spec.products.max()))

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.value.eq(self.weight.as_signed() * self.activation)
        return m


PRODUCTS = {
    "post": PostProduct,
    "post-exact": PostExactProduct,
    "pot": PotProduct,
    "apot": ApotProduct,
    "uniform": UniformProduct,
}
