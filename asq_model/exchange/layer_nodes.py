"""What ONNX's layers become: quantised twins whose codes and steps are the file's."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from asq_model.common.errors import shown
from asq_model.config.layer_config import LayerConfig
from asq_model.exchange.network_builder import Activation, Constant, NetworkBuilder
from asq_model.quantisation import LsqActivation
from asq_model.quantisation.layers import TWINS
from asq_model.quantisation.weights import UniformWeight
from asq_model.spec.fixed_point import signed_width

CONVOLUTIONS: dict[int, Callable[..., nn.Conv1d | nn.Conv2d]] = {3: nn.Conv1d, 4: nn.Conv2d}
NORMS: dict[int, type[nn.Module]] = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d}
MOST = 8  # bits of a weight


def add_layer(
    builder: NetworkBuilder, value: Activation, plain: nn.Conv1d | nn.Conv2d | nn.Linear, weight: Constant
) -> None:
    """Add the quantised twin of a layer. weight: one row per output channel."""
    node = builder.node
    if value.pending is None:
        node.refuse("has an input that is not quantised; allowed: a Quant, or what only moves its values, before it")
    if weight.integers is None or weight.scales is None:
        node.refuse("has weights that are not quantised; allowed: a Quant of constants before them")
    rows = weight.scales.reshape(len(weight.scales), -1)
    if (rows != rows[:, :1]).any():
        node.refuse("has weight scales that vary within an output channel; allowed: one for each channel, or one")
    per_channel = bool((rows != rows[0, 0]).any())
    bits = find_weight_bits(builder, weight)
    quantiser = value.pending
    config = LayerConfig(
        "uniform",
        bits,
        activations="lsq",
        activation_bits=quantiser.bits,
        signed=quantiser.signed,
        per_channel=per_channel,
    )
    plain.weight = nn.Parameter(torch.from_numpy(weight.values.astype(np.float32)))
    if builder.has(2):
        plain.bias = nn.Parameter(read_bias(builder, len(rows)))
    layer = TWINS[type(plain)].of(plain, config, node.name)
    assert isinstance(layer.weight_quantiser, UniformWeight) and isinstance(layer.activation_quantiser, LsqActivation)
    scales = rows[:, 0] if per_channel else rows[:1, 0]
    layer.weight_quantiser.scale.data.copy_(torch.from_numpy(scales.copy()))
    quantiser.start(layer.activation_quantiser)
    empty = torch.empty(weight.values.shape, device="meta")
    example = layer.apply_operation(value.example, empty, None)
    builder.give_shaped(builder.call(node.name, layer, value.source), example, None)


def find_weight_bits(builder: NetworkBuilder, weight: Constant) -> int:
    """Find the bits of signed integers that hold all the weights'. Raises InputError for more than 8."""
    assert weight.integers is not None
    low, high = int(weight.integers.min(initial=0)), int(weight.integers.max(initial=0))
    bits = max(signed_width(low, high), min(weight.bits, MOST), 2)
    if bits > MOST:
        builder.node.refuse(f"has weights from {low} to {high}; allowed: those of 2 to {MOST} bits, signed")
    return bits


def read_bias(builder: NetworkBuilder, channels: int) -> torch.Tensor:
    """Read a layer's bias, one number for each channel. Raises InputError."""
    bias = builder.constant(2, "bias").values
    if bias.size not in (1, channels) or bias.shape[-1:] not in ((), (1,), (channels,)):
        builder.node.refuse(f"has a bias of shape {list(bias.shape)}; allowed: one number for each channel")
    return torch.from_numpy(np.broadcast_to(bias.reshape(-1), (channels,)).astype(np.float32))


def read_padding(builder: NetworkBuilder, dims: int) -> tuple[list[int], list[int]]:
    """Read a window's padding, the same on both sides, and what is to be padded before: (last axis' left, right, …)."""
    attributes = builder.node.attributes
    if attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID", ""):
        builder.node.refuse(f"has auto_pad {shown(attributes['auto_pad'])}; allowed: pads")
    pads = attributes.get("pads") or [0] * (2 * dims)
    if len(pads) != 2 * dims or not all(0 <= pad < 1 << 12 for pad in pads):
        builder.node.refuse(f"has pads {pads[:8]}; allowed: 0 to 4095, two for each axis")
    first, last = pads[:dims], pads[dims:]
    if first == last:
        return first, []
    return [0] * dims, [pad for axis in reversed(range(dims)) for pad in (first[axis], last[axis])]


def pad_with_zeros(builder: NetworkBuilder, value: Activation, padding: list[int]) -> Activation:
    """Put zeros around a tensor, which its quantiser leaves as they are."""
    source = builder.graph.call_function(functional.pad, (value.source, padding))
    return Activation(source, functional.pad(value.example, padding), value.pending, value.name)


def translate_convolution(builder: NetworkBuilder) -> None:
    """Translate Conv into a quantised convolution. Refused: other kernels than along 1 or 2 axes, auto_pad."""
    node, attributes = builder.node, builder.node.attributes
    weight = builder.constant(1, "weight")
    dims = weight.values.ndim - 2
    kind = CONVOLUTIONS.get(weight.values.ndim)
    if kind is None or not weight.values.size:
        node.refuse(f"has weights of shape {list(weight.values.shape)}; allowed: convolutions along 1 or 2 axes")
    padding, before = read_padding(builder, dims)
    value = pad_with_zeros(builder, builder.activation(), before) if before else builder.activation()
    outputs, inputs, *kernel = weight.values.shape
    groups = int(attributes.get("group", 1))
    stride, dilation = (attributes.get(key) or [1] * dims for key in ("strides", "dilations"))
    with torch.device("meta"):
        plain = kind(
            inputs * groups,
            outputs,
            tuple(kernel),
            tuple(stride),
            tuple(padding),
            tuple(dilation),
            groups,
            bias=builder.has(2),
        )
    add_layer(builder, value, plain, weight)


def translate_gemm(builder: NetworkBuilder) -> None:
    """Translate Gemm into a quantised linear layer. Refused: alpha or beta other than 1, transA."""
    attributes = builder.node.attributes
    factors = attributes.get("alpha", 1.0), attributes.get("beta", 1.0)
    if factors != (1.0, 1.0) or attributes.get("transA", 0):
        builder.node.refuse("has alpha, beta or transA; allowed: alpha=1, beta=1, transA=0")
    add_linear(builder, transposed=bool(attributes.get("transB", 0)))


def translate_matmul(builder: NetworkBuilder) -> None:
    """Translate MatMul into a quantised linear layer without bias. Refused: a weight that is no constant matrix."""
    add_linear(builder, transposed=False)


def add_linear(builder: NetworkBuilder, transposed: bool) -> None:
    """Add a linear layer. transposed: whether the file's weight is [outputs, inputs], as torch has it."""
    weight = builder.constant(1, "weight")
    if weight.values.ndim != 2 or not weight.values.size:
        builder.node.refuse(f"has weights of shape {list(weight.values.shape)}; allowed: a matrix")
    weight = weight if transposed else weight.rearrange(np.transpose)
    outputs, inputs = weight.values.shape
    with torch.device("meta"):
        plain = nn.Linear(inputs, outputs, bias=builder.has(2))
    add_layer(builder, builder.activation(), plain, weight)


def translate_batch_norm(builder: NetworkBuilder) -> None:
    """Translate BatchNormalization of [N, C, ...], up to 2 axes more, into torch's. Refused: training mode."""
    node, value = builder.node, builder.activation()
    kind = NORMS.get(value.example.dim())
    if node.attributes.get("training_mode", 0) or kind is None:
        node.refuse("is in training mode, or over more than two axes; allowed: running statistics")
    parts = [builder.constant(index, "parameter").values.reshape(-1) for index in range(1, 5)]
    if len({part.size for part in parts}) != 1:
        node.refuse("has parameters of different sizes; allowed: one number for each channel")
    norm = kind(parts[0].size, node.attributes.get("epsilon", 1e-5), 1 - node.attributes.get("momentum", 0.9))
    names = ("weight", "bias", "running_mean", "running_var")
    norm.load_state_dict({name: torch.tensor(part) for name, part in zip(names, parts, strict=True)}, strict=False)
    builder.apply(norm, value)
