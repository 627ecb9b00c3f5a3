"""Mapped products that add rows: uniform weights of sign and magnitude, and APoT of four bits.

A row is the activation, shifted, times one bit of the weight: an and-gate in the adder's cell, or a flip-flop's reset.

    uniform    a·w₀ + 2a·w₁, then + 4a·w₂ by a second adder, or all three at once where the cells add three numbers;
               of weights −1, 0 and 1 a·w₀ alone, in registers that are reset where it is 0
    APoT       a, 4a or 8a, or nothing, + 2a or nothing
"""

from collections.abc import Mapping, Sequence

from amaranth.hdl import C, Mux, Signal, Value

from asq_model.spec.mac import MacSpec
from asq_model.spec.mapping import TERNARY_BITS
from hw.fpga.cells import ZERO, AdderCells, both, either, make_addition, make_plain, make_plain_terms
from hw.fpga.numbers import Number, make_magnitude
from hw.fpga.pipeline import Control, Pipeline

Bits = Sequence[Value]


class SummingProduct:
    """A product that adds up rows of bits, on every FPGA family: a sign apart, and a magnitude that adders make."""

    def __init__(self, mac: MacSpec, cells: AdderCells):
        self.mac, self.cells = mac, cells
        self.largest = int(mac.products.max())

    def hold_sum(self, pipeline: Pipeline, total: Signal, name: str) -> list[Value]:
        """Hold a sum in registers."""
        return [pipeline.register(total[place], f"{name}_{place}") for place in range(len(total))]


class UniformProduct(SummingProduct):
    """`uniform-sign`: a row for each bit of the magnitude, one to three."""

    @property
    def at_once(self) -> bool:
        """Whether three rows are added by one adder."""
        return self.mac.weight_bits == 4 and self.cells.three_operands

    def make_controls(self, code: Value, below: Value | None) -> dict[str, Control]:
        """Make the control bits of a weight's code by name, the sign first."""
        sign = {"sign": Control(code[-1], max(self.mac.weight_bits - 2, 1))}
        if self.at_once:
            return sign | {f"drop_{row}": Control(~code[row]) for row in range(3)}
        if self.mac.weight_bits == TERNARY_BITS:
            return sign | {"drop_0": Control(~code[0])}
        rows = {f"row_{row}": Control(code[row], max(row - 1, 0)) for row in range(self.mac.weight_bits - 1)}
        return sign | {"drop_0": Control(~code[0])} | rows

    def build(self, pipeline: Pipeline, name: str, control: Mapping[str, Value], row: Mapping[str, Bits]) -> Number:
        """Add the product of a row: its magnitude, made of one to three rows of bits; returns its number."""
        if self.mac.weight_bits == TERNARY_BITS:
            make = self.hold_row
        else:
            make = self.add_three_rows if self.at_once else self.add_row_by_row
        bits = make(pipeline, name, control, row["activation"])
        return make_magnitude(make_plain_terms(bits), self.largest, control["sign"], None)

    def hold_row(self, pipeline: Pipeline, name: str, control: Mapping[str, Value], activation: Bits) -> list[Value]:
        """Hold the activation in registers that are reset where the weight is 0."""
        return [pipeline.register(bit, f"{name}_{place}", control["drop_0"]) for place, bit in enumerate(activation)]

    def add_row_by_row(
        self, pipeline: Pipeline, name: str, control: Mapping[str, Value], activation: Bits
    ) -> list[Value]:
        """Make the magnitude by an addition for each row after the first; a sum's lowest bits stay as they are."""
        width = len(activation)
        low = [pipeline.register(activation[0], f"{name}_low", control["drop_0"])]
        first = [both(bit, control["row_0"]) for bit in activation[1:]]
        second = [both(bit, control["row_1"]) for bit in activation]
        additions = []
        total = Signal(width + 1, name=f"{name}_total_1")
        additions.append(make_addition(total, first, second))
        high = self.hold_sum(pipeline, total, f"{name}_1")
        for index in range(2, self.mac.weight_bits - 1):
            low = [*(pipeline.delay(bit) for bit in low), pipeline.delay(high[0])]
            following = [both(pipeline.delay(bit, index - 1), control[f"row_{index}"]) for bit in activation]
            total = Signal(width + 1, name=f"{name}_total_{index}")
            additions.append(make_addition(total, make_plain_terms(high[1:]), following))
            high = self.hold_sum(pipeline, total, f"{name}_{index}")
        self.cells.add(pipeline.m, f"{name}_rows", *additions)
        return [*low, *high]

    def add_three_rows(
        self, pipeline: Pipeline, name: str, control: Mapping[str, Value], activation: Bits
    ) -> list[Value]:
        """Make the magnitude by one addition of three rows, each in registers that are reset where its bit is 0."""
        rows = [
            [
                *[ZERO] * index,
                *(
                    make_plain(pipeline.register(bit, f"{name}_row_{index}_{place}", control[f"drop_{index}"]))
                    for place, bit in enumerate(activation)
                ),
                *[ZERO] * (3 - index),
            ]
            for index in range(3)
        ]
        lowest, *bits = zip(*rows, strict=True)
        total = Signal(self.largest.bit_length() - 1, name=f"{name}_total")
        self.cells.add_three(pipeline.m, f"{name}_rows", total, bits[: len(total)], ())
        return [pipeline.delay(lowest[0].signals[0]), *self.hold_sum(pipeline, total, name)]


class ApotProduct(SummingProduct):
    """`apot` of four bits: one of 8a, 4a, a or nothing, by the field of two bits, and 2a or nothing."""

    def make_controls(self, code: Value, below: Value | None) -> dict[str, Control]:
        """Make the control bits of a weight's code by name, the sign first."""
        field = code[:2]
        controls = {"sign": Control(code[3], 2), "row": Control(code[2], 1), "drop_0": Control(field != 3)}
        if self.cells.three_operands:
            return controls | {"drop_2": Control(field != 2), "drop_3": Control(field != 1)}
        return controls | {"larger": Control(field[0]), "drop_large": Control(~(field[0] ^ field[1]))}

    def build(self, pipeline: Pipeline, name: str, control: Mapping[str, Value], row: Mapping[str, Bits]) -> Number:
        """Add the product of a row: its magnitude, the sum of two shifted copies; returns its number."""
        activation = row["activation"]
        width = len(activation) + 3
        small = self.hold(pipeline, f"{name}_small", activation, control["drop_0"], 0)
        if self.cells.three_operands:  # whose cells have inputs for all three
            large = [
                self.hold(pipeline, f"{name}_{shift}", activation, control[f"drop_{shift}"], shift) for shift in (2, 3)
            ]
        else:
            zero = C(0, 1)
            pairs = zip([*activation, zero], [zero, *activation], strict=True)  # 4a and 8a
            chosen = [Mux(control["larger"], y, x) for x, y in pairs]
            large = [self.hold(pipeline, f"{name}_large", chosen, control["drop_large"], 2)]
        first = [either(*(part[place] for part in (small, *large) if place in part)) for place in range(width)]
        second = [both(pipeline.delay(bit), control["row"]) for bit in activation]
        total = Signal(self.largest.bit_length() - 1, name=f"{name}_total")
        self.cells.add(pipeline.m, f"{name}_rows", make_addition(total, first[1:], second))
        bits = [pipeline.delay(first[0].signals[0]), *self.hold_sum(pipeline, total, name)]
        return make_magnitude(make_plain_terms(bits), self.largest, control["sign"], None)

    def hold(self, pipeline: Pipeline, name: str, bits: Bits, drop: Value, shift: int) -> dict[int, Value]:
        """Hold bits in registers that are reset where `drop` is set, by the place that a shift gives them."""
        return {place + shift: pipeline.register(bit, f"{name}_{place}", drop) for place, bit in enumerate(bits)}
