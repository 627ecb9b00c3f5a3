"""What the quantising nodes of QONNX, and of standard ONNX as Brevitas writes it (QCDQ), become."""

from dataclasses import replace
from math import inf, log2

import numpy as np
import torch

from asq_model.common.errors import shown
from asq_model.exchange.network_builder import Activation, Constant, NetworkBuilder, UniformQuantiser
from asq_model.spec.fixed_point import bounds

FEWEST, MOST = 2, 8  # bits of a quantised activation
WIDEST = 32  # bits of a quantised constant: biases
UINT8 = 2  # ONNX's number of the type


def read_scalar(builder: NetworkBuilder, index: int, what: str) -> float:
    """Read an input that is one constant number."""
    values = builder.constant(index, what).values
    if values.size != 1:
        builder.node.refuse(f"has a {what} of shape {list(values.shape)}; allowed for an activation: one number")
    return float(values.reshape(()))


def check_scale(builder: NetworkBuilder, scale: np.ndarray) -> np.ndarray:
    """Return a quantiser's scale. Raises InputError unless it is positive."""
    if not scale.size or not (scale > 0).all():
        builder.node.refuse("has a scale that is not positive")
    return scale


def check_zero_point(builder: NetworkBuilder, index: int) -> None:
    """Raises InputError unless the zero point is 0."""
    if builder.has(index) and builder.constant(index, "zero point").values.any():
        builder.node.refuse("has a zero point other than 0; allowed: 0")


def integer_range(bits: int, signed: bool, narrow: bool) -> tuple[int, int]:
    """The smallest and the largest integer, as QONNX defines them."""
    low, high = bounds(bits, signed)
    return (low + narrow, high) if signed else (low, high - narrow)


def give_pending(builder: NetworkBuilder, value: Activation, quantiser: UniformQuantiser) -> None:
    """Let the node's output be a tensor that a pending quantiser rounds. Raises InputError for bits without a layer."""
    if not FEWEST <= quantiser.bits <= MOST:
        builder.node.refuse(f"has an activation of {quantiser.bits} bits; allowed: {FEWEST} to {MOST}")
    source = builder.make_real(value)
    builder.give(Activation(source, value.example, quantiser, builder.node.name))


def quantise_constant(
    builder: NetworkBuilder, constant: Constant, scale: np.ndarray, bits: int, low: int, high: int
) -> Constant:
    """Quantise a constant to a grid, ties to even."""
    if not 1 <= bits <= WIDEST:
        builder.node.refuse(f"has a constant of {bits} bits; allowed: 1 to {WIDEST}")
    values = constant.values.astype(np.float32)
    scales = np.broadcast_to(check_scale(builder, scale).astype(np.float32), values.shape)
    integers = np.rint(np.clip(values / scales, low, high))
    return Constant(integers.astype(np.float32) * scales, integers.astype(np.int64), scales, bits)


def translate_quant(builder: NetworkBuilder) -> None:
    """Translate Quant and IntQuant."""
    node = builder.node
    signed, narrow = bool(node.attributes.get("signed", 1)), bool(node.attributes.get("narrow", 0))
    rounding = str(node.attributes.get("rounding_mode", "ROUND")).upper()
    if rounding not in ("ROUND", "HALF_EVEN"):
        node.refuse(f"rounds by {shown(rounding)}; allowed: ROUND (ties to even)")
    check_zero_point(builder, 2)
    width = builder.constant(3, "bit width").values
    if width.size != 1 or not 1 <= float(width.reshape(())) <= WIDEST or float(width.reshape(())) % 1:
        node.refuse(f"has a bit width other than a whole number; allowed: 1 to {WIDEST}")
    bits = int(width.reshape(()))
    value = builder.value(0)
    if isinstance(value, Constant):
        scale = builder.constant(1, "scale").values
        if bits == 1 and signed:
            builder.give(binarise_constant(builder, value, scale))
        else:
            builder.give(quantise_constant(builder, value, scale, bits, *integer_range(bits, signed, narrow)))
        return
    step = read_scalar(builder, 1, "scale")
    check_scale(builder, np.array(step))
    if narrow:
        node.refuse("has an activation with a narrow range; allowed: narrow=0")
    give_pending(builder, builder.activation(), UniformQuantiser(step, bits, signed))


def binarise_constant(builder: NetworkBuilder, constant: Constant, scale: np.ndarray) -> Constant:
    """Turn a constant into its signs times the scale; 0 counts as positive."""
    scales = np.broadcast_to(check_scale(builder, scale).astype(np.float32), constant.values.shape)
    integers = np.where(constant.values >= 0, 1, -1)
    return Constant(integers.astype(np.float32) * scales, integers, scales, 2)


def translate_bipolar(builder: NetworkBuilder) -> None:
    """Translate BipolarQuant of weights."""
    value = builder.value(0)
    if not isinstance(value, Constant):
        builder.node.refuse("has an activation of −1 and 1, which has no code 0; allowed for weights only")
    builder.give(binarise_constant(builder, value, builder.constant(1, "scale").values))


def translate_trunc(builder: NetworkBuilder) -> None:
    """Translate Trunc that rounds down: on its input's grid that is rounding after half a step was taken off.

    With 2^k input steps in an output step, n input steps give ⌊n/2^k⌋, which is (n − (2^k − 1)/2)/2^k rounded: no tie.
    """
    node = builder.node
    if len(node.inputs) != 6:
        node.refuse("is of version 1 of QONNX's operators; allowed: version 2, which has an output scale")
    check_zero_point(builder, 2)
    steps = read_scalar(builder, 1, "scale"), read_scalar(builder, 4, "output scale")
    check_scale(builder, np.array(steps))
    shift = round(log2(steps[1] / steps[0]))
    rounding = str(node.attributes.get("rounding_mode", "FLOOR")).upper()
    if rounding != "FLOOR" or not 0 <= shift <= 16 or node.attributes.get("narrow", 0):
        node.refuse("rounds otherwise than down, by a step below 1, or to a narrow range; allowed: FLOOR, narrow=0")
    if abs(steps[1] / (steps[0] * 2.0**shift) - 1) > 1e-4:
        node.refuse("has an output scale that is no power of two times its scale")
    bits, value = read_scalar(builder, 5, "output bit width"), builder.activation()
    if bits % 1:
        node.refuse(f"has an output bit width of {bits:g}; allowed: {FEWEST} to {MOST}, whole")
    offset = ((1 << shift) - 1) / 2 * steps[0]
    source = builder.graph.call_function(torch.sub, (builder.make_real(value), offset))
    quantiser = UniformQuantiser(steps[1], int(bits), bool(node.attributes.get("signed", 1)))
    give_pending(builder, Activation(source, value.example), quantiser)


def reshape_along_axis(builder: NetworkBuilder, numbers: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Reshape numbers of `QuantizeLinear` so that they broadcast over a tensor's shape: along the node's axis."""
    if numbers.size == 1:
        return numbers.reshape(())
    axis = int(builder.node.attributes.get("axis", 1))
    if numbers.ndim != 1 or not -len(shape) <= axis < len(shape) or numbers.size != shape[axis]:
        builder.node.refuse(f"has a scale of shape {list(numbers.shape)}; allowed: one number, or one for each channel")
    return numbers.reshape([-1 if index == axis % len(shape) else 1 for index in range(len(shape))])


def read_stored_type(builder: NetworkBuilder) -> tuple[int, bool]:
    """Read bits and sign of `QuantizeLinear`'s integers, which are those of its zero point."""
    if not builder.has(2) and builder.node.attributes.get("output_dtype", 0) not in (0, UINT8):
        builder.node.refuse("has an output_dtype other than uint8; allowed: a zero point of that type")
    kind = builder.constant(2, "zero point").values.dtype if builder.has(2) else np.dtype(np.uint8)
    if kind not in (np.dtype(np.int8), np.dtype(np.uint8), np.dtype(np.int32)):
        builder.node.refuse(f"gives {kind}; allowed: int8, uint8")
    return 8 * kind.itemsize, kind.kind == "i"


def translate_quantize_linear(builder: NetworkBuilder) -> None:
    """Translate QuantizeLinear: the integers of a constant, or of an activation."""
    check_zero_point(builder, 2)
    bits, signed = read_stored_type(builder)
    value = builder.value(0)
    if isinstance(value, Constant):
        scale = reshape_along_axis(builder, builder.constant(1, "scale").values, value.values.shape)
        quantised = quantise_constant(builder, value, scale, bits, *bounds(bits, signed))
        assert quantised.integers is not None
        builder.give(Constant(quantised.integers, bits=bits))
        return
    step = read_scalar(builder, 1, "scale")
    check_scale(builder, np.array(step))
    give_pending(builder, builder.activation(), UniformQuantiser(step, bits, signed))
    given = builder.tensors[builder.node.outputs[0]]
    assert isinstance(given, Activation)
    given.integer = True


def translate_clip_of_integers(builder: NetworkBuilder, value: Activation, low: float, high: float) -> None:
    """Translate Clip between QuantizeLinear and DequantizeLinear: fewer bits than the integers' type has."""
    assert value.pending is not None
    bits = round(log2(high - low + 1)) if 0 < high - low < inf else 0
    signed = low < 0
    lowest, highest = bounds(value.pending.bits, value.pending.signed)
    if bits < FEWEST or (low, high) != bounds(bits, signed) or low < lowest or high > highest:
        builder.node.refuse(f"bounds integers to [{low:g}, {high:g}]; allowed: all of 2 to 8 bits (no narrow range)")
    builder.give(replace(value, pending=replace(value.pending, bits=bits, signed=signed)))


def translate_dequantize_linear(builder: NetworkBuilder) -> None:
    """Translate DequantizeLinear: a constant's integers and scales; an activation's quantiser says the same already."""
    check_zero_point(builder, 2)
    value = builder.value(0)
    if isinstance(value, Constant):
        integers = value.values
        if integers.dtype.kind not in "iu":
            builder.node.refuse(f"takes {integers.dtype}; allowed: integers")
        scale = reshape_along_axis(builder, check_scale(builder, builder.constant(1, "scale").values), integers.shape)
        scales = np.broadcast_to(scale.astype(np.float32), integers.shape)
        values = integers.astype(np.float32) * scales
        builder.give(Constant(values, integers.astype(np.int64), scales, value.bits or 8 * integers.dtype.itemsize))
        return
    if not value.integer or value.pending is None or value.pending.step != read_scalar(builder, 1, "scale"):
        builder.node.refuse("has no QuantizeLinear of the same scale before it")
    builder.give(replace(value, integer=False, name=builder.node.name))
