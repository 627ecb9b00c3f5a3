"""Adding up many terms at once: a pipelined binary tree of adders, and the adder that it is made of."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

Term = tuple[Value, Value]  # (value, carry), which means value + carry


def add(x: Value, y: Value, carry: Value) -> Value:
    """Add x + y + carry, signed, by one adder.

    The carry, if there is one, goes in as a bit below the lowest, with a one on the other side, which every synthesis
    tool maps to the carry chain; `x + y + carry` becomes a second adder in some. (The carry on both sides would do as
    well, but nextpnr often cannot route it on iCE40.) Operands are not extended here: Yosys maps a short signed operand
    to fewer LUTs than a copy of its sign bits.

        x:      x[n] … x[1] x[0] carry
        y:    + y[n] … y[1] y[0]   1      the lowest place carries over exactly if `carry` is set,
                └── result ────┘  drop    and its own sum is dropped
    """
    one = Const(1, 1)[: len(carry)]
    return (Cat(carry, x).as_signed() + Cat(one, y).as_signed())[len(carry) :].as_signed()


def carry_of(term: data.View) -> Value:
    """A term's carry; no bit at all of a term that has none."""
    return term.carry if "carry" in term.shape().members else Const(0, 0)


def select_terms(terms: Sequence[data.View], sums: int) -> list[list[Term]]:
    """Select every term as (value, carry), once for each of `sums` sums: zero where its `lane` names another sum."""
    if sums == 1:
        return [[(term.value, carry_of(term)) for term in terms]]
    groups = []
    for lane in range(sums):
        group = []
        for term in terms:
            belongs = term.lane == lane
            group.append((Mux(belongs, term.value, 0).as_signed(), carry_of(term) & belongs))
        groups.append(group)
    return groups


def count_tree_levels(terms: int) -> int:
    """Count the levels of a binary tree over that many terms."""
    return (terms - 1).bit_length()


class AdderTree(wiring.Component):
    """Adds up `lanes` terms a cycle, separately for each of `sums` sums, with a register after each level.

    Interval 1, latency `count_tree_levels(lanes)`.

        term 0 ─┐
                ├─ add ─ reg ─┐
        term 1 ─┘             ├─ add ─ reg ─ sum
        term 2 ────────  reg ─┘

    Every adder takes one term's carry in; the last term's is left over and comes out. All registers advance together,
    when the result is taken or there is none.

    Members
    -------
    i : In(stream of `lanes` terms and last)
    o : Out(stream of one (value, carry) per sum, and last)
    """

    def __init__(self, term: data.StructLayout, lanes: int, sums: int = 1):
        self.lanes, self.sums = lanes, sums
        shape = Shape.cast(term.members["value"])
        total = {"value": signed(shape.width + count_tree_levels(lanes))}
        total |= {"carry": unsigned(1)} if "carry" in term.members else {}
        self.total = data.StructLayout(total)
        super().__init__(
            {
                "i": In(stream.Signature(data.StructLayout({"terms": data.ArrayLayout(term, lanes), "last": 1}))),
                "o": Out(stream.Signature(data.StructLayout({"sums": data.ArrayLayout(self.total, sums), "last": 1}))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        advances = Signal()
        m.d.comb += [advances.eq(~self.o.valid | self.o.ready), self.i.ready.eq(advances)]
        self.delay_flags(m, advances)
        groups = select_terms([self.i.p.terms[index] for index in range(self.lanes)], self.sums)
        for index, terms in enumerate(groups):
            value, carry = self.reduce(m, terms, advances, f"sum_{index}")
            m.d.comb += self.o.p.sums[index].value.eq(value)
            if "carry" in self.total.members:
                m.d.comb += self.o.p.sums[index].carry.eq(carry)
        return m

    def delay_flags(self, m: Module, advances: Signal) -> None:
        """Carry `valid` and `last` along with the terms, a register per level."""
        valid, last = self.i.valid, self.i.p.last
        for level in range(count_tree_levels(self.lanes)):
            before = valid, last
            valid, last = Signal(name=f"valid_{level}"), Signal(name=f"last_{level}")
            with m.If(advances):
                m.d.sync += [valid.eq(before[0]), last.eq(before[1])]
        m.d.comb += [self.o.valid.eq(valid), self.o.p.last.eq(last)]

    def reduce(self, m: Module, terms: list[Term], advances: Signal, name: str) -> Term:
        """Add the terms in pairs, level by level; returns the one (value, carry) that is left."""

        def register(part: Value, place: str) -> Value:
            if not len(part):
                return part  # there is no carry
            held = Signal(part.shape(), name=f"{name}_{place}")
            with m.If(advances):
                m.d.sync += held.eq(part)
            return held

        for level in range(count_tree_levels(self.lanes)):
            following = []
            for index in range(0, len(terms), 2):
                if index + 1 < len(terms):
                    (x, x_carry), (y, carry) = terms[index : index + 2]
                    value = add(x, y, x_carry)
                else:
                    value, carry = terms[index]  # the odd one out waits for the next level
                following.append((register(value, f"{level}_{index}"), register(carry, f"carry_{level}_{index}")))
            terms = following
        return terms[0]
