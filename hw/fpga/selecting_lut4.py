"""Selecting products for look-up tables of four inputs: ECP5's. (iCE40's products are generic.)"""

from collections.abc import Mapping, Sequence

from amaranth.hdl import C, Mux, Value

from asq_model.spec.mac import MacSpec
from asq_model.spec.mapping import choices
from hw.fpga.cells import either, make_plain
from hw.fpga.numbers import Number, make_complemented
from hw.fpga.pipeline import Control, Pipeline
from hw.fpga.selecting import Bits, SelectingProduct, read_code


class Lut4Product(SelectingProduct):
    """Multiplies by selecting and shifting in look-up tables of four inputs.

    There is a register after each choice. The first table has an input left, which takes the sign. Places that a shift
    leaves open get the sign.
    """

    def __init__(self, mac: MacSpec):
        super().__init__(mac)
        self.layers = choices(mac) - 1

    def make_controls(self, code: Value, below: Value | None) -> dict[str, Control]:
        """Make the control bits of a weight's code by name: choices, and when a bit is complemented or filled."""
        nonzero, chosen = read_code(self.mac, code, self.odd_first)
        negative = nonzero & code[-1]
        return (
            super().make_controls(code, below)
            | {"flip": Control(negative)}
            | {f"choice_{place}": Control(bit, place) for place, bit in enumerate(chosen[:-1])}
            | {f"fill_{layer}": Control(negative, layer) for layer in range(1, self.layers)}
            | {"fill_low": Control(negative & chosen[-1], self.layers)}
            | {"fill_high": Control(negative & ~chosen[-1], self.layers)}
        )

    def build(self, pipeline: Pipeline, name: str, control: Mapping[str, Value], row: Mapping[str, Bits]) -> Number:
        """Add the product of a row, a register behind each layer of tables; returns its number."""
        vectors, shifts = self.list_operands(row), self.list_shifts()
        if len(vectors) == 1:
            shift = shifts.pop(0)
            vectors = [[*vectors[0], *[None] * shift], [*[None] * shift, *vectors[0]]]
        chosen = self.choose(vectors, control["choice_0"], C(0, 1), control["flip"])
        for layer, shift in enumerate(shifts, start=1):
            held = [pipeline.register(bit, f"{name}_{layer}_{place}") for place, bit in enumerate(chosen)]
            pair = [[*held, *[None] * shift], [*[None] * shift, *held]]
            chosen = self.choose(pair, control[f"choice_{layer}"], control[f"fill_{layer}"], C(0, 1))
        low, high = self.split(pipeline, name, chosen, (control["drop_low"], control["drop_high"]))
        terms = [
            either(low.get(place, control["fill_high"]), high.get(place, control["fill_low"]))
            for place in range(self.largest.bit_length())
        ]
        return make_complemented(terms, self.largest, make_plain(control["sign"]), control["sign"])

    def choose(self, pair: Sequence[Sequence[Value | None]], second: Value, fill: Value, flip: Value) -> list[Value]:
        """Choose one of two operands, complemented where `flip` is set; `fill` where they have no bit."""
        return [
            Mux(second, fill if y is None else y, fill if x is None else x) ^ flip for x, y in zip(*pair, strict=True)
        ]
