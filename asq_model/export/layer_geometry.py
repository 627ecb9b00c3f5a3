"""How a layer's window moves over its input, and the operands that it meets there."""

from typing import Any

from torch import Tensor, nn

from asq_model.common.errors import InputError
from asq_model.quantisation.layers import QuantConv1d, QuantisedConvolution
from asq_model.quantisation.quantised import Quantised


def pad_input(layer: QuantisedConvolution, x: Tensor) -> Tensor:
    """Pad a convolution's input as the layer does, in any of its ways."""
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    return nn.functional.pad(x, layer._reversed_padding_repeated_twice, mode)


def unfold_operands(layer: Quantised, x: Tensor) -> Tensor:
    """Unfold the operands of a layer's dot products, [N, groups, terms, positions], terms in the order of the weight.

    Padding is included; output channel c uses the operands of its group, c // (channels per group).
    """
    if not isinstance(layer, QuantisedConvolution):
        return layer.maps(x).flatten(2).unsqueeze(1)
    x, kernel, dilation, stride = pad_input(layer, x), layer.kernel_size, layer.dilation, layer.stride
    if isinstance(layer, QuantConv1d):
        x, kernel, dilation, stride = x.unsqueeze(2), (1, *kernel), (1, *dilation), (1, *stride)
    fields = nn.functional.unfold(x, kernel, dilation, 0, stride)
    return fields.view(len(x), layer.groups, -1, fields.shape[2])


def read_geometry(layer: Quantised) -> dict[str, Any]:
    """Read a layer's kernel, stride, padding, dilation and groups, as the fields of a `Convolution` node.

    The axis of a one-dimensional convolution is that of the rows. Raises InputError, naming the layer, for padding
    that is not zeros.
    """
    if not isinstance(layer, QuantisedConvolution):
        return {"kernel": (1, 1), "stride": (1, 1), "padding": (0, 0, 0, 0), "dilation": (1, 1), "groups": 1}
    if layer.padding_mode != "zeros":
        raise InputError(f"layer {layer.name} has {layer.padding_mode} padding; allowed in integers: zeros")
    margins = layer._reversed_padding_repeated_twice  # of the last axis, then of the one before
    pairs = [tuple(margins[index : index + 2]) for index in range(0, len(margins), 2)][::-1]
    pairs += [(0, 0)] * (2 - len(pairs))

    def two(numbers: tuple[int, ...]) -> tuple[int, int]:
        return numbers[0], numbers[1] if len(numbers) == 2 else 1

    return {
        "kernel": two(layer.kernel_size),
        "stride": two(layer.stride),
        "padding": (*pairs[0], *pairs[1]),
        "dilation": two(layer.dilation),
        "groups": layer.groups,
    }
