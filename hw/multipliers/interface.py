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
from amaranth.hdl import Cat, Module, Shape, Signal, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from asq_model.spec.mac import MacSpec
from hw.multipliers.multiples import MultiplesOf, activation_shape, multiple_shapes, range_shape


def complement_shape(magnitudes: np.ndarray) -> Shape:
    """The narrowest shape that holds every entry x and its complement ~x = −x − 1."""
    low, high = int(magnitudes.min()), int(magnitudes.max())
    return range_shape(min(low, -high - 1), max(high, -low - 1))


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

    def register_stage(self, m: Module, value: Value, name: str, stage: int = 1) -> Value:
        """Register `value` for the stage after number `stage`; `value` itself where there is no such stage."""
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
        """Build the circuit of the product; each multiplier has its own."""


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
