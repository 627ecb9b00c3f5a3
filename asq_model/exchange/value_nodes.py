"""What ONNX's nodes on values become: torch's modules and functions, and constants that are computed here."""

from collections.abc import Callable
from math import inf, isfinite, prod

import numpy as np
import torch
from torch import nn

from asq_model.exchange.network_builder import Activation, Constant, NetworkBuilder
from asq_model.exchange.quantiser_nodes import translate_clip_of_integers
from asq_model.spec.fixed_point import signed_width

UNARY: dict[str, Callable[[], nn.Module]] = {
    "Relu": nn.ReLU,
    "Sigmoid": nn.Sigmoid,
    "Tanh": nn.Tanh,
    "HardSwish": nn.Hardswish,
}
ARITHMETIC: dict[str, tuple[Callable[..., torch.Tensor], Callable[..., np.ndarray]]] = {
    "Add": (torch.add, np.add),
    "Sub": (torch.sub, np.subtract),
    "Mul": (torch.mul, np.multiply),
    "Div": (torch.div, np.divide),
}


def translate_unary(builder: NetworkBuilder) -> None:
    """Translate Relu, Sigmoid, Tanh and HardSwish into torch's modules."""
    builder.apply(UNARY[builder.node.operator](), builder.activation())


def translate_leaky_relu(builder: NetworkBuilder) -> None:
    """Translate LeakyRelu into torch's; the slope alpha is 0.01 where the file names none."""
    builder.apply(nn.LeakyReLU(builder.node.attributes.get("alpha", 0.01)), builder.activation())


def translate_clip(builder: NetworkBuilder) -> None:
    """Translate Clip, which says of integers how many bits they have."""
    value = builder.value(0)
    low, high = read_clip_bound(builder, 1, "min", -inf), read_clip_bound(builder, 2, "max", inf)
    if isinstance(value, Activation) and value.integer:
        translate_clip_of_integers(builder, value, low, high)
    elif isinstance(value, Activation):
        builder.apply(nn.Hardtanh(low, high), builder.activation())
    else:
        kind = value.values.dtype
        if kind.kind in "iu" and (low > np.iinfo(kind).max or high < np.iinfo(kind).min):
            builder.node.refuse(f"bounds {kind} to [{low:g}, {high:g}]; allowed: bounds that {kind} has")
        values = np.clip(value.values, low, high).astype(kind)
        whole = kind.kind in "iu" and isfinite(low) and isfinite(high)
        builder.give(Constant(values, bits=signed_width(int(low), int(high)) if whole else value.bits))


def read_clip_bound(builder: NetworkBuilder, index: int, attribute: str, otherwise: float) -> float:
    """Read a bound of Clip: an input, or in files of an operator set before 11 an attribute."""
    if builder.has(index):
        return float(builder.constant(index, "bound").values.reshape(()))
    return float(builder.node.attributes.get(attribute, otherwise))


def translate_arithmetic(builder: NetworkBuilder) -> None:
    """Translate Add, Sub, Mul and Div; those of constants are computed at once."""
    function, compute = ARITHMETIC[builder.node.operator]
    left, right = builder.value(0), builder.value(1)
    if isinstance(left, Constant) and isinstance(right, Constant):
        size = prod(np.broadcast_shapes(left.values.shape, right.values.shape))
        if size > max(left.values.size, right.values.size):
            builder.check_size(size)
        with np.errstate(all="ignore"):
            builder.give(Constant(np.asarray(compute(left.values, right.values))))
        return
    builder.compute(
        function, [builder.activation(i) if isinstance(v, Activation) else v for i, v in enumerate((left, right))]
    )
