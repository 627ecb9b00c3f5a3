"""How a layer's window moves over its input, and the operands that it meets there."""

from typing import TypedDict

from torch import Tensor, nn

from asq_model.common.errors import InputError
from asq_model.quantisation.layers import QuantConv1d, QuantisedConvolution
from asq_model.quantisation.quantised import Quantised
from asq_model.spec.graph.tensor import Margins, Pair


def pad_input(layer: QuantisedConvolution, x: Tensor) -> Tensor:
    """Pad a convolution's input as the layer does, in any of its ways."""
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    return nn.functional.pad(x, layer._reversed_padding_repeated_twice, mode)


def unfold_operands(layer: Quantised, x: Tensor) -> Tensor:
    """Unfold the operands of a layer's dot products, [N, groups, terms, positions], terms in the order of the weight.

    Padding is included; output channel c uses the operands of its group, c // (channels per group).
    """
    if not isinstance(layer, QuantisedConvolution):
        return layer.as_maps(x).flatten(2).unsqueeze(1)
    x, kernel, dilation, stride = pad_input(layer, x), layer.kernel_size, layer.dilation, layer.stride
    if isinstance(layer, QuantConv1d):
        x, kernel, dilation, stride = x.unsqueeze(2), (1, *kernel), (1, *dilation), (1, *stride)
    fields = nn.functional.unfold(x, kernel, dilation, 0, stride)
    return fields.view(len(x), layer.groups, -1, fields.shape[2])


class Geometry(TypedDict):
    """How a window moves over maps, as the fields of a `Convolution` node: rows first, then columns.

    padding: above, below, left, right.
    """

    kernel: Pair
    stride: Pair
    padding: Margins
    dilation: Pair
    groups: int


def read_geometry(layer: Quantised) -> Geometry:
    """Read a layer's kernel, stride, padding, dilation and groups.

    The axis of a one-dimensional convolution is that of the rows. Raises InputError, naming the layer, for padding
    that is not zeros.
    """
    if not isinstance(layer, QuantisedConvolution):
        return {"kernel": (1, 1), "stride": (1, 1), "padding": (0, 0, 0, 0), "dilation": (1, 1), "groups": 1}
    if layer.padding_mode != "zeros":
        raise InputError(f"layer {layer.name} has {layer.padding_mode} padding; allowed in integers: zeros")
    margins = layer._reversed_padding_repeated_twice  # of the last axis, then of the one before
    above, below, left, right = (*margins[2:], *margins[:2]) if len(margins) == 4 else (*margins, 0, 0)
    return {
        "kernel": as_pair(layer.kernel_size),
        "stride": as_pair(layer.stride),
        "padding": (above, below, left, right),
        "dilation": as_pair(layer.dilation),
        "groups": layer.groups,
    }


def as_pair(numbers: tuple[int, ...]) -> Pair:
    """Numbers of one or two axes as (rows, columns); columns are 1 where there is one axis."""
    return numbers[0], numbers[1] if len(numbers) == 2 else 1
