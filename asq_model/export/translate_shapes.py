"""What torch's operations on shapes become: padding, slices, and what only reads a tensor otherwise."""

import operator

import torch
from torch import fx

from asq_model.export.operations import Move
from asq_model.export.translate_values import arguments_of
from asq_model.export.translator import Axes, Handler, Shape, Translator, Value, full_shape, operation_name
from asq_model.spec.graph.movement import MaxPool, Pad, Reshape, Slice

Node = MaxPool | Reshape | Pad | Slice


def sizes_of(node: fx.Node) -> tuple[int, ...]:
    """The sizes of a node's tensor without the batch. Raises TypeError where one depends on the batch."""
    return tuple(int(size) for size in node.meta["val"].shape[1:])


def keeps_batch(node: fx.Node, source: fx.Node) -> bool:
    """Whether a node's first axis is the batch still."""
    shape, before = node.meta["val"].shape, source.meta["val"].shape
    return bool(len(shape)) and str(shape[0]) == str(before[0])


def add_move(translator: Translator, node: fx.Node, value: Value, move: Node, maps: Shape, axes: Axes) -> None:
    """Add an operation that moves or chooses values."""
    operation = Move(translator.claim_name(node), (value.operation,), translator.where(node), node.name, move)
    translator.add(node, operation, maps, axes)


def translate_view(translator: Translator, node: fx.Node) -> None:
    """Translate view, reshape, flatten, squeeze and their like: values in torch's order, read into another shape."""
    source = node.args[0]
    value = translator.value(node, source)
    assert isinstance(source, fx.Node)
    if not keeps_batch(node, source):
        translator.refuse(node, "mixes samples of the batch with other axes; allowed: the batch stays the first axis")
    sizes = sizes_of(node)
    kept = [(axis, size) for axis, size in zip(value.axes, value.sizes, strict=True) if size != 1]
    if [size for _, size in kept] == [size for size in sizes if size != 1]:
        remaining = iter([axis for axis, _ in kept])
        axes = tuple(None if size == 1 else next(remaining) for size in sizes)
        translator.alias(node, Value(value.operation, value.maps, name_axes(axes)))
        return
    shape = [size for size in sizes if size != 1]
    if len(shape) > 3:
        translator.refuse(node, f"makes {len(shape)} axes behind the batch; allowed: up to 3")
    order = [axis for axis in value.axes if axis is not None]
    order += [axis for axis in range(3) if axis not in order]
    count = iter(range(3))
    axes = tuple(None if size == 1 else next(count) for size in sizes)
    moved = translator.move(node, value, (order[0], order[1], order[2]), full_shape(tuple(shape)), name_axes(axes))
    translator.alias(node, moved)


def name_axes(axes: Axes) -> Axes:
    """Give axes of size 1 those of the maps that are left, in order: [N, C, 1, 1] is then as a convolution has it."""
    free = iter([axis for axis in range(3) if axis not in axes])
    return tuple(next(free, None) if axis is None else axis for axis in axes)


def translate_permute(translator: Translator, node: fx.Node) -> None:
    """Translate permute, transpose and movedim: the same maps, other axes."""
    arguments = arguments_of(node)
    value = translator.value(node, node.args[0])
    count = len(value.axes) + 1
    order = list(range(count))
    if operation_name(node) == "permute":
        order = [dim % count for dim in arguments["dims"]]
    elif operation_name(node) == "movedim":
        moved = torch.empty((1, *range(2, count + 1)), device="meta").movedim(
            arguments["source"], arguments["destination"]
        )
        order = [size - 1 for size in moved.shape]
    else:
        first, second = arguments["dim0"] % count, arguments["dim1"] % count
        order[first], order[second] = order[second], order[first]
    if order[0] != 0:
        translator.refuse(node, "moves the batch; allowed: the batch stays the first axis")
    axes = tuple(value.axis(dim) for dim in order[1:])
    translator.alias(node, Value(value.operation, value.maps, axes))


def translate_pad(translator: Translator, node: fx.Node) -> None:
    """Translate padding with zeros. Refused: other modes and values, negative padding, padding along the batch."""
    arguments = arguments_of(node)
    if arguments.get("mode", "constant") != "constant" or arguments.get("value") not in (None, 0, 0.0):
        translator.refuse(node, "pads otherwise than with zeros; allowed: zeros")
    value = translator.value(node, node.args[0])
    margins = {0: (0, 0), 1: (0, 0), 2: (0, 0)}
    padding = list(arguments["pad"])
    for index in range(0, len(padding), 2):
        dim = len(value.axes) - index // 2
        axis = value.axes[dim - 1] if dim else None
        before, after = padding[index : index + 2]
        if before < 0 or after < 0 or (axis is None and (before or after)):
            translator.refuse(node, f"has padding {padding}; allowed: 0 or more, not along the batch")
        if axis is not None:
            margins[axis] = (before, after)
    pad = Pad(name="", inputs=(), channels=margins[0], margins=(*margins[1], *margins[2]))
    maps = [size + sum(margins[axis]) for axis, size in enumerate(value.maps)]
    add_move(translator, node, value, pad, (maps[0], maps[1], maps[2]), value.axes)


def make_slice(
    translator: Translator, node: fx.Node, value: Value, dim: int, start: int, stop: int, step: int
) -> tuple[Slice, Shape]:
    """Make the slice of a tensor along torch's axis `dim`; return it with the shape of its maps."""
    axis = value.axis(dim)
    if axis is None:
        translator.refuse(node, f"cuts axis {dim} of size 1; allowed: an axis with values")
    starts, stops, steps = [0, 0, 0], list(value.maps), [1, 1, 1]
    starts[axis], stops[axis], steps[axis] = start, stop, step
    maps = [len(range(*bounds)) for bounds in zip(starts, stops, steps, strict=True)]
    triples = [(numbers[0], numbers[1], numbers[2]) for numbers in (starts, stops, steps, maps)]
    return Slice(name="", inputs=(), starts=triples[0], stops=triples[1], steps=triples[2]), triples[3]


def translate_slice(translator: Translator, node: fx.Node) -> None:
    """Translate a slice along one axis, in steps too. Refused: slices of the batch, or of an axis of size 1."""
    arguments = arguments_of(node)
    value = translator.value(node, node.args[0])
    dim = arguments["dim"] % (len(value.axes) + 1)
    if dim == 0:
        if keeps_batch(node, node.all_input_nodes[0]):
            translator.alias(node, value)
            return
        translator.refuse(node, "cuts the batch; allowed: other axes")
    start, stop, step = slice(arguments["start"], arguments["end"], arguments["step"]).indices(value.sizes[dim - 1])
    if (start, stop, step) == (0, value.sizes[dim - 1], 1):
        translator.alias(node, value)
        return
    move, maps = make_slice(translator, node, value, dim, start, stop, step)
    add_move(translator, node, value, move, maps, value.axes)


def translate_split(translator: Translator, node: fx.Node) -> None:
    """Translate split and chunk: the parts are cut where they are taken, in `translate_part`."""
    arguments = arguments_of(node)
    value = translator.value(node, node.args[0])
    dim = arguments["dim"] % (len(value.axes) + 1)
    if dim == 0:
        translator.refuse(node, "splits the batch; allowed: other axes")
    start = 0
    parts = []
    for part in node.meta["val"]:
        size = int(part.shape[dim])
        move, maps = make_slice(translator, node, value, dim, start, start + size, 1)
        name, where = translator.claim_name(node), translator.where(node)
        translator.operations.append(Move(name, (value.operation,), where, "", move))
        parts.append(Value(name, maps, value.axes))
        start += size
    translator.parts[node] = parts


def translate_part(translator: Translator, node: fx.Node) -> None:
    """Translate the choice of one of several tensors that an operation gives."""
    source, index = node.args
    assert isinstance(source, fx.Node) and isinstance(index, int)
    translator.alias(node, translator.parts[source][index])


def translate_expand(translator: Translator, node: fx.Node) -> None:
    """Translate expand and expand_as where they change nothing. Refused: those that repeat values."""
    value = translator.value(node, node.args[0])
    if sizes_of(node) != value.sizes:
        translator.refuse(node, "repeats values; allowed: tensors of the same size")
    translator.alias(node, value)


SHAPES: dict[str, Handler] = {
    **dict.fromkeys(
        ("view", "_unsafe_view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze"), translate_view
    ),
    **dict.fromkeys(("permute", "transpose", "movedim"), translate_permute),
    "pad": translate_pad,
    "constant_pad_nd": translate_pad,
    "slice": translate_slice,
    **dict.fromkeys(("split", "split_with_sizes", "chunk"), translate_split),
    operator.getitem.__name__: translate_part,
    "expand": translate_expand,
    "expand_as": translate_expand,
}
