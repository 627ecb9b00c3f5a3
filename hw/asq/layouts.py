"""The payloads and constants of ASQ's blocks, as packed fields: one definition for circuits, sidecars and benches."""

from amaranth.hdl import Shape, Signal, Value, signed, unsigned
from amaranth.lib import data

from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.precision import SHIFT_BITS


def index_shape(count: int) -> Shape:
    """Shape of an index below `count`; at least a bit wide, since Verilog has no signal of none."""
    return unsigned(max((count - 1).bit_length(), 1))


def make_index(count: int) -> Signal:
    """Make a signal that counts from 0 to below `count`."""
    return Signal(index_shape(count), src_loc_at=1)


def lanes_layout(shape: Shape, count: int) -> data.StructLayout:
    """`count` values side by side, the first lowest. Not an array: some releases of Yosys' ABC9 stop at its names."""
    return data.StructLayout({f"lane{lane}": shape for lane in range(count)})


def split_lanes(view: data.View) -> list[Value]:
    """Split a `lanes_layout` into its values."""
    return [view[name] for name, _ in view.shape()]


def values_layout(spec: BlockSpec) -> data.StructLayout:
    """A beat of a feature map: `lanes` values of consecutive channels of one pixel, the lowest channel lowest."""
    return lanes_layout(signed(spec.precision), spec.lanes)


def sums_layout(spec: BlockSpec) -> data.StructLayout:
    """A beat of channel sums: those of `lanes` consecutive channels."""
    return lanes_layout(signed(spec.sum_bits), spec.lanes)


def codes_layout(spec: BlockSpec) -> data.StructLayout:
    """A beat of activation codes."""
    return lanes_layout(Shape(spec.activation_bits, spec.signed_activation), spec.lanes)


def step_layout(spec: BlockSpec) -> data.StructLayout:
    """β (`precision` fraction bits) and the step S of a map."""
    return data.StructLayout({"beta": unsigned(spec.beta_bits), "step": unsigned(spec.step_bits)})


def stepped_layout(spec: BlockSpec) -> data.StructLayout:
    """A beat of values, and the step that they are quantised with."""
    return data.StructLayout({"values": values_layout(spec), "step": unsigned(spec.step_bits)})


def total_layout(spec: BlockSpec) -> data.StructLayout:
    """A sum of products, and the value of the other branch at its place (0 where there is none)."""
    return data.StructLayout({"total": signed(spec.total_bits), "side": signed(spec.precision)})


def size_layout(spec: BlockSpec) -> data.StructLayout:
    """The size of the maps: beats a pixel (`words`), and pixels. Both at least 1, constant while a map is inside."""
    return data.StructLayout({"words": range(spec.words + 1), "pixels": range(spec.pixels + 1)})


def adapter_layout(spec: BlockSpec) -> data.StructLayout:
    """An adapter's constants, as `asq_model.spec.adaptive_step` names them; `hidden`: neurons in use, 0 for one
    layer.
    """
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


def constants_layout(spec: BlockSpec) -> data.StructLayout:
    """The constants of a block that holds a learned layer: an adapter's, or a rescale's."""
    return rescale_layout(spec) if spec.unit == "rescale" else adapter_layout(spec)
