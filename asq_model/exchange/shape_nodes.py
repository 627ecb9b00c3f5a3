"""What ONNX's nodes on shapes become, which move values and compute nothing, and its constants."""

from math import prod

import numpy as np
import torch
from torch.nn import functional

from asq_model.exchange.network_builder import Constant, NetworkBuilder


def read_axes(builder: NetworkBuilder) -> list[int]:
    """Read the axes that a node names, as an attribute or, in newer files, as an input."""
    if builder.has(1):
        return [int(axis) for axis in builder.constant(1, "list of axes").values.reshape(-1)]
    return [int(axis) for axis in builder.node.attributes.get("axes", [])]


def translate_reshape(builder: NetworkBuilder) -> None:
    """Translate Reshape, of a constant at once. Refused: a shape that is no constant, or that mixes samples."""
    value = builder.value(0)
    shape = [int(size) for size in builder.constant(1, "shape").values.reshape(-1)]
    sizes = value.values.shape if isinstance(value, Constant) else tuple(value.example.shape)
    if not builder.node.attributes.get("allowzero", 0):
        shape = [sizes[index] if size == 0 and index < len(sizes) else size for index, size in enumerate(shape)]
    if isinstance(value, Constant):
        builder.give(value.rearrange(lambda part: np.reshape(part, shape)))
        return
    reshape(builder, list(value.example.reshape(shape).shape))


def reshape(builder: NetworkBuilder, shape: list[int]) -> None:
    """Let the node read its tensor in another shape, whatever the number of samples."""
    value = builder.activation()
    if not shape or shape[0] != value.example.shape[0]:
        builder.node.refuse(f"makes shape {shape}, which mixes samples; allowed: the batch stays the first axis")
    builder.compute(torch.reshape, [value], ([-1, *shape[1:]],), keeper=value)


def translate_flatten(builder: NetworkBuilder) -> None:
    """Translate Flatten from axis 1 on into a reshape. Refused: any other axis."""
    example = builder.activation().example
    if builder.node.attributes.get("axis", 1) != 1:
        builder.node.refuse("flattens from another axis than 1; allowed: axis=1")
    reshape(builder, [example.shape[0], prod(example.shape[1:])])


def translate_squeeze(builder: NetworkBuilder) -> None:
    """Translate Squeeze and Unsqueeze."""
    value, axes = builder.value(0), read_axes(builder)
    grows = builder.node.operator == "Unsqueeze"
    if isinstance(value, Constant):
        change = np.expand_dims if grows else np.squeeze
        builder.give(value.rearrange(lambda part: change(part, tuple(axes)) if axes else np.squeeze(part)))
        return
    example = value.example
    if grows:
        for axis in sorted(axis % (example.dim() + len(axes)) for axis in axes):
            example = example.unsqueeze(axis)
    elif axes:
        example = example.squeeze(axes)
    else:
        builder.node.refuse("drops every axis of size 1; allowed: named axes")
    reshape(builder, list(example.shape))


def translate_transpose(builder: NetworkBuilder) -> None:
    """Translate Transpose into torch's permute, of a constant at once. Refused: orders that move the batch."""
    value = builder.value(0)
    axes = builder.node.attributes.get("perm")
    if isinstance(value, Constant):
        builder.give(value.rearrange(lambda part: np.transpose(part, axes)))
        return
    order = axes or list(reversed(range(value.example.dim())))
    if order[0] != 0:
        builder.node.refuse(f"moves the batch: axes {order[:8]}; allowed: the batch stays the first axis")
    builder.compute(torch.permute, [builder.activation()], (order,), keeper=value)


def translate_concatenation(builder: NetworkBuilder) -> None:
    """Translate Concat: tensors of one quantiser are quantised by it still."""
    axis = int(builder.node.attributes["axis"])
    values = [builder.value(index) for index in range(len(builder.node.inputs))]
    constants = [value for value in values if isinstance(value, Constant)]
    if len(constants) == len(values):
        builder.check_size(sum(value.values.size for value in constants))
        builder.give(Constant(np.concatenate([np.atleast_1d(value.values) for value in constants], axis)))
        return
    tensors = [builder.activation(index) for index in range(len(values))]
    if axis % tensors[0].example.dim() == 0:
        builder.node.refuse(f"joins samples: axis {axis}; allowed: other axes than the batch's")
    keeper = tensors[0] if len({tensor.pending for tensor in tensors}) == 1 else None
    builder.compute(torch.cat, tensors, (axis,), keeper=keeper)


def translate_pad(builder: NetworkBuilder) -> None:
    """Translate Pad with zeros. Refused: other modes and fillings, some axes only, negative padding, added samples."""
    value, attributes = builder.activation(), builder.node.attributes
    pads = [int(pad) for pad in builder.constant(1, "padding").values.reshape(-1)] if builder.has(1) else []
    filling = builder.constant(2, "filling").values if builder.has(2) else np.zeros(())
    dims = value.example.dim()
    if attributes.get("mode", "constant") != "constant" or filling.any() or builder.has(3) or len(pads) != 2 * dims:
        builder.node.refuse("pads otherwise than with zeros along all axes; allowed: constant zeros, pads as an input")
    if not all(0 <= pad < 1 << 12 for pad in pads):
        builder.node.refuse(f"has pads {pads[:8]}; allowed: 0 to 4095")
    if pads[0] or pads[dims]:
        builder.node.refuse("adds samples to the batch; allowed: 0 for the first axis")
    padding = [pad for axis in reversed(range(dims)) for pad in (pads[axis], pads[dims + axis])]
    builder.compute(functional.pad, [value], (padding,), keeper=value)


def translate_identity(builder: NetworkBuilder) -> None:
    """Translate Identity, and Dropout, which does nothing outside training."""
    builder.give(builder.value(0))


def translate_constant(builder: NetworkBuilder) -> None:
    """Translate Constant: a tensor, a number or a list of numbers. Refused: sparse tensors and texts."""
    kinds = ("value", "value_float", "value_int", "value_floats", "value_ints")
    found = [builder.node.attributes[kind] for kind in kinds if kind in builder.node.attributes]
    if len(found) != 1:
        builder.node.refuse("holds no dense numbers")
    builder.give(Constant(np.asarray(found[0])))


def translate_shape(builder: NetworkBuilder) -> None:
    """Translate Shape: a constant, since only the batch can change, which `reshape` keeps."""
    builder.give(Constant(np.array(builder.activation().example.shape, dtype=np.int64)))


def translate_gather(builder: NetworkBuilder) -> None:
    """Translate Gather of constants, which takes a size out of a shape."""
    values, indices = builder.constant(0, "tensor"), builder.constant(1, "index")
    axis = int(builder.node.attributes.get("axis", 0))
    builder.check_size(values.values.size * indices.values.size)
    builder.give(Constant(np.asarray(np.take(values.values, indices.values, axis))))
