"""The steps of a layer whose words are picked of windows that lanes keep."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.engine.engine_spec import EngineSpec
from hw.engine.instruction_fields import convolve_fields


class Picker(wiring.Component):
    """Steps through the words of a tile while the windows of the next are filled.

    A tile has as many steps as it has cycles; each reads a row of weights, which says what is picked, too.

        Convolver   fill 0 │ fill 1 │ fill 2 │ …
        Picker             │ pick 0 │ pick 1 │ pick 2 │ …

    Members
    -------
    layer : In(fields of the instruction), constant while it is at work
    whole : In(1), first_group : In(1)
        A tile's windows are filled in the next cycle; the tile is of the first group of output channels.
    active, first, last : Out(1)
        Whether there is a step; it is the first, or the last, of its tile.
    weights : Out
    bank : Out(1)
        Which of its two windows a lane fills.
    """

    def __init__(self, spec: EngineSpec):
        layer = data.StructLayout(convolve_fields(spec))
        super().__init__(
            {
                "layer": In(layer),
                "whole": In(1),
                "first_group": In(1),
                "active": Out(1),
                "first": Out(1),
                "last": Out(1),
                "weights": Out(layer["weights"].shape),
                "bank": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count, following = Signal.like(self.layer.period), Signal.like(self.weights)
        m.d.comb += [
            following.eq(self.weights + 1),
            self.first.eq(self.active & ~count.any()),
            self.last.eq(self.active & (count == self.layer.period)),
        ]
        with m.If(self.active):
            m.d.sync += [count.eq(count + 1), self.weights.eq(following)]
        with m.If(self.last):
            m.d.sync += self.active.eq(0)
        with m.If(self.whole):
            m.d.sync += [self.active.eq(1), count.eq(0), self.bank.eq(~self.bank)]
            m.d.sync += self.weights.eq(Mux(self.first_group, self.layer.weights, following))
        return m
