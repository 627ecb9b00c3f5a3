"""Multipliers for weights that are integers: additive powers of two, and several circuits for uniform ones.

The uniform circuits compete: which one is the smallest depends on the widths and on the kind of gates.
"""

from abc import abstractmethod

from amaranth.hdl import Array, C, Cat, Module, Mux, Shape, Signal, Value

from asq_model.spec.levels import APOT_TERMS
from hw.multipliers.interface import Product
from hw.multipliers.multiples import look_up, range_shape


class SignedMagnitude(Product):
    """Multiplies by the magnitude that a code's lower bits mean, and complements where its top bit, the sign, is set.

    Three stages: terms, their sum, the complement.
    """

    sign_place = -1

    @abstractmethod
    def multiply_magnitude(self, m: Module, field: Value) -> Value:
        """Multiply the activation by the magnitude that `field`, the code without its sign, means: terms in the first
        stage, their sum in the second.
        """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        negative = self.register_stage(m, self.register_stage(m, self.control[-1], "held_sign"), "last_sign", 2)
        magnitude = self.register_stage(m, self.multiply_magnitude(m, self.control[:-1]), "held_magnitude", 2)
        self.drive(m, magnitude, negative)
        return m


class ApotProduct(SignedMagnitude):
    """`apot`: adds one shifted copy of the activation per term; a term's field of 0 adds nothing."""

    def multiply_magnitude(self, m: Module, field: Value) -> Value:
        """Add one shifted copy of the activation for each term."""
        start, total = 0, 0
        for index, shifts in enumerate(APOT_TERMS[self.spec.weight_bits]):
            width = len(shifts).bit_length()
            term = Signal((self.activation << max(shifts)).shape(), name=f"term_{index}")
            with m.Switch(field[start : start + width]):
                for selected, shift in enumerate(shifts, start=1):
                    with m.Case(selected):
                        m.d.comb += term.eq(self.activation << shift)
                with m.Default():
                    m.d.comb += term.eq(0)
            start += width
            total += self.register_stage(m, term, f"held_{index}")
        return total


class UniformProduct(Product):
    """`uniform`: multiplies in two's complement, as synthesis likes to build it; there is no carry."""

    flags: tuple[str, ...] = ()

    def value_shape(self) -> Shape:
        """Shape of every product of a weight and an activation, in two's complement."""
        return range_shape(int(self.spec.products.min()), int(self.spec.products.max()))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.value.eq(self.multiply(m))
        return m

    def multiply(self, m: Module) -> Value:
        """Multiply the weight by the activation."""
        return self.control.as_signed() * self.activation


class TableProduct(UniformProduct):
    """`uniform-table`: looks every product up in a table."""

    def multiply(self, m: Module) -> Value:
        """Look the product up, by weight and activation."""
        result = Signal(self.value.shape(), name="entry")
        look_up(m, result, Cat(self.activation, self.control), self.spec.products.reshape(-1))
        return result


class BoothProduct(UniformProduct):
    """`uniform-booth`: Booth's recoding in radix 4, a digit of −2 … 2 for every two bits of the weight."""

    def multiply(self, m: Module) -> Value:
        """Add up a multiple of the activation for each of Booth's digits."""
        weight = self.control.as_signed()
        padded = Cat(C(0, 1), weight, weight[-1])  # room for the last digit of an odd number of bits
        total = 0
        for index in range((len(weight) + 1) // 2):
            low, middle, high = padded[2 * index], padded[2 * index + 1], padded[2 * index + 2]
            size = Mux(low ^ middle, self.activation, Mux(middle ^ high, self.activation << 1, 0))
            digit = Signal(size.shape().width + 1, name=f"digit_{index}")
            m.d.comb += digit.eq(size ^ high.replicate(len(digit)))
            total += (digit.as_signed() + high) << 2 * index
        return total


class SignMagnitudeProduct(SignedMagnitude):
    """`uniform-sign`: multiplies magnitudes, as synthesis likes to build it; in several stages by the two lowest bits
    and by the others apart.
    """

    def multiply_magnitude(self, m: Module, field: Value) -> Value:
        """Multiply the activation by the magnitude, as synthesis likes to build it."""
        if self.stages == 1:
            return field * self.activation
        low = self.register_stage(m, field[:2] * self.activation, "low_product")
        return low + (self.register_stage(m, field[2:] * self.activation, "high_product") << 2)


class SharedProduct(SignedMagnitude):
    """`uniform-shared`: adds 0, a, 2a or 3a for every two bits of the magnitude."""

    def multiply_magnitude(self, m: Module, field: Value) -> Value:
        """Add 0, a, 2a or 3a for every two bits of the magnitude."""
        total = 0
        for start in range(0, len(field), 2):
            digit = field[start : start + 2]
            multiples = [C(0), self.activation, self.activation << 1, self.triple][: 1 << len(digit)]
            total += self.register_stage(m, Array(multiples)[digit], f"held_{start}") << start
        return total


class AddersProduct(SignedMagnitude):
    """`uniform-adders`: adds by rows of full adders, written out so that no tool puts them on a carry chain."""

    def multiply_magnitude(self, m: Module, field: Value) -> Value:
        """Add a row of full adders for each bit of the magnitude."""
        width = len(self.value)
        extension = self.activation[-1] if self.spec.signed_activation else C(0, 1)
        activation = Cat(self.activation, extension.replicate(width))
        total = [activation[place] & field[0] for place in range(width)]
        for row in range(1, len(field)):
            carry = C(0, 1)
            for place in range(row, width):
                x, y = total[place], activation[place - row] & field[row]
                total[place], following = Signal(name=f"sum_{row}_{place}"), Signal(name=f"carry_{row}_{place}")
                m.d.comb += [total[place].eq(x ^ y ^ carry), following.eq((x & y) | (carry & (x ^ y)))]
                carry = following
        return Cat(*total)
