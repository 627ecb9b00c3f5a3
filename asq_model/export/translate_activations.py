"""What torch's activation functions become: bounds, slopes below zero, and curves."""

from math import inf
from typing import Any

import torch
from torch import Tensor, fx

from asq_model.export.operations import Bound, Curve, NegativeSlope
from asq_model.export.translate_values import arguments_of, expand_by_channel, reshape_to_channels
from asq_model.export.translator import Handler, Translator, operation_name

CURVES = (
    *("silu", "gelu", "hardswish", "hardsigmoid", "sigmoid", "tanh", "elu", "selu", "celu", "softplus", "mish"),
    "log_sigmoid",
)


def translate_bound(translator: Translator, node: fx.Node) -> None:
    """Translate relu, relu6, hardtanh and clamps: values kept between bounds."""
    arguments = arguments_of(node)
    value = translator.value(node, arguments["self"])
    kind = operation_name(node).removesuffix("_")
    low: Any
    high: Any
    if kind == "relu":
        low, high = 0.0, inf
    elif kind == "relu6":
        low, high = 0.0, 6.0
    elif kind == "hardtanh":
        low, high = arguments["min_val"], arguments["max_val"]
    else:
        low, high = arguments.get("min"), arguments.get("max")
    bounds = (-inf if low is None else low, inf if high is None else high)
    if not all(isinstance(bound, (int, float)) for bound in bounds):
        translator.refuse(node, "takes a tensor as a bound; allowed: numbers")
    bound = Bound(
        translator.claim_name(node), (value.operation,), translator.where(node), node.name, *map(float, bounds)
    )
    translator.add(node, bound, value.maps, value.axes)


def translate_slope(translator: Translator, node: fx.Node) -> None:
    """Translate leaky_relu and prelu: a slope for negative values."""
    arguments = arguments_of(node)
    value = translator.value(node, arguments["self"])
    if operation_name(node).startswith("prelu"):
        if value.axis(1) not in (0, None):
            value = translator.arrange(node, value, tuple(range(len(value.axes))))
        slopes = expand_by_channel(translator, node, value, reshape_to_channels(translator, arguments["weight"], value))
    else:
        slopes = expand_by_channel(translator, node, value, arguments["negative_slope"])
    slope = NegativeSlope(translator.claim_name(node), (value.operation,), translator.where(node), node.name, slopes)
    translator.add(node, slope, value.maps, value.axes)


def translate_curve(translator: Translator, node: fx.Node) -> None:
    """Translate silu, sigmoid and the others in `CURVES` into a curve. Refused: tensors as their parameters."""
    value = translator.value(node, node.args[0])
    target: Any = node.target
    rest, named = node.args[1:], dict(node.kwargs)
    if any(isinstance(argument, fx.Node) for argument in (*rest, *named.values())):
        translator.refuse(node, "takes a tensor as a parameter; allowed: numbers")

    def function(x: Tensor) -> Tensor:
        with torch.no_grad():
            return target(x, *rest, **named)

    curve = Curve(translator.claim_name(node), (value.operation,), translator.where(node), node.name, function)
    translator.add(node, curve, value.maps, value.axes)


ACTIVATIONS: dict[str, Handler] = {
    "prelu": translate_slope,
    "leaky_relu": translate_slope,
    **dict.fromkeys(("relu", "relu6", "hardtanh", "clamp", "clamp_min", "clamp_max", "clip"), translate_bound),
    **dict.fromkeys(CURVES, translate_curve),
}
