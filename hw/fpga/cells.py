"""Additions as rows of bit cells, which every FPGA family lays out in its own look-up tables and carry chains.

A bit cell adds two bits and a carry. Each of its two bits is a *term*: a function of a few signals. A family says how
many signals fit into the look-up table in front of its carry chain; gates, multiplexers and signs that fit there cost
nothing.

          signals of x      signals of y
               │                 │
        ┌──────▼─────────────────▼──────┐
        │ sum = x ⊕ y ⊕ carry           │
        │ carry out = maj(x, y, carry)  │ ──► next cell
        └───────────────────────────────┘
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from amaranth.hdl import Array as Table
from amaranth.hdl import Cat, Const, Module, Signal, Value

ZERO_BIT, ONE_BIT = Const(0, 1), Const(1, 1)


@dataclass(frozen=True)
class Term:
    """One bit of an operand: a function of signals of one bit. Without signals it is a constant."""

    signals: tuple[Value, ...] = ()
    function: Callable[..., int] = lambda: 0

    def flip_if(self, sign: Value) -> "Term":
        """Complement the term where `sign` is set."""
        return Term((*self.signals, sign), lambda *bits: self.function(*bits[:-1]) ^ bits[-1])

    @property
    def is_plain(self) -> bool:
        """Whether the term is a signal itself."""
        return len(self.signals) == 1 and make_truth_table(self.function, 1) == 0b10

    def complement(self) -> "Term":
        """The opposite of the term."""
        return Term(self.signals, lambda *bits: 1 - self.function(*bits))

    def make_logic(self) -> Value:
        """Make the logic of the term."""
        if not self.signals:
            return Const(self.function(), 1)
        contents = make_truth_table(self.function, len(self.signals))
        return Table(Const(contents >> index & 1, 1) for index in range(1 << len(self.signals)))[Cat(*self.signals)]


ZERO = Term()


def make_plain(signal: Value) -> Term:
    """Make the term that is a signal itself."""
    return Term((signal,), lambda bit: bit)


def either(*signals: Value) -> Term:
    """A term that is 1 where one of the signals is."""
    return Term(signals, lambda *bits: int(any(bits)))


def both(bit: Value, enable: Value) -> Term:
    """Whether both signals are set: one bit of a number times another bit."""
    return Term((bit, enable), lambda first, second: first & second)


def make_plain_terms(bits: Sequence[Value]) -> list[Term]:
    """Make the terms that are the bits of a number themselves."""
    return [make_plain(bit) for bit in bits]


def make_truth_table(function: Callable[..., int], inputs: int) -> int:
    """Make a look-up table's contents: bit i is the function of i's bits, the first input the lowest."""
    return sum(function(*(index >> place & 1 for place in range(inputs))) << index for index in range(1 << inputs))


def drop_repetitions(signals: Sequence[Value]) -> list[Value]:
    """Drop repetitions of signals; a signal is the same object wherever it is used."""
    return list({id(signal): signal for signal in signals}.values())


def majority(x: int, y: int, z: int) -> int:
    """What most of three bits are: the carry of their sum."""
    return (x & y) | (x & z) | (y & z)


@dataclass(frozen=True)
class Addition:
    """A sum to be made: `total` = Σ 2^i·(x_i + y_i) + carry, modulo 2^width of `total`.

    bits: the terms (x, y) of each place, at most one place fewer than `total` has: the last one is then the carry out.
    """

    total: Signal
    bits: Sequence[tuple[Term, Term]]
    carry: Value | None = None

    @property
    def carries_out(self) -> bool:
        """Whether the sum has a bit more than its operands, the carry out."""
        return len(self.total) > len(self.bits)


def make_addition(total: Signal, x: Sequence[Term], y: Sequence[Term], carry: Value | None = None) -> Addition:
    """Make the addition of two numbers by their terms, the lowest first; places that one of them has not are 0."""
    places = list(zip_longest(x, y, fillvalue=ZERO))[: len(total)]
    assert len(total) - len(places) <= 1
    return Addition(total, places, carry)


class AdderCells(ABC):
    """How an FPGA family adds.

    three_operands: whether it adds three numbers in one row of cells, by `add_three`. free_carry_out: whether the carry
    comes out of the last cell without another one.
    """

    three_operands = False
    free_carry_out = False

    @abstractmethod
    def fits(self, x: Term, y: Term) -> bool:
        """Whether one cell takes both terms as they are."""

    @abstractmethod
    def lay_out(self, m: Module, name: str, additions: Sequence[Addition]) -> None:
        """Drive the totals of additions whose terms all fit."""

    def add(self, m: Module, name: str, *additions: Addition) -> None:
        """Drive the totals. Terms that do not fit into a cell are made by logic in front of it."""
        made = []
        for index, wanted in enumerate(additions):
            bits = [self.fit_terms(m, f"{name}_{index}_{place}", x, y) for place, (x, y) in enumerate(wanted.bits)]
            made.append(Addition(wanted.total, bits, wanted.carry))
        self.lay_out(m, name, made)

    def fit_terms(self, m: Module, name: str, x: Term, y: Term) -> tuple[Term, Term]:
        """Make two terms fit into one cell: where they do not, one of them, or both, become signals made by logic."""
        for side in ("y", "x"):
            if self.fits(x, y):
                break
            made = Signal(name=f"{name}_{side}")
            m.d.comb += made.eq((y if side == "y" else x).make_logic())
            x, y = (x, make_plain(made)) if side == "y" else (make_plain(made), y)
        return x, y

    def add_three(
        self, m: Module, name: str, total: Signal, bits: Sequence[Sequence[Term]], carries: Sequence[Value]
    ) -> None:
        """Drive `total` with the sum of three numbers, three terms a place, and of up to two carries.

        Only families with a ternary adder have it; raises TypeError for the others.
        """
        raise TypeError(f"{type(self).__name__} has no adder of three numbers")
