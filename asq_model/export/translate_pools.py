"""What torch's pooling becomes: windows of maximums and means, those over whole axes too."""

from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import fx

from asq_model.export.operations import Mean
from asq_model.export.translate_shapes import add_move, sizes_of
from asq_model.export.translate_values import arguments_of
from asq_model.export.translator import Axes, Handler, Translator, Value, full_shape, operation_name
from asq_model.spec.graph.movement import MaxPool
from asq_model.spec.graph.tensor import Margins, Pair


def as_pair(numbers: Any, dims: int) -> Pair:
    """Numbers of a window as (rows, columns); a window along one axis is one of rows."""
    numbers = [numbers] if isinstance(numbers, int) else list(numbers)
    numbers = numbers * dims if len(numbers) == 1 else numbers
    return (numbers[0], numbers[1] if dims == 2 else 1)


@dataclass(frozen=True)
class Pool:
    """A pooling of torch: the tensor that it takes, and how its window moves over the tensor's maps."""

    value: Value
    kernel: Pair
    stride: Pair
    margins: Margins
    dilation: Pair


def read_pool(translator: Translator, node: fx.Node) -> Pool:
    """Read a pooling along one or two axes. Raises InputError for one that rounds its size up."""
    dims = 1 if "1d" in operation_name(node) else 2
    arguments = {"dilation": 1} | arguments_of(node)  # means have none
    value = translator.arrange(
        node, translator.value(node, arguments.get("self", node.args[0])), tuple(range(dims + 1))
    )
    kernel = as_pair(arguments["kernel_size"], dims)
    stride = as_pair(arguments["stride"] or arguments["kernel_size"], dims)
    rows, columns = as_pair(arguments["padding"], dims)
    columns = columns if dims == 2 else 0
    dilation = as_pair(arguments["dilation"], dims)
    places = [
        (size + 2 * margin - d * (k - 1) - 1) // s + 1
        for size, margin, d, k, s in zip(value.maps[1:], (rows, columns), dilation, kernel, stride, strict=True)
    ]
    if full_shape(sizes_of(node)) != (value.maps[0], *places):
        translator.refuse(node, "has ceil_mode; allowed: windows that are whole")
    return Pool(value, kernel, stride, (rows, rows, columns, columns), dilation)


def translate_max_pool(translator: Translator, node: fx.Node) -> None:
    """Translate max_pool1d and max_pool2d into the maximum of each window. Refused: ceil_mode."""
    pool = read_pool(translator, node)
    move = MaxPool(
        name="", inputs=(), kernel=pool.kernel, stride=pool.stride, padding=pool.margins, dilation=pool.dilation
    )
    add_move(translator, node, pool.value, move, full_shape(sizes_of(node)), pool.value.axes)


def translate_average_pool(translator: Translator, node: fx.Node) -> None:
    """Translate avg_pool1d, avg_pool2d into means. Refused: ceil_mode, own divisors, padding left out of means."""
    pool, arguments = read_pool(translator, node), arguments_of(node)
    if arguments.get("divisor_override") not in (None, prod(pool.kernel)):
        translator.refuse(node, "has a divisor of its own; allowed: the window's size")
    if any(pool.margins) and not arguments.get("count_include_pad", True):
        translator.refuse(node, "leaves padding out of its means; allowed: count_include_pad=True")
    add_mean(translator, node, pool.value, pool.kernel, pool.stride, pool.margins, pool.value.axes)


def add_mean(
    translator: Translator, node: fx.Node, value: Value, kernel: Pair, stride: Pair, margins: Margins, axes: Axes
) -> None:
    """Add the mean of each window; the tensor itself where a window is one value."""
    sizes = zip(value.maps[1:], (margins[0] + margins[1], margins[2] + margins[3]), kernel, stride, strict=True)
    places = [(size + margin - k) // s + 1 for size, margin, k, s in sizes]
    maps = (value.maps[0], places[0], places[1])
    if kernel == stride == (1, 1) and not any(margins):
        translator.alias(node, Value(value.operation, value.maps, axes))
        return
    name, where = translator.claim_name(node), translator.where(node)
    translator.add(node, Mean(name, (value.operation,), where, node.name, kernel, stride, margins), maps, axes)


def read_adaptive_window(translator: Translator, node: fx.Node, dims: int) -> tuple[Value, Pair]:
    """Read tensor and window of a pooling to a given size. Raises InputError where its windows would overlap."""
    value = translator.arrange(node, translator.value(node, node.args[0]), tuple(range(dims + 1)))
    sizes = full_shape(sizes_of(node))[1:]
    if any(size % wanted for size, wanted in zip(value.maps[1:], sizes, strict=True)):
        translator.refuse(node, f"pools maps of {value.maps[1:]} to {sizes}; allowed: sizes that divide them")
    return value, (value.maps[1] // sizes[0], value.maps[2] // sizes[1])


def translate_adaptive_average_pool(translator: Translator, node: fx.Node) -> None:
    """Translate adaptive average pooling into means. Refused: sizes that do not divide those of the maps."""
    value, kernel = read_adaptive_window(translator, node, 1 if "1d" in operation_name(node) else 2)
    add_mean(translator, node, value, kernel, kernel, (0, 0, 0, 0), value.axes)


def translate_adaptive_max_pool(translator: Translator, node: fx.Node) -> None:
    """Translate adaptive max pooling into maximums. Refused: sizes that do not divide those of the maps."""
    value, kernel = read_adaptive_window(translator, node, 1 if "1d" in operation_name(node) else 2)
    move = MaxPool(name="", inputs=(), kernel=kernel, stride=kernel, padding=(0, 0, 0, 0), dilation=(1, 1))
    add_move(translator, node, value, move, full_shape(sizes_of(node)), value.axes)


def read_reduced_axes(translator: Translator, node: fx.Node) -> tuple[Value, Pair, Axes]:
    """Read the tensor, window and remaining axes of a mean or maximum over whole axes."""
    arguments = arguments_of(node)
    value = translator.value(node, node.args[0])
    dims = arguments.get("dim")
    dims = list(range(len(value.axes) + 1)) if dims is None or dims == [] else [dims] if isinstance(dims, int) else dims
    dims = [dim % (len(value.axes) + 1) for dim in dims]
    reduced = [value.axis(dim) for dim in dims]
    if 0 in dims or 0 in reduced:
        translator.refuse(node, "reduces the batch or the channels; allowed: rows and columns of maps")
    kernel = (value.maps[1] if 1 in reduced else 1, value.maps[2] if 2 in reduced else 1)
    kept = [axis for dim, axis in enumerate(value.axes, 1) if dim not in dims or arguments.get("keepdim")]
    return value, kernel, tuple(kept)


def translate_mean(translator: Translator, node: fx.Node) -> None:
    """Translate mean over rows and columns into one mean. Refused: batch or channels, another type of numbers."""
    value, kernel, axes = read_reduced_axes(translator, node)
    if arguments_of(node).get("dtype") not in (None, torch.float32, torch.float64):
        translator.refuse(node, "gives another type; allowed: float32")
    add_mean(translator, node, value, kernel, kernel, (0, 0, 0, 0), axes)


def translate_maximum(translator: Translator, node: fx.Node) -> None:
    """Translate amax over rows and columns into one maximum. Refused: the batch or the channels."""
    value, kernel, axes = read_reduced_axes(translator, node)
    move = MaxPool(name="", inputs=(), kernel=kernel, stride=kernel, padding=(0, 0, 0, 0), dilation=(1, 1))
    maps = (value.maps[0], value.maps[1] // kernel[0], value.maps[2] // kernel[1])
    add_move(translator, node, value, move, maps, axes)


POOLS: dict[str, Handler] = {
    **dict.fromkeys(("max_pool2d", "max_pool1d"), translate_max_pool),
    **dict.fromkeys(("avg_pool2d", "avg_pool1d"), translate_average_pool),
    **dict.fromkeys(("adaptive_avg_pool2d", "adaptive_avg_pool1d"), translate_adaptive_average_pool),
    **dict.fromkeys(("adaptive_max_pool2d", "adaptive_max_pool1d"), translate_adaptive_max_pool),
    "mean": translate_mean,
    "amax": translate_maximum,
}
