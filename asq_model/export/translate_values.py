"""What torch's operations on values become: batch norm, sums, constants, joined maps."""

from typing import Any

import numpy as np
from torch import Tensor, fx

from asq_model.export.operations import Affine, Join, Sum
from asq_model.export.translator import Handler, Translator, Value, operation_name


def arguments_of(node: fx.Node) -> dict[str, Any]:
    """A node's arguments by the names that torch's schema gives them, defaults included."""
    target: Any = node.target
    schema = target._schema.arguments
    named = {argument.name: argument.default_value for argument in schema if argument.has_default_value()}
    named |= {argument.name: value for argument, value in zip(schema, node.args, strict=False)}
    return named | dict(node.kwargs)


def expand_by_channel(translator: Translator, node: fx.Node, value: Value, constant: object) -> np.ndarray:
    """Read a constant as one number for each channel, float64 [C]. Raises InputError for one that varies otherwise."""
    channels = value.maps[0]
    constant = translator.constants.get(constant, constant) if isinstance(constant, fx.Node) else constant
    if isinstance(constant, (int, float)):
        return np.full(channels, float(constant))
    if not isinstance(constant, Tensor):
        translator.refuse(node, f"takes a {type(constant).__name__}; allowed: a number, or one for each channel")
    numbers = constant.detach().double().cpu()
    if numbers.numel() == 1:
        return np.full(channels, numbers.item())
    sizes = [1] * (len(value.axes) + 1 - numbers.dim()) + list(numbers.shape)
    varying = [axis for axis, size in enumerate(sizes) if size > 1]
    if len(sizes) == len(value.axes) + 1 and varying and all(axis > 0 and value.axis(axis) == 0 for axis in varying):
        return numbers.reshape(-1).numpy().copy()
    translator.refuse(
        node, f"takes a constant of shape {list(constant.shape)}; allowed: one number, or one for each channel"
    )


def add_affine(translator: Translator, node: fx.Node, value: Value, factor: np.ndarray, offset: np.ndarray) -> None:
    """Add a factor and an offset; the tensor itself where they change nothing."""
    if (factor == 1).all() and (offset == 0).all():
        translator.alias(node, value)
        return
    name, where = translator.claim_name(node), translator.where(node)
    affine = Affine(name, (value.operation,), where, node.name, factor, offset)
    translator.add(node, affine, value.maps, value.axes)


def translate_batch_norm(translator: Translator, node: fx.Node) -> None:
    """Translate batch norm into a factor and an offset for each channel. Refused: the batch's own statistics."""
    arguments = arguments_of(node)
    value = translator.value(node, arguments["input"])
    if value.axis(1) not in (0, None):
        value = translator.arrange(node, value, tuple(range(len(value.axes))))
    parts = {key: arguments[key] for key in ("weight", "bias", "running_mean", "running_var")}
    if parts["running_mean"] is None or parts["running_var"] is None or arguments.get("training"):
        translator.refuse(node, "uses the batch's own mean; allowed: running statistics, in eval mode")
    numbers = {
        key: expand_by_channel(
            translator, node, value, default if part is None else reshape_to_channels(translator, part, value)
        )
        for (key, part), default in zip(parts.items(), (1, 0, 0, 1), strict=True)
    }
    factor = numbers["weight"] / np.sqrt(numbers["running_var"] + arguments["eps"])
    add_affine(translator, node, value, factor, numbers["bias"] - numbers["running_mean"] * factor)


def reshape_to_channels(translator: Translator, part: fx.Node, value: Value) -> Tensor:
    """Reshape numbers for torch's axis 1 so that they broadcast over the tensor."""
    vector: Tensor = translator.constants[part]
    return vector.detach().reshape(-1, *(1,) * (len(value.axes) - 1))


def translate_sum(translator: Translator, node: fx.Node, sign: int) -> None:
    """Translate left + sign · right, of tensors or with a constant. Refused: alpha between tensors, other sizes."""
    arguments = arguments_of(node)
    left, right = arguments["self"], arguments["other"]
    if operation_name(node) == "rsub":
        left, right = right, left
    scale = arguments.get("alpha", 1)
    if left in translator.values and right in translator.values:
        if scale != 1:
            translator.refuse(node, f"adds with alpha {scale}; allowed: 1, or a multiplication before it")
        add_sum(translator, node, translator.values[left], translator.values[right], sign)
    elif left in translator.values:
        value = translator.values[left]
        offset = sign * scale * expand_by_channel(translator, node, value, right)
        add_affine(translator, node, value, np.ones(value.maps[0]), offset)
    else:
        value = translator.value(node, right)
        offset = expand_by_channel(translator, node, value, left)
        add_affine(translator, node, value, np.full(value.maps[0], float(sign * scale)), offset)


def add_sum(translator: Translator, node: fx.Node, left: Value, right: Value, sign: int) -> None:
    """Add two tensors. Raises InputError for those of different sizes."""
    if left.sizes != right.sizes:
        sizes = f"{list(left.sizes)} and {list(right.sizes)}"
        translator.refuse(node, f"adds tensors of the sizes {sizes}; allowed: the same size, or expand one before")
    right = translator.arrange(node, right, left.axes)
    if right.maps != left.maps:
        left = translator.arrange(node, left, tuple(range(len(left.axes))))
        right = translator.arrange(node, right, left.axes)
    name, inputs = translator.claim_name(node), (left.operation, right.operation)
    translator.add(node, Sum(name, inputs, translator.where(node), node.name, (1, sign)), left.maps, left.axes)


def translate_add(translator: Translator, node: fx.Node) -> None:
    """Translate add into a sum of two tensors, or an offset for each channel; limits as in `translate_sum`."""
    translate_sum(translator, node, 1)


def translate_subtract(translator: Translator, node: fx.Node) -> None:
    """Translate sub and rsub into a difference, or an offset for each channel; limits as in `translate_sum`."""
    translate_sum(translator, node, -1)


def translate_multiply(translator: Translator, node: fx.Node) -> None:
    """Translate mul by a constant into a factor for each channel. Refused: products of two tensors."""
    arguments = arguments_of(node)
    left, right = arguments["self"], arguments["other"]
    if left in translator.values and right in translator.values:
        translator.refuse(
            node,
            "multiplies two tensors that the input decides; allowed: a constant factor",
        )
    value, constant = (
        (translator.values[left], right) if left in translator.values else (translator.value(node, right), left)
    )
    factor = expand_by_channel(translator, node, value, constant)
    add_affine(translator, node, value, factor, np.zeros(value.maps[0]))


def translate_divide(translator: Translator, node: fx.Node) -> None:
    """Translate div by a constant into a factor for each channel. Refused: tensors as divisor, rounding modes."""
    arguments = arguments_of(node)
    if arguments["self"] not in translator.values or arguments["other"] in translator.values:
        translator.refuse(node, "divides by a tensor that the input decides; allowed: a constant divisor")
    if arguments.get("rounding_mode") is not None:
        translator.refuse(node, "rounds its quotient; allowed: no rounding mode")
    value = translator.values[arguments["self"]]
    factor = 1 / expand_by_channel(translator, node, value, arguments["other"])
    add_affine(translator, node, value, factor, np.zeros(value.maps[0]))


def translate_negate(translator: Translator, node: fx.Node) -> None:
    """Translate neg into the factor -1."""
    value = translator.value(node, node.args[0])
    add_affine(translator, node, value, np.full(value.maps[0], -1.0), np.zeros(value.maps[0]))


def translate_join(translator: Translator, node: fx.Node) -> None:
    """Translate cat into tensors one behind the other along the channels. Refused: along any other axis."""
    arguments = arguments_of(node)
    values = [translator.value(node, argument) for argument in arguments["tensors"]]
    dim = arguments["dim"] % (len(values[0].axes) + 1)
    axes = values[0].axes
    if dim == 0 or values[0].axis(dim) not in (0, None):
        translator.refuse(node, f"joins tensors along axis {dim}; allowed: along the channels")
    if values[0].axis(dim) is None:
        axes = tuple(range(len(axes)))
    values = [translator.arrange(node, value, axes) for value in values]
    maps = (sum(value.maps[0] for value in values), *values[0].maps[1:])
    join = Join(
        translator.claim_name(node), tuple(value.operation for value in values), translator.where(node), node.name
    )
    translator.add(node, join, maps, axes)


def translate_identity(translator: Translator, node: fx.Node) -> None:
    """Translate what changes no value in eval mode: dropout, clones, casts between floats."""
    kind = node.meta["val"]
    if not kind.is_floating_point():
        translator.refuse(node, f"gives {kind.dtype}; allowed: floating point")
    translator.alias(node, translator.value(node, node.args[0]))


IDENTITIES = ("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout", "clone", "contiguous", "detach")
VALUES: dict[str, Handler] = {
    "batch_norm": translate_batch_norm,
    "add": translate_add,
    "sub": translate_subtract,
    "rsub": translate_subtract,
    "mul": translate_multiply,
    "div": translate_divide,
    "neg": translate_negate,
    "cat": translate_join,
    "concat": translate_join,
    "concatenate": translate_join,
    **dict.fromkeys((*IDENTITIES, "alias", "_to_copy", "to", "lift_fresh_copy", "type_as"), translate_identity),
}
