"""7-series: a bit cell is a LUT6_2 of five inputs and a place of a CARRY4.

Output O6 is the sum before the carry, O5 one of the terms, which goes on as the carry where both are the same:

    O6 = x ⊕ y      sum = O6 ⊕ carry      carry out = O6 ? carry : O5

Three numbers are added in one row of cells too: O5 is then the majority of three terms, which the next cell adds.

    O6[i] = x ⊕ y ⊕ z ⊕ O5[i−1]      O5[i] = maj(x, y, z)      carry out = O6[i] ? carry : O5[i−1]
"""

from collections.abc import Callable, Sequence

from amaranth.hdl import Cat, Const, Instance, Module, Signal, Value

from hw.fpga.cells import ONE_BIT, ZERO_BIT, AdderCells, Addition, Term, drop_repetitions, majority, make_truth_table

CELL_INPUTS = 5  # of a LUT6_2 with two outputs
CARRY_PLACES = 4  # of a CARRY4
Function = Callable[..., int]


def add_two_functions(
    m: Module, name: str, inputs: Sequence[Value], six: Function, five: Function
) -> tuple[Signal, Signal]:
    """Add a LUT6_2 of at most five inputs; returns its outputs O6 and O5, the functions `six` and `five` of them."""
    assert len(inputs) <= CELL_INPUTS
    outputs = Signal(name=f"{name}_o6"), Signal(name=f"{name}_o5")
    padded = [*inputs, *[ZERO_BIT] * (CELL_INPUTS - len(inputs))]
    halves = [make_truth_table(lambda *bits, f=part: f(*bits[: len(inputs)]), CELL_INPUTS) for part in (five, six)]
    m.submodules[name] = Instance(
        "LUT6_2",
        a_keep=True,  # cells of a chain that compute the same are not one: each place has a look-up table of its own
        p_INIT=Const(halves[1] << 32 | halves[0], 64),
        o_O6=outputs[0],
        o_O5=outputs[1],
        i_I5=ONE_BIT,
        **{f"i_I{place}": bit for place, bit in enumerate(padded)},
    )
    return outputs


def function_of(term: Term, inputs: Sequence[Value]) -> Function:
    """The term as a function of these inputs, among which its signals are."""
    places = [next(place for place, bit in enumerate(inputs) if bit is signal) for signal in term.signals]
    return lambda *bits: term.function(*(bits[place] for place in places))


def exclusive_or(*functions: Function) -> Function:
    """The exclusive or of functions of the same inputs."""
    return lambda *bits: sum(function(*bits) for function in functions) & 1


def pack_terms(m: Module, name: str, terms: Sequence[Term]) -> list[Value]:
    """Pack terms as signals: two in a LUT6_2 where they have at most five inputs together, the others by logic."""
    made: dict[int, Value] = {}
    for place, term in enumerate(terms):
        if place in made:
            continue
        joint = {
            other: drop_repetitions([*term.signals, *terms[other].signals])
            for other in range(place + 1, len(terms))
            if other not in made
        }
        fitting = {other: inputs for other, inputs in joint.items() if len(inputs) <= CELL_INPUTS}
        if fitting:
            # The most inputs that fit: what has few finds another partner.
            other, inputs = max(fitting.items(), key=lambda item: len(item[1]))
            functions = [function_of(part, inputs) for part in (term, terms[other])]
            made[place], made[other] = add_two_functions(m, f"{name}_select_{place}", inputs, *functions)
        else:
            made[place] = term.make_logic()
    return [made[place] for place in range(len(terms))]


class Xc7Cells(AdderCells):
    """Additions in LUT6_2 and CARRY4. A carry in costs no cell."""

    three_operands = True
    free_carry_out = True

    def fits(self, x: Term, y: Term) -> bool:
        """Whether both terms together have few enough inputs for one LUT6_2."""
        return len(drop_repetitions([*x.signals, *y.signals])) <= CELL_INPUTS

    def lay_out(self, m: Module, name: str, additions: Sequence[Addition]) -> None:
        """Make each addition in tables and a carry chain of its own."""
        for index, addition in enumerate(additions):
            selects, generates = [], []
            for place, (x, y) in enumerate(addition.bits):
                inputs = drop_repetitions([*x.signals, *y.signals])
                first, second = function_of(x, inputs), function_of(y, inputs)
                six, five = add_two_functions(m, f"{name}_{index}_{place}", inputs, exclusive_or(first, second), second)
                selects.append(six)
                generates.append(five)
            self.chain(m, f"{name}_{index}", addition.total, selects, generates, addition.carry)

    def add_three(
        self, m: Module, name: str, total: Signal, bits: Sequence[Sequence[Term]], carries: Sequence[Value]
    ) -> None:
        """Drive `total` with the sum of three numbers: tables make two numbers of them, a carry chain adds these."""
        first, second = [*carries, ZERO_BIT, ZERO_BIT][:2]
        selects, generates = [], []
        below: Value = second
        for place, terms in enumerate(bits):
            generates.append(below)
            signals = [signal for term in terms for signal in term.signals]
            inputs = drop_repetitions([*signals, *([] if below is ZERO_BIT else [below])])
            if not inputs:  # a carry comes out, and nothing is added to it
                selects.append(ZERO_BIT)
                continue
            parts = [function_of(term, inputs) for term in terms]
            above = [function_of(Term((below,), lambda bit: bit), inputs)] if below is not ZERO_BIT else []
            six, five = add_two_functions(
                m,
                f"{name}_{place}",
                inputs,
                exclusive_or(*parts, *above),
                lambda *bits, parts=tuple(parts): majority(*(part(*bits) for part in parts)),
            )
            selects.append(six)
            below = five if sum(bool(term.signals) for term in terms) > 1 else ZERO_BIT
        self.chain(m, name, total, selects, generates, first)

    def chain(
        self,
        m: Module,
        name: str,
        total: Signal,
        selects: Sequence[Value],
        generates: Sequence[Value],
        carry: Value | None,
    ) -> None:
        """The carry chain behind the look-up tables; places beyond theirs give the carry out."""
        below: Value = ZERO_BIT
        for start in range(0, len(total), CARRY_PLACES):
            width = min(CARRY_PLACES, len(total) - start)
            sums, carries = Signal(CARRY_PLACES, name=f"{name}_sums_{start}"), Signal(4, name=f"{name}_carries_{start}")
            places = slice(start, start + CARRY_PLACES)
            m.submodules[f"{name}_carry_{start}"] = Instance(
                "CARRY4",
                i_CI=below,
                i_CYINIT=carry if start == 0 and carry is not None else ZERO_BIT,
                i_S=Cat(*selects[places], Const(0, CARRY_PLACES))[:CARRY_PLACES],
                i_DI=Cat(*generates[places], Const(0, CARRY_PLACES))[:CARRY_PLACES],
                o_O=sums,
                o_CO=carries,
            )
            m.d.comb += total[start : start + width].eq(sums)
            below = carries[CARRY_PLACES - 1]
