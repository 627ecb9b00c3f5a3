"""Adding up many terms at once: a pipelined binary tree."""

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out


def add(x: Value, y: Value, carry: Value) -> Value:
    """x + y + carry, signed, by one adder.

    The carry, if there is one, goes in as a bit below the lowest, with a one on the other side, which every synthesis
    tool maps to the carry chain; `x + y + carry` becomes a second adder in some. (The carry on both sides would do as
    well, but nextpnr often cannot route it on iCE40.) Operands are not extended here: Yosys maps a short signed operand
    to fewer LUTs than a copy of its sign bits.
    """
    one = Const(1, 1)[: len(carry)]
    return (Cat(carry, x).as_signed() + Cat(one, y).as_signed())[len(carry) :].as_signed()


def carry_of(term) -> Value:
    """A term's carry; of a term that has none, no bit at all."""
    return term.carry if "carry" in term.shape().members else Const(0, 0)


def lane_terms(terms: list, sums: int) -> list[list[tuple[Value, Value]]]:
    """(value, carry) of every term by the sum it belongs to: the only one, or that which its `lane` says."""
    if sums == 1:
        return [[(term.value, carry_of(term)) for term in terms]]
    return [
        [
            (Mux(mine, term.value, 0).as_signed(), carry_of(term) & mine)
            for term in terms
            for mine in [term.lane == lane]
        ]
        for lane in range(sums)
    ]


def levels(lanes: int) -> int:
    """Levels of a tree over that many terms, and its latency in cycles."""
    return (lanes - 1).bit_length()


class Tree(wiring.Component):
    """Adds up `lanes` terms a cycle, separately for each of `sums`, a register after each level.

    Every adder takes one term's carry in; the last term's is left over and comes out. Interval 1, latency
    `levels(lanes)`. All registers advance together, when the result is taken or there is none.

    Members
    -------
    i : In(stream of `lanes` terms and last)
    o : Out(stream of one (value, carry) per sum, and last)
    """

    def __init__(self, term: data.StructLayout, lanes: int, sums: int = 1):
        self.lanes, self.sums = lanes, sums
        shape = Shape.cast(term.members["value"])
        total = {"value": signed(shape.width + levels(lanes))}
        total |= {"carry": unsigned(1)} if "carry" in term.members else {}
        self.total = data.StructLayout(total)
        super().__init__(
            {
                "i": In(stream.Signature(data.StructLayout({"terms": data.ArrayLayout(term, lanes), "last": 1}))),
                "o": Out(stream.Signature(data.StructLayout({"sums": data.ArrayLayout(self.total, sums), "last": 1}))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        advances = Signal()
        m.d.comb += [advances.eq(~self.o.valid | self.o.ready), self.i.ready.eq(advances)]
        valid, last = self.i.valid, self.i.p.last
        for level in range(levels(self.lanes)):
            before = valid, last
            valid, last = Signal(name=f"valid_{level}"), Signal(name=f"last_{level}")
            with m.If(advances):
                m.d.sync += [valid.eq(before[0]), last.eq(before[1])]
        m.d.comb += [self.o.valid.eq(valid), self.o.p.last.eq(last)]
        groups = lane_terms([self.i.p.terms[index] for index in range(self.lanes)], self.sums)
        for index, terms in enumerate(groups):
            value, carry = self.reduced(m, terms, advances, f"sum_{index}")
            m.d.comb += self.o.p.sums[index].value.eq(value)
            if "carry" in self.total.members:
                m.d.comb += self.o.p.sums[index].carry.eq(carry)
        return m

    def reduced(self, m: Module, terms: list[tuple[Value, Value]], advances: Signal, name: str) -> tuple[Value, Value]:
        """(value, carry) of the sum of terms."""

        def register(part: Value, what: str) -> Value:
            if not len(part):
                return part  # there is no carry
            held = Signal(part.shape(), name=f"{name}_{what}")
            with m.If(advances):
                m.d.sync += held.eq(part)
            return held

        for level in range(levels(self.lanes)):
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
