"""Selecting products for look-up tables of six inputs: 7-series'."""

from collections.abc import Mapping, Sequence

from amaranth.hdl import C, Value

from hw.fpga.cells import Term, drop_repetitions, either
from hw.fpga.numbers import Number, make_magnitude
from hw.fpga.pipeline import Control, Pipeline
from hw.fpga.selecting import Bits, SelectingProduct, read_code
from hw.fpga.xc7 import pack_terms


class Lut6Product(SelectingProduct):
    """Multiplies by selecting and shifting in look-up tables of six inputs.

    One table makes two choices, and there is one register. Signs are left to the adder.
    """

    odd_first = True

    def make_controls(self, code: Value, below: Value | None) -> dict[str, Control]:
        """Make the control bits of a weight's code by name, its choices among them."""
        controls = super().make_controls(code, below)
        sign = controls["sign"]
        _, choices = read_code(self.mac, code, self.odd_first)
        return (
            controls
            | {"relative": Control(sign.bit ^ (C(0, 1) if below is None else below[0]), sign.time)}
            | {f"choice_{place}": Control(bit) for place, bit in enumerate(choices[:-1])}
        )

    def build(self, pipeline: Pipeline, name: str, control: Mapping[str, Value], row: Mapping[str, Bits]) -> Number:
        """Add the product of a row, a register behind its tables; returns its number."""
        terms = [*self.select(control, row)]
        bits = pack_terms(pipeline.m, name, terms)
        low, high = self.split(pipeline, name, bits, (control["drop_low"], control["drop_high"]))
        sums = [
            either(*(part[place] for part in (low, high) if place in part))
            for place in range(self.largest.bit_length())
        ]
        return make_magnitude(sums, self.largest, control["sign"], control["relative"])

    def select(self, control: Mapping[str, Value], row: Mapping[str, Bits]) -> list[Term]:
        """Select each bit before the last choice, as a function of its sources and of the choices."""
        vectors = self.list_operands(row)
        for shift in self.list_shifts():
            vectors = [
                [*[None] * before, *vector, *[None] * after]
                for before, after in ((0, shift), (shift, 0))
                for vector in vectors
            ]
        selectors = [control[f"choice_{place}"] for place in range((len(vectors) - 1).bit_length())]
        return [choose_source(selectors, sources) for sources in zip(*vectors, strict=True)]


def choose_source(selectors: Sequence[Value], sources: Sequence[Value | None]) -> Term:
    """Choose the source that the selectors name, the first one their lowest bit; 0 for one that is None."""
    used = drop_repetitions([source for source in sources if source is not None])
    places = [next((place for place, bit in enumerate(used) if bit is source), None) for source in sources]

    def function(*bits: int) -> int:
        place = places[sum(bit << index for index, bit in enumerate(bits[: len(selectors)]))]
        return 0 if place is None else bits[len(selectors) + place]

    return Term((*selectors, *used), function)
