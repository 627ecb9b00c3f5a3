"""A tree of mapped adders: signed numbers in, one sum with the partial sum out.

A number's complement and the carry that belongs to it are part of the adder that takes the number; each adder takes in
one such carry, and one of three operands two, so that none is left at the end.
"""

from collections.abc import Sequence

from amaranth.hdl import Signal, Value

from asq_model.spec.fixed_point import signed_width
from hw.fpga.cells import AdderCells, Addition, make_addition, make_plain, make_plain_terms
from hw.fpga.numbers import Number
from hw.fpga.pipeline import Pipeline


class SumTree:
    """Adds numbers level by level, a register behind each."""

    def __init__(self, pipeline: Pipeline, cells: AdderCells):
        self.pipeline, self.cells = pipeline, cells

    def add_level(self, numbers: Sequence[Number], at_once: int, name: str) -> list[Number]:
        """Add each `at_once` numbers; what is left over waits in registers."""
        sums, additions = [], []
        for start in range(0, len(numbers), at_once):
            members = numbers[start : start + at_once]
            place = f"{name}_{start}"
            if len(members) == 1:
                sums.append(self.delay(members[0], place))
            elif len(members) == 2:
                made, total = self.add_pair(members[0], members[1], place)
                additions.append(made)
                sums.append(total)
            else:
                sums.append(self.add_three(members, f"{place}_of_three"))
        self.cells.add(self.pipeline.m, name, *additions)
        return sums

    def add_pair(self, x: Number, y: Number, name: str) -> tuple[Addition, Number]:
        """Make the addition of two numbers, still to be laid out, and its sum a cycle later.

        Where a cell has no inputs for both of the signs, one number is added to the other or subtracted from it, as
        their signs are equal or not, and the sum is complemented where it is used.

        Where a carry out costs nothing, the sum's sign is made of it: with both signs inverted, which adds the same
        power of two to each number, a sum that is not negative carries out.
        """
        flips = [number.flip for number in (x, y)]
        carries = [*x.carries, *y.carries]
        low, high, flip = x.low + y.low, x.high + y.high, None
        if x.flip is not None and y.flip is not None and x.relative is not None and not self.fit(x, y):
            flips, carries, flip = [None, x.relative], [x.relative, *x.carries], x.flip
        width = signed_width(low - max(len(carries) - 1, 0), high)
        total = Signal(width, name=f"{name}_total")
        operands = [x.flip_if(width, flips[0]), y.flip_if(width, flips[1])]
        offset = self.cells.free_carry_out and max(len(x.terms), len(y.terms)) < width
        if offset:
            operands = [[*terms[: width - 2], terms[width - 2].complement()] for terms in operands]
        made = make_addition(total, operands[0], operands[1], carries[0] if carries else None)
        return made, self.register_sum(total, low, high, carries[1:], flip, name, offset)

    def fit(self, x: Number, y: Number) -> bool:
        """Whether the cells take all bits of both numbers, complemented."""
        width = max(len(x.terms), len(y.terms))
        terms = zip(x.flip_if(width, x.flip), y.flip_if(width, y.flip), strict=True)
        return all(self.cells.fits(first, second) for first, second in terms)

    def register_sum(
        self,
        total: Signal,
        low: int,
        high: int,
        carries: Sequence[Value],
        flip: Value | None,
        name: str,
        offset: bool = False,
    ) -> Number:
        """Register a sum, and delay with it what is to be added to it. offset: its highest bit is inverted."""
        delay = self.pipeline.delay
        terms = make_plain_terms(
            [self.pipeline.register(total[place], f"{name}_{place}") for place in range(len(total))]
        )
        terms = [*terms[:-1], terms[-1].complement()] if offset else terms
        return Number(terms, low, high, [delay(carry) for carry in carries], None if flip is None else delay(flip))

    def delay(self, number: Number, name: str) -> Number:
        """Delay a number by a cycle, complemented by then if it is to be."""
        bits = self.pipeline.register_terms(number.flip_if(number.width, number.flip), name)
        return Number(
            make_plain_terms(bits), number.low, number.high, [self.pipeline.delay(bit) for bit in number.carries]
        )

    def add_three(self, numbers: Sequence[Number], name: str) -> Number:
        """Add three numbers; returns their sum, a cycle later."""
        low, high = sum(number.low for number in numbers), sum(number.high for number in numbers)
        carries = [carry for number in numbers for carry in number.carries]
        width = signed_width(low - max(len(carries) - 2, 0), high)
        total = Signal(width, name=f"{name}_total")
        bits = list(zip(*(number.extend(width) for number in numbers), strict=True))
        self.cells.add_three(self.pipeline.m, name, total, bits, carries[:2])
        return self.register_sum(total, low, high, carries[2:], None, name)

    def add_last(self, numbers: Sequence[Number], partial: Sequence[Value], total: Signal) -> None:
        """Drive `total` with the partial sum and the one or two numbers that are left."""
        width = len(total)
        carries = [carry for number in numbers for carry in number.carries]
        assert len(carries) <= len(numbers)
        terms = [make_plain(bit) for bit in partial]
        operands = [number.flip_if(width, number.flip) for number in numbers]
        if len(numbers) == 1:
            bits = list(zip(terms, operands[0], strict=True))
            self.cells.add(self.pipeline.m, "sum", Addition(total, bits, carries[0] if carries else None))
        else:
            bits = list(zip(terms, *operands, strict=True))
            self.cells.add_three(self.pipeline.m, "sum", total, bits, carries)
