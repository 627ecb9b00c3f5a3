"""Nodes whose integers are made of real numbers: factors and offsets, bounds, tables of functions."""

from math import frexp, isinf

import numpy as np
import torch

from asq_model.export.integer_layer import find_binary_point
from asq_model.export.operations import Bound, Curve
from asq_model.spec.fixed_point import bounds, find_mantissas
from asq_model.spec.graph.elementwise import SEGMENT_BITS, Clip, Function, Scale
from asq_model.spec.graph.tensor import Tensor
from asq_model.spec.precision import WORKING_BITS


def make_scale(
    name: str, source: str, tensor: Tensor, factor: np.ndarray, offset: np.ndarray, peak: float, bits: int
) -> Scale:
    """Make a node that multiplies each channel by a factor and adds an offset, real numbers [C].

    source: the node that it follows; tensor: the format of that node's output. peak: the largest magnitude of its own.
    """
    multiplier, multiplier_point = find_mantissas(factor / tensor.gain, bits)
    point = find_binary_point(peak, bits)
    total = multiplier_point + tensor.point
    room = WORKING_BITS - 1 - frexp(float(np.abs(offset).max(initial=0.0)))[1]
    if total > room:  # an offset so large that the values hardly matter
        multiplier, total = np.rint(np.ldexp(multiplier, room - total)).astype(np.int64), room
    bias = np.rint(np.ldexp(offset, total)).astype(np.int64)
    return Scale(
        name=name,
        inputs=(source,),
        multiplier=multiplier,
        bias=bias,
        shift=total - point,
        relu=False,
        bits=bits,
        point=point,
    )


def make_clip(operation: Bound, source: str, tensor: Tensor) -> Clip:
    """Make a node that keeps the values of another one, `source`, between the bounds of an operation.

    tensor: the format of those values.
    """
    least, most = bounds(tensor.bits, True)
    low = least if isinf(operation.low) else round(operation.low * 2.0**tensor.point)
    high = most if isinf(operation.high) else round(operation.high * 2.0**tensor.point)
    return Clip(name=operation.name, inputs=(source,), low=max(low, least), high=min(high, most))


def make_function(operation: Curve, source: str, tensor: Tensor, peak: float, bits: int) -> Function:
    """Make a node that has a function of each value of another one, `source`, as a table of straight pieces.

    tensor: the format of those values. peak: the largest magnitude of the function's.
    """
    point = find_binary_point(peak, bits)
    edges = torch.linspace(-1, 1, (1 << SEGMENT_BITS) + 1, dtype=torch.float64)
    heights = operation.function(edges * 2.0 ** (tensor.bits - 1 - tensor.point)).numpy()
    base = np.clip(np.rint(np.ldexp(heights, point)), *bounds(bits, True)).astype(np.int64)
    return Function(
        name=operation.name,
        inputs=(source,),
        in_bits=tensor.bits,
        base=base[:-1],
        slope=np.diff(base),
        bits=bits,
        point=point,
    )
