"""What ONNX's nodes become that reduce windows or whole axes."""

from collections.abc import Callable

import torch
from torch import nn

from asq_model.exchange.layer_nodes import read_padding
from asq_model.exchange.network_builder import NetworkBuilder
from asq_model.exchange.shape_nodes import read_axes


def read_window(builder: NetworkBuilder) -> tuple[list[int], list[int], list[int], list[int]]:
    """Read a pooling's kernel, strides, padding and dilations. Raises InputError for one that torch does not have."""
    attributes = builder.node.attributes
    kernel = attributes["kernel_shape"]
    strides, dilations = (attributes.get(key) or [1] * len(kernel) for key in ("strides", "dilations"))
    padding, before = read_padding(builder, len(kernel))
    if before or attributes.get("ceil_mode", 0) or len(kernel) not in (1, 2):
        builder.node.refuse("has padding on one side, ceil_mode or more than 2 axes; allowed: none of them")
    return kernel, strides, padding, dilations


def translate_max_pool(builder: NetworkBuilder) -> None:
    """Translate MaxPool into torch's, along 1 or 2 axes. Refused: padding on one side only, auto_pad, ceil_mode."""
    kernel, strides, padding, dilations = read_window(builder)
    kind: Callable[..., nn.Module] = nn.MaxPool1d if len(kernel) == 1 else nn.MaxPool2d
    pool = kind(*(numbers if len(kernel) == 2 else numbers[0] for numbers in (kernel, strides, padding, dilations)))
    builder.apply(pool, builder.activation(), keeps_quantiser=True)


def translate_average_pool(builder: NetworkBuilder) -> None:
    """Translate AveragePool into torch's, along 1 or 2 axes. Refused: as for MaxPool, and dilations."""
    kernel, strides, padding, dilations = read_window(builder)
    if any(dilation != 1 for dilation in dilations):
        builder.node.refuse(f"has dilations {dilations[:8]}; allowed: 1")
    counts = bool(builder.node.attributes.get("count_include_pad", 0)) or not any(padding)
    kind: Callable[..., nn.Module] = nn.AvgPool1d if len(kernel) == 1 else nn.AvgPool2d
    sizes = (tuple(numbers) if len(kernel) == 2 else numbers[0] for numbers in (kernel, strides, padding))
    builder.apply(kind(*sizes, count_include_pad=counts), builder.activation())


def translate_global_pool(builder: NetworkBuilder) -> None:
    """Translate GlobalAveragePool and GlobalMaxPool into adaptive pooling to size 1, along 1 or 2 axes."""
    one_axis = builder.activation().example.dim() == 3
    if builder.node.operator == "GlobalMaxPool":
        builder.apply(nn.AdaptiveMaxPool1d(1) if one_axis else nn.AdaptiveMaxPool2d(1), builder.activation(), True)
    else:
        builder.apply(nn.AdaptiveAvgPool1d(1) if one_axis else nn.AdaptiveAvgPool2d(1), builder.activation())


def translate_reduce_mean(builder: NetworkBuilder) -> None:
    """Translate ReduceMean into torch's mean over the named axes. Refused: the batch's axis, or no axes."""
    value, axes = builder.activation(), read_axes(builder)
    if not axes or any(axis % value.example.dim() == 0 for axis in axes):
        builder.node.refuse("reduces the batch's axis; allowed: other axes, by their numbers")
    builder.compute(torch.mean, [value], (axes, bool(builder.node.attributes.get("keepdims", 1))))
