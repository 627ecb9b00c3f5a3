"""Multipliers that select an operand and shift it: weights that are powers of √2 or 2, and the 4-bit float."""

from abc import abstractmethod

from amaranth.hdl import C, Cat, Module, Mux, Shape, Signal, Value

from hw.multipliers.interface import Product, complement_shape


def shift_left(operand: Value, shift: Value, negative: Value) -> Value:
    """Shift the operand left, signed, with `negative` moving in."""
    fill = negative.replicate((1 << len(shift)) - 1)  # a code for zero may shift further than the largest weight
    return (Cat(fill, operand).as_signed() << shift) >> len(fill)


class ShiftProduct(Product):
    """Selects an operand and shifts it.

                      nonzero           ┊     sign                 ┊
        a ────┐          │              ┊      │                   ┊
              ├─► Mux ─► and ─► operand ┊ ──► xor ─► << by 0 or 1 ─┊─► << by 0, 2, 4, … ─► value
        √2·a ─┘    │                    ┊                          ┊
        or 3·a    odd           stage 1 ┊ stage 2                  ┊ stage 3      sign ──► carry

    Control bits, from the lowest: nonzero, sign, odd (where there is a choice of operands), shift.

    The operand is made zero and complemented before the shift, which fills up with the sign. That is fewer bits than
    after it. With look-up tables of 4 inputs it costs nothing: selection and zero fill one layer of them, and each
    of two shifts leaves an input free for the sign. The first stage ends behind the selection, the second behind the
    first of these shifts.
    """

    sign_place = 1
    selects = False  # whether there is a choice of operands

    @abstractmethod
    def largest_shift(self) -> int:
        """By how much the largest weight shifts the operand."""

    @abstractmethod
    def read_code(self, code: Value) -> tuple[Value, Value, Value]:
        """Read what a code says: whether it is nonzero, whether its operand is the odd one, and its shift."""

    def select_operand(self, odd: Value) -> Value:
        """Select the activation or its multiple, whichever the weight asks for."""
        return self.activation

    def control_bits(self) -> int:
        """How many control bits `decode` makes: nonzero and sign, the operand's choice if there is one, the shift."""
        return 2 + self.selects + self.largest_shift().bit_length()

    def decode(self, code: Value) -> Value:
        """The control bits that stand for a weight's code: what `read_code` says, and the sign."""
        nonzero, odd, shift = self.read_code(code)
        return Cat(nonzero, code[-1], *([odd] if self.selects else []), shift[: self.largest_shift().bit_length()])

    def elaborate(self, platform: object) -> Module:
        m = Module()
        nonzero, negative = self.control[0], self.control[1]
        odd, shift = (self.control[2], self.control[3:]) if self.selects else (C(0, 1), self.control[2:])
        chosen = self.register_stage(m, Mux(nonzero, self.select_operand(odd), 0), "held_operand")
        shift, negative = self.register_stage(m, shift, "held_shift"), self.register_stage(m, negative, "held_sign")
        operand = Signal(len(chosen) + (not chosen.shape().signed), name="operand")
        m.d.comb += operand.eq(chosen ^ negative.replicate(len(operand)))
        if self.stages > 2:
            operand = self.register_stage(m, shift_left(operand, shift[:1], negative), "held_shifted", 2)
            shift = Cat(C(0, 1), self.register_stage(m, shift[1:], "last_shift", 2))
            negative = self.register_stage(m, negative, "last_sign", 2)
        m.d.comb += [self.value.eq(shift_left(operand, shift, negative)), self.carry.eq(negative)]
        return m


class PotProduct(ShiftProduct):
    """`pot`: shifts the activation by the exponent."""

    def largest_shift(self) -> int:
        """By how much the largest weight shifts the operand: its exponent."""
        return self.spec.level_set.magnitudes - 1

    def shift(self, exponent: Value) -> Value:
        """By how much a weight with that exponent shifts the operand."""
        return exponent

    def read_code(self, code: Value) -> tuple[Value, Value, Value]:
        """Read what a code says: whether it is nonzero, whether its half-exponent is odd, and its shift."""
        levels = self.spec.level_set
        if levels.kind == "asymmetric":
            nonzero = code != 1 << levels.bits - 1
        elif levels.kind == "extended":
            nonzero = ~code[-2]
        else:
            nonzero = ~code[:-1].all()
        exponent = Cat(code[: levels.bits - 1], C(0, 1))  # the zero bit, so that there is always one
        return nonzero, exponent[0], self.shift(exponent)


class PostProduct(PotProduct):
    """`post`, Eq. 18: half-exponent n selects a·2^frac (n even) or round(√2·a·2^frac) (n odd), and a shift by n >> 1
    serves both.

    With frac = -1 the root is that of a/2, no wider than a, and shifted one place further. `post-three-halves` selects
    2a or 3a instead.
    """

    selects = True

    def largest_shift(self) -> int:
        """By how much the largest weight shifts the operand."""
        largest = self.spec.level_set.magnitudes - 1
        return max(largest >> 1, (largest + 1 >> 1) if self.spec.frac_bits < 0 else 0)

    def shift(self, exponent: Value) -> Value:
        """By how much a half-exponent shifts the operand: half of it, rounded up where the root is that of a/2."""
        return (exponent >> 1) + exponent[0] if self.spec.frac_bits < 0 else exponent >> 1

    def select_operand(self, odd: Value) -> Value:
        """Select the activation, or for odd half-exponents its product with √2, or with 3/2."""
        root = self.triple if "triple" in self.spec.multiples else self.root
        return Mux(odd, root, self.activation << self.spec.result_frac)


class PostSortedProduct(PotProduct):
    """`post-sorted`: shifts by n >> 1. √2 is not seen: a dot product has terms of one parity."""

    def largest_shift(self) -> int:
        """By how much the largest weight shifts the operand."""
        return self.spec.level_set.magnitudes - 1 >> 1

    def shift(self, exponent: Value) -> Value:
        """By how much a half-exponent shifts the operand: half of it, rounded down."""
        return exponent >> 1


class PostExactProduct(PostSortedProduct):
    """`post-exact`: shifts by n >> 1; whether √2 is a factor goes to `lane`, and nothing is rounded."""

    flags = ("carry", "lane")
    selects = True

    def value_shape(self) -> Shape:
        """Shape of the products without the factor √2, and of their complements."""
        positive = slice(0, 1 << self.spec.level_set.code_bits - 1)
        either = self.spec.even_products[positive] + self.spec.odd_products[positive]  # one of the two is 0
        return complement_shape(either)

    def elaborate(self, platform: object) -> Module:
        m = super().elaborate(platform)
        m.d.comb += self.lane.eq(
            self.register_stage(m, self.register_stage(m, self.control[2], "held_lane"), "last_lane", 2)
        )
        return m


class E2m1Product(ShiftProduct):
    """`e2m1`: shifts a, or 3a for a mantissa bit, by the exponent. Magnitudes are 0, 1, 2, 3, 4, 6, 8, 12."""

    selects = True

    def largest_shift(self) -> int:
        """By how much the largest weight shifts the operand."""
        return 3

    def read_code(self, code: Value) -> tuple[Value, Value, Value]:
        """Read what a code says: whether it is nonzero, whether its operand is 3a, and its shift."""
        mantissa, exponent = code[0], code[1:3]
        normal = exponent.any()
        return code[:3].any(), mantissa & normal, Mux(normal, exponent - mantissa, 0)

    def select_operand(self, odd: Value) -> Value:
        """Select the activation, or 3a."""
        return Mux(odd, self.triple, self.activation)
