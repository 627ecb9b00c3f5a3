"""The interface of all multipliers.

A product comes out as `value` and `carry` and means value + carry: a negative one as its magnitude's complement and a
carry, which the accumulator's adder takes in for nothing, where a negation here would be an adder of its own. `lane`
says which sum it belongs to. Widths come from the specification's own product tables, never from a guess.

A multiplier has up to three parts, which an array puts in different places: `decode` turns a weight's code into control
bits, once for each weight loaded; the multiples of an activation (√2·a, 3·a) are made once for all that share it; the
`Product` itself is what is left for each pair.
"""

from abc import abstractmethod

import numpy as np
from amaranth.hdl import Cat, Module, Shape, Signal, Value, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from asq_model.spec.mac import MacSpec
from asq_model.spec.sqrt2 import sqrt2_halves


def activation_shape(spec: MacSpec) -> Shape:
    """Shape of an integer activation."""
    return (signed if spec.signed_activation else unsigned)(spec.activation_bits)


def range_shape(low: int, high: int) -> Shape:
    """The narrowest shape that holds both bounds and zero."""
    return Shape.cast(range(min(low, 0), max(high, 0) + 1))


def complement_shape(magnitudes: np.ndarray) -> Shape:
    """The narrowest shape that holds every entry x and its complement ~x = −x − 1."""
    low, high = int(magnitudes.min()), int(magnitudes.max())
    return range_shape(min(low, -high - 1), max(high, -low - 1))


def multiple_shapes(spec: MacSpec) -> dict[str, Shape]:
    """Shapes of the multiples of an activation that a product needs beside it, by name."""
    return {name: range_shape(int(table.min()), int(table.max())) for name, table in spec.multiples.items()}


class MultiplesOf(wiring.Component):
    """Makes the multiples of an activation that `spec`'s products need, without a clock.

    A root is looked up in one table (a small LUT each bit), or for wide activations in two that are added:

        high bits of a ──► table ──► [register] ──┐
                                                  + ──► >> guard ──► root
        low bits of a ───► table ──► [register] ──┘

    `sqrt2_halves` finds the guard bits with which the sum is the correctly rounded root. registered: a register between
    the tables and their adder.

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
            m.d.comb += self.root.eq(self.halves(m))
        else:
            look_up(m, self.root, self.activation.as_unsigned(), self.spec.multiples["root"])
        return m

    def halves(self, m: Module) -> Value:
        """The root as the sum of a table of the low bits and one of the others."""
        low_bits = (len(self.activation) + 1) // 2
        low = np.arange(1 << low_bits)
        patterns = np.arange(1 << len(self.activation) - low_bits)
        high = self.spec.activations[patterns << low_bits]
        *tables, guard = sqrt2_halves(high, low, self.spec.frac_bits)
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


class Product(wiring.Component):
    """Multiplies an activation by a decoded weight: the interface that all circuits share.

    Without a clock. Circuits that can be cut have a register between each two of `stages`: latency `stages` − 1.

    Members
    -------
    control : In(control_bits)
        The weight, as `decode` puts it.
    activation : In(activation_bits)
        Integer activation, signed if `spec.signed_activation`.
    root, triple : In
        The activation's multiples, if `spec` has them; see `MultiplesOf`.
    value : Out(signed)
    carry : Out(1)
        The product is value + carry, in units of 2^-result_frac (`post-exact`: of 1). Some circuits have no carry.
    lane : Out(1)
        Set where the product is a multiple of √2. Only `post-exact` has it.
    """

    flags: tuple[str, ...] = ("carry",)
    sign_place: int  # of the sign among the control bits, if it has one there

    def __init__(self, spec: MacSpec, stages: int = 1):
        self.spec, self.stages = spec, stages
        super().__init__(
            {"control": In(self.control_bits()), "activation": In(activation_shape(spec))}
            | {name: In(shape) for name, shape in multiple_shapes(spec).items()}
            | {name: Out(shape) for name, shape in self.outputs().items()}
        )

    def control_bits(self) -> int:
        """How many control bits `decode` makes of a code."""
        return self.spec.level_set.code_bits

    def decode(self, code: Value) -> Value:
        """The control bits that stand for a weight's code: here the code itself."""
        return code

    def outputs(self) -> dict[str, Shape]:
        """Shapes of value and of the flags that this multiplier has."""
        return {"value": self.value_shape()} | {flag: unsigned(1) for flag in self.flags}

    def value_shape(self) -> Shape:
        """Shape of the products of every activation with every code whose sign bit is 0, and of their complements."""
        return complement_shape(self.spec.products[: 1 << self.spec.level_set.code_bits - 1])

    def next_stage(self, m: Module, value: Value, name: str, stage: int = 1) -> Value:
        """`value` as the stage after number `stage` sees it: registered, or itself where there is no such stage."""
        if self.stages <= stage:
            return value
        held = Signal(value.shape(), name=name)
        m.d.sync += held.eq(value)
        return held

    def drive(self, m: Module, magnitude: Value, negative: Value) -> None:
        """Put out `magnitude`, or its opposite where `negative` is set."""
        wide = Signal(self.value.shape(), name="magnitude")
        m.d.comb += [wide.eq(magnitude), self.value.eq(wide ^ negative.replicate(len(wide))), self.carry.eq(negative)]

    @abstractmethod
    def elaborate(self, platform: object) -> Module:
        """The circuit."""


class Multiplier(wiring.Component):
    """Multiplies a weight code by an activation, without a clock: decoder, multiples and product together.

    Members
    -------
    weight : In(code_bits)
    activation : In(activation_bits)
    root, triple : In
        The activation's multiples, if `spec` shares them.
    value, carry, lane : Out
        As the product's.
    """

    def __init__(self, spec: MacSpec, product: type[Product]):
        self.spec = spec
        self.product = product(spec)
        shared = multiple_shapes(spec) if spec.shared else {}
        super().__init__(
            {"weight": In(spec.level_set.code_bits), "activation": In(activation_shape(spec))}
            | {name: In(shape) for name, shape in shared.items()}
            | {name: Out(shape) for name, shape in self.product.outputs().items()}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.product = product = self.product
        source = self
        if self.spec.multiples and not self.spec.shared:
            m.submodules.multiples = source = MultiplesOf(self.spec)
            m.d.comb += source.activation.eq(self.activation)
        control = Cat(product.decode(self.weight))
        if self.spec.gated:
            sign = product.sign_place % len(control)
            negative = control[sign] & self.activation.any()
            control = Cat(control[:sign], negative, control[sign + 1 :])
        m.d.comb += [product.control.eq(control), product.activation.eq(self.activation)]
        m.d.comb += [getattr(product, name).eq(getattr(source, name)) for name in self.spec.multiples]
        m.d.comb += [getattr(self, name).eq(getattr(product, name)) for name in product.outputs()]
        return m
