"""Turn a trained network into integers only: weight codes, calibrated binary points, folded batch norm.

The last place where there are floats; what comes out is `asq_model.spec.network`, which has none.
"""

from dataclasses import dataclass
from math import frexp
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from asq_model.common.errors import InputError
from asq_model.datasets import MemorySplit
from asq_model.export.layer_vectors import trained_codes
from asq_model.networks import CifarResNet, DigitsNet, ResNet8
from asq_model.networks.resnet import BasicBlock, PaddedIdentity
from asq_model.quantisation import Adapter
from asq_model.quantisation.convert import inner_layers, quantised_layers
from asq_model.quantisation.exportable import check_integer_operands
from asq_model.quantisation.layers import QuantConv2d, Quantised
from asq_model.quantisation.observe import observe_inputs, watch_outputs
from asq_model.spec.adaptive_step import GUARD, IntegerAdapter, IntegerQuantiser, Precision
from asq_model.spec.fixed_point import mantissas
from asq_model.spec.network import Block, IntegerNetwork, Layer, Products
from asq_model.spec.rescale import Rescale

NETWORKS = (DigitsNet, ResNet8, CifarResNet)
CALIBRATION_IMAGES = 256


def binary_point(largest: float, bits: int) -> int:
    """The most fraction bits with which a signed number of `bits` bits holds ±largest."""
    return bits - 1 - frexp(largest)[1]


@dataclass(frozen=True)
class Calibrated:
    """A layer's input on the calibration images, with the binary points of its input and of its output."""

    input: Tensor
    point: int
    out_point: int


class Calibration:
    """What each layer receives, and each block and shortcut gives, on training images."""

    def __init__(self, model: nn.Module, images: Tensor, precision: Precision):
        self.precision = precision
        self.outputs: dict[str, Tensor] = {}
        blocks = [
            (name, module)
            for name, module in model.named_modules()
            if isinstance(module, BasicBlock) or name.endswith("downsample")
        ]
        self.layers = dict(quantised_layers(model))
        with watch_outputs(blocks, self.outputs.setdefault):
            self.inputs = observe_inputs(model, quantised_layers(model), images)

    def point(self, tensor: Tensor) -> int:
        """The binary point with which a tensor never saturates on the calibration images."""
        return binary_point(max(tensor.abs().max().item(), 2.0**-16), self.precision.bits)

    def layer(self, name: str, out_point: int) -> Calibrated:
        """A layer's input, and the binary points of its input and its output."""
        return Calibrated(self.inputs[name], self.point(self.inputs[name]), out_point)


def hidden_reach(source: Adapter, x: Tensor) -> float:
    """How large an adapter's hidden neurons can become, estimated from inputs x.

    Twice the largest that is seen, for other images; where neurons are silent, as far as they are below zero.
    """
    with torch.no_grad():
        neurons = source.neurons(source.pooled(x))
    return max(2 * neurons.max().item(), neurons.abs().max().item(), 2.0**-16)


def layer_quantiser(layer: Quantised, x: Tensor, point: int, positions: int, precision: Precision) -> IntegerQuantiser:
    """The integer quantiser of a layer. Raises InputError, naming the layer.

    x: the layer's input on the calibration images. point: its binary point.

    positions: what the adapter's mean divides by.
    """
    source = layer.activation_quantiser
    integer_adapter = None
    if source.adapter is not None:
        parameters = {name: value.detach().double().numpy() for name, value in source.adapter.named_parameters()}
        hidden_point = 0
        if source.adapter.hidden is not None:
            hidden_point = binary_point(hidden_reach(source.adapter, x), precision.hidden_bits + 1)
        with layer.naming():
            integer_adapter = IntegerAdapter.from_real(
                parameters, source.adapter.floor, positions, point, hidden_point, precision
            )
    return IntegerQuantiser.from_real(
        source.bits, source.signed, source.step.abs().item(), point, integer_adapter, precision
    )


def products(layer: Quantised, precision: Precision) -> tuple[Products, np.ndarray]:
    """The levels of a layer's weights and a scale per channel: a weight is scale · level."""
    codes, scale = trained_codes(layer)
    level_set = layer.weight_quantiser.level_set
    odd = level_set.odd[codes].astype(np.float64) if level_set.odd.any() else None
    even = level_set.even[codes].astype(np.float64)
    largest = (1 << layer.activation_quantiser.bits) - 1
    return Products(even, odd, largest, 0 if odd is None else precision.sum_frac), scale


def fold_batch_norm(layer: Quantised, norm: nn.BatchNorm2d | None) -> tuple[np.ndarray, np.ndarray]:
    """What follows a layer's sum of products, its own bias and batch norm: (factor, bias) per channel."""
    bias = np.zeros(len(layer.weight)) if layer.bias is None else layer.bias.detach().double().numpy()
    if norm is None:
        return np.ones(len(layer.weight)), bias
    assert norm.running_mean is not None and norm.running_var is not None
    mean, variance = norm.running_mean.double().numpy(), norm.running_var.double().numpy()
    factor = norm.weight.detach().double().numpy() / np.sqrt(variance + norm.eps)
    return factor, norm.bias.detach().double().numpy() + (bias - mean) * factor


def make_layer(
    name: str,
    layer: Quantised,
    norm: nn.BatchNorm2d | None,
    calibrated: Calibrated,
    precision: Precision,
) -> Layer:
    """A convolution with its quantiser and with what follows it. Raises InputError, naming the layer."""
    check_layer(name, layer)
    x = calibrated.input
    source = layer_quantiser(layer, x, calibrated.point, x[0, 0].numel(), precision)
    return make_rescaled_layer(name, layer, norm, source, calibrated.out_point, precision)


def make_rescaled_layer(
    name: str,
    layer: Quantised,
    norm: nn.BatchNorm2d | None,
    source: IntegerQuantiser,
    out_point: int,
    precision: Precision,
    gain: int = 1,
) -> Layer:
    """A layer in integers, with its quantiser and its rescale.

    gain: how many times larger than real the accumulator is, and so its bias.
    """
    levels, scale = products(layer, precision)
    factor, bias = fold_batch_norm(layer, norm)
    multiplier, multiplier_point = mantissas(scale * factor, precision.bits)
    largest = int(np.abs(multiplier).max()) * source.mantissa  # K at β = 1
    scale_shift = max(0, largest.bit_length() - (precision.scale_bits - 1))
    total = levels.frac + multiplier_point + source.point + GUARD - scale_shift  # the binary point of acc · K
    integer_bias = np.rint(bias * gain * 2.0**total).astype(np.int64)
    kernel, stride, padding = (1, 1, 0)
    if isinstance(layer, QuantConv2d):
        kernel, stride, padding = layer.kernel_size[0], layer.stride[0], layer.padding[0]
    rescale = Rescale(multiplier, integer_bias, scale_shift, total - out_point, precision.bits)
    return Layer(name, kernel, stride, padding, source, levels, rescale)


def check_layer(name: str, layer: Quantised) -> None:
    """Raises InputError, naming the layer, for quantisers that the integer network does not have."""
    check_integer_operands(name, layer)
    if layer.config.product_frac is not None:
        rounding = f"product_frac {layer.config.product_frac}"
        raise InputError(f"layer {name} was trained with {rounding}; the integer network sums products exactly")


def make_integer_network(model: nn.Module, train: MemorySplit, precision: Precision | None = None) -> IntegerNetwork:
    """Turn a quantised network in eval mode into integers.

    It is calibrated on the first training images. Raises InputError for a network that cannot be turned.
    """
    precision = precision or Precision()
    if not isinstance(model, NETWORKS) or not inner_layers(model):
        allowed = ", ".join(network.__name__ for network in NETWORKS)
        raise InputError(f"network is {type(model).__name__}; integers are made of a quantised {allowed}")
    images = train.scaled(train.images[:CALIBRATION_IMAGES])
    seen = Calibration(model, images, precision)
    names = list(seen.layers)
    stem_name, classifier_name = names[0], names[-1]
    blocks = [(name, block) for name, block in model.named_modules() if isinstance(block, BasicBlock)]
    starts = [seen.point(seen.inputs[f"{name}.conv1"]) for name, _ in blocks]
    ends = [*starts[1:], seen.point(seen.outputs[blocks[-1][0]])]
    norm = next(child for child in model.children() if isinstance(child, nn.BatchNorm2d))
    stem_source = seen.layers[stem_name]
    stem = make_layer(stem_name, stem_source, norm, seen.layer(stem_name, starts[0]), precision)
    integer_blocks = [make_block(name, block, seen, end) for (name, block), end in zip(blocks, ends, strict=True)]
    classifier, positions = seen.layers[classifier_name], seen.outputs[blocks[-1][0]][0, 0].numel()
    check_layer(classifier_name, classifier)
    # The classifier sees sums, not means: its step is as many times larger.
    step = classifier.activation_quantiser.step.abs().item() * positions
    if classifier.activation_quantiser.adapter is not None:
        raise InputError(f"layer {classifier_name} has an adapter; the integer network's classifier has none")
    source = IntegerQuantiser.from_real(
        classifier.config.activation_bits, classifier.config.signed, step, ends[-1], None, precision
    )
    last = make_rescaled_layer(classifier_name, classifier, None, source, 0, precision, gain=positions)
    pixels = pixel_table(train, stem_source, stem.quantiser)
    return IntegerNetwork(pixels, positions, stem, tuple(integer_blocks), last)


def make_block(name: str, block: BasicBlock, seen: Calibration, end: int) -> Block:
    """A residual block in integers whose output has the binary point `end`. Raises InputError, naming the layer."""
    names, precision = (f"{name}.conv1", f"{name}.conv2"), seen.precision
    after = seen.layer(names[1], end)
    before = seen.layer(names[0], after.point)
    first = make_layer(names[0], seen.layers[names[0]], block.bn1, before, precision)
    second = make_layer(names[1], seen.layers[names[1]], block.bn2, after, precision)
    shortcut: Layer | tuple[int, int] = (1, 0)
    point = before.point
    if isinstance(block.downsample, PaddedIdentity):
        shortcut = (block.downsample.stride, block.downsample.padding)
    elif block.downsample is not None:
        layer_name, norm = f"{name}.downsample", None
        if isinstance(block.downsample, nn.Sequential):
            layer_name, norm = f"{name}.downsample.0", cast(nn.BatchNorm2d, block.downsample[1])
        point = seen.point(seen.outputs[f"{name}.downsample"])
        shortcut = make_layer(layer_name, seen.layers[layer_name], norm, seen.layer(layer_name, point), precision)
    return Block(first, second, shortcut, second.rescale.shift + end - point)


def pixel_table(split: MemorySplit, stem: Quantised, source: IntegerQuantiser) -> np.ndarray:
    """What each byte of an image means to the network, int64 [C, 256], at the stem's binary point.

    A value that its bits put on the other side of an edge between two codes moves back by a unit, where the step is
    fixed: a byte that fills the background of many images would carry the difference to all of them.
    """
    values = split.scaled(torch.arange(256).view(1, 1, -1, 1).expand(1, len(split.mean), -1, 1))
    table = np.rint(values[0, :, :, 0].double().numpy() * 2.0**source.point).astype(np.int64)
    if source.adapter is None:
        wanted = stem.activation_quantiser.codes(values)[0][0, :, :, 0].numpy()
        table += np.sign(wanted - source.codes(table[None], source.step(table[None]))[0]).astype(np.int64)
    return table
