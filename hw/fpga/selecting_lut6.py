"""Selecting products for look-up tables of six inputs: 7-series'."""

from collections.abc import Mapping, Sequence

from amaranth.hdl import C, Value

from hw.fpga.cells import Term, distinct, either
from hw.fpga.numbers import Number, magnitude
from hw.fpga.pipeline import Control, Pipeline
from hw.fpga.selecting import Bits, SelectingProduct, meaning
from hw.fpga.xc7 import packed


class Lut6Product(SelectingProduct):
    """Multiplies by selecting and shifting in look-up tables of six inputs.

    One table makes two choices, and there is one register. Signs are left to the adder.
    """

    odd_first = True

    def controls(self, code: Value, below: Value | None) -> dict[str, Control]:
        controls = super().controls(code, below)
        sign = controls["sign"]
        _, choices = meaning(self.mac, code, self.odd_first)
        return (
            controls
            | {"relative": Control(sign.bit ^ (C(0, 1) if below is None else below[0]), sign.time)}
            | {f"choice_{place}": Control(bit) for place, bit in enumerate(choices[:-1])}
        )

    def build(self, pipeline: Pipeline, name: str, control: Mapping[str, Value], row: Mapping[str, Bits]) -> Number:
        terms = [*self.selected(control, row)]
        bits = packed(pipeline.m, name, terms)
        low, high = self.split(pipeline, name, bits, (control["drop_low"], control["drop_high"]))
        sums = [
            either(*(part[place] for part in (low, high) if place in part))
            for place in range(self.largest.bit_length())
        ]
        return magnitude(sums, self.largest, control["sign"], control["relative"])

    def selected(self, control: Mapping[str, Value], row: Mapping[str, Bits]) -> list[Term]:
        """Each bit before the last choice, as a function of its sources and of the choices."""
        vectors = self.operands(row)
        for shift in self.shifts():
            vectors = [
                [*[None] * before, *vector, *[None] * after]
                for before, after in ((0, shift), (shift, 0))
                for vector in vectors
            ]
        selectors = [control[f"choice_{place}"] for place in range((len(vectors) - 1).bit_length())]
        return [choice_of(selectors, sources) for sources in zip(*vectors, strict=True)]


def choice_of(selectors: Sequence[Value], sources: Sequence[Value | None]) -> Term:
    """The source that the selectors name, the first one their lowest bit; 0 for one that is None."""
    used = distinct([source for source in sources if source is not None])
    places = [next((place for place, bit in enumerate(used) if bit is source), None) for source in sources]

    def function(*bits: int) -> int:
        place = places[sum(bit << index for index, bit in enumerate(bits[: len(selectors)]))]
        return 0 if place is None else bits[len(selectors) + place]

    return Term((*selectors, *used), function)
