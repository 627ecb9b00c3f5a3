"""The rows of the memories of weights and of smooth functions."""

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from hw.engine.engine_spec import EngineSpec
from hw.engine.window_buffer import pick_layout


def weight_row_layout(spec: EngineSpec) -> data.StructLayout:
    """The codes of the weights that a step multiplies, row by row.

    Where lanes keep windows, a row also says which of their places are picked, and whether sums are shifted first.
    """
    fields = {"weights": unsigned(spec.channels**2 * spec.mac.level_set.code_bits)}
    if not spec.window_channels:
        return data.StructLayout(fields)
    return data.StructLayout(fields | {"picks": data.ArrayLayout(pick_layout(), spec.picks), "shifted": unsigned(1)})


def piece_layout(spec: EngineSpec) -> data.StructLayout:
    """A straight piece of a function: what the finisher multiplies a value in it by, and what it then adds."""
    return data.StructLayout({"scale": signed(spec.scale_bits), "bias": signed(spec.total_bits)})
