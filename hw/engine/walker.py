"""The walk of a window over a map: where the window of each output pixel begins, pixel by pixel."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.engine.engine_spec import EngineSpec
from hw.engine.instruction_fields import window_fields


def place_layout(spec: EngineSpec) -> data.StructLayout:
    """Where a pixel's window begins: its address, row and column, and whether there is such a pixel."""
    fields = window_fields(spec)
    return data.StructLayout(
        {"address": fields["source"], "row": fields["first_row"], "column": fields["first_column"], "valid": 1}
    )


class Walker(wiring.Component):
    """Goes over the output's pixels, row by row; no multiplier, since every address follows from the one before.

    `restart` goes to the first pixel, `advance` to the next; the place is a register's.

    Members
    -------
    window : In(fields of the instruction that has the window)
    restart, advance : In(1)
    place : Out(`place_layout`)
    """

    def __init__(self, spec: EngineSpec):
        self.spec = spec
        self.place_layout = place_layout(spec)
        super().__init__(
            {
                "window": In(data.StructLayout(window_fields(spec))),
                "restart": In(1),
                "advance": In(1),
                "place": Out(self.place_layout),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        window, place = self.window, self.place
        column, left = Signal.like(window.last_column), Signal.like(window.pixels)
        row_start = Signal.like(window.source)
        m.d.comb += place.valid.eq(left.any())
        with m.If(self.restart):
            m.d.sync += [
                column.eq(0),
                left.eq(window.pixels),
                row_start.eq(window.source),
                place.address.eq(window.source),
                place.row.eq(window.first_row),
                place.column.eq(window.first_column),
            ]
        with m.Elif(self.advance & place.valid):
            m.d.sync += left.eq(left - 1)
            with m.If(column == window.last_column):
                following = Signal.like(row_start)
                m.d.comb += following.eq(row_start + window.row_step)
                m.d.sync += [
                    column.eq(0),
                    row_start.eq(following),
                    place.address.eq(following),
                    place.row.eq(place.row + window.row_stride),
                    place.column.eq(window.first_column),
                ]
            with m.Else():
                m.d.sync += [
                    column.eq(column + 1),
                    place.address.eq(place.address + window.column_step),
                    place.column.eq(place.column + window.column_stride),
                ]
        return m
