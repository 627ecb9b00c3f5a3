"""Signed numbers on their way through a tree of adders: their bits as terms, and what is still to be added to them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from amaranth.hdl import Value

from asq_model.spec.fixed_point import signed_width
from hw.fpga.cells import ZERO, Term


@dataclass(frozen=True)
class Number:
    """A signed number that is not whole yet: its bits, and the carries and the complement that belong to it.

    terms: the bits, the lowest first and the last the sign's. low, high: what it may be once all is added. flip:
    complement the bits where it is set. carries: bits of weight 1 that are to be added; a complement's own is among
    them. relative: where the number is a product, the exclusive or of `flip` and that of the next product.
    """

    terms: Sequence[Term]
    low: int
    high: int
    carries: Sequence[Value] = field(default_factory=tuple)
    flip: Value | None = None
    relative: Value | None = None

    def extend(self, width: int) -> list[Term]:
        """Make the terms of a longer number, or of its lower bits, not yet complemented."""
        sign = self.terms[-1]
        return [self.terms[place] if place < len(self.terms) else sign for place in range(width)]

    def flip_if(self, width: int, sign: Value | None) -> list[Term]:
        """Make the terms of `width` bits, complemented where `sign` is set."""
        terms = self.extend(width)
        return terms if sign is None else [term.flip_if(sign) for term in terms]

    @property
    def width(self) -> int:
        """Bits that hold the number, with all of its carries or none of them added."""
        return signed_width(self.low - len(self.carries), self.high)


def make_magnitude(terms: Sequence[Term], largest: int, sign: Value, relative: Value | None) -> Number:
    """Make the number of a product's magnitude and sign. Its bits are positive, complemented where it is used."""
    return Number([*terms, ZERO], -largest, largest, (sign,), sign, relative)


def make_complemented(terms: Sequence[Term], largest: int, sign: Term, carry: Value) -> Number:
    """Make the number of a product whose bits are complemented already; `sign` goes on above them."""
    return Number([*terms, sign], -largest, largest, (carry,))
