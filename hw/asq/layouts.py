"""Payloads that the blocks share: words of several lanes."""

from collections.abc import Sequence

from amaranth.hdl import Shape, Signal, Value, signed, unsigned
from amaranth.lib import data
from amaranth.lib.memory import Memory

from asq_model.spec.adaptive_step import SHIFT_BITS
from asq_model.spec.asq_blocks import BlockSpec


def index_shape(count: int) -> Shape:
    """Of an index below `count`; at least a bit wide, since Verilog has no signal of none."""
    return unsigned(max((count - 1).bit_length(), 1))


def index(count: int) -> Signal:
    return Signal(index_shape(count), src_loc_at=1)


def table(shape: data.Layout, count: int, rows: Sequence[dict] = ()) -> Memory:
    """A memory whose address is an `index` of `count`, with these rows at first, then zeros."""
    return Memory(shape=shape, depth=max(count, 2), init=rows)


def lanes_layout(shape: Shape, count: int) -> data.StructLayout:
    """`count` values side by side, the first lowest. Not an array: some releases of Yosys' ABC9 stop at its names."""
    return data.StructLayout({f"lane{lane}": shape for lane in range(count)})


def lanes(view: data.View) -> list[Value]:
    """The values of a `lanes_layout`."""
    return [view[name] for name, _ in view.shape()]


def values_layout(spec: BlockSpec) -> data.StructLayout:
    """A word of a feature map: `lanes` values of consecutive channels of one pixel, the lowest channel lowest."""
    return lanes_layout(signed(spec.precision), spec.lanes)


def sums_layout(spec: BlockSpec) -> data.StructLayout:
    """The sums of `lanes` consecutive channels."""
    return lanes_layout(signed(spec.sum_bits), spec.lanes)


def codes_layout(spec: BlockSpec) -> data.StructLayout:
    """A word of activation codes."""
    return lanes_layout(Shape(spec.activation_bits, spec.signed_activation), spec.lanes)


def step_layout(spec: BlockSpec) -> data.StructLayout:
    """β (`precision` fraction bits) and the step S of a map."""
    return data.StructLayout({"beta": unsigned(spec.beta_bits), "step": unsigned(spec.step_bits)})


def size_layout(spec: BlockSpec) -> data.StructLayout:
    """The size of the maps: words a pixel, and pixels. Both at least 1, constant while a map is inside."""
    return data.StructLayout({"words": range(spec.words + 1), "pixels": range(spec.pixels + 1)})


def adapter_layout(spec: BlockSpec) -> data.StructLayout:
    """An adapter's constants, as `asq_model.spec.adaptive_step` names them; `hidden`: units in use, 0 for one layer."""
    return data.StructLayout(
        {
            "hidden": range(spec.hidden + 1),
            "hidden_shift": SHIFT_BITS,
            "output_shift": SHIFT_BITS,
            "output_bias": signed(spec.accumulator_bits),
            "floor": unsigned(spec.beta_bits),
            "mantissa": unsigned(spec.mantissa_bits),
        }
    )


def rescale_layout(spec: BlockSpec) -> data.StructLayout:
    """A rescale's constants, as `asq_model.spec.rescale` names them."""
    return data.StructLayout({"scale_shift": SHIFT_BITS, "shift": SHIFT_BITS, "align": SHIFT_BITS, "relu": 1})
