"""Turn one trained layer into integers: weight codes, its quantiser, and what follows its sums.

Here floats become integers; what comes out is of `asq_model.spec`, which has no floats.
"""

from dataclasses import dataclass
from math import frexp

import numpy as np
import torch
from torch import Tensor

from asq_model.common.errors import InputError
from asq_model.export.weight_codes import read_trained_codes
from asq_model.quantisation import ActivationQuantiser, Adapter
from asq_model.quantisation.exportable import check_integer_operands
from asq_model.quantisation.quantised import Quantised
from asq_model.spec.adaptive_step import IntegerAdapter, IntegerQuantiser
from asq_model.spec.fixed_point import bounds, find_mantissas
from asq_model.spec.precision import BETA_LIMIT, GUARD, WORKING_BITS, Precision
from asq_model.spec.products import Products
from asq_model.spec.rescale import Rescale

SMALLEST = 2.0**-16  # a tensor that is smaller on all calibration images gets the binary point of this


def find_binary_point(largest: float, bits: int) -> int:
    """Find the most fraction bits with which a signed number of `bits` bits holds ±largest."""
    return bits - 1 - frexp(max(largest, SMALLEST))[1]


def estimate_hidden_reach(source: Adapter, x: Tensor) -> float:
    """Estimate from inputs x how large an adapter's hidden neurons can become.

    Twice the largest that is seen, for other images; where neurons are silent, as far as they are below zero.
    """
    if source.hidden is None:
        return 0.0
    with torch.no_grad():
        neurons = source.compute_neurons(source.pool(x))
    return max(2 * neurons.max().item(), neurons.abs().max().item(), SMALLEST)


def make_quantiser(
    source: ActivationQuantiser, reach: float, point: int, positions: int, precision: Precision, gain: int = 1
) -> IntegerQuantiser:
    """Make an activation quantiser in integers. Raises InputError for an adapter that integers cannot hold.

    reach: how large the adapter's hidden neurons become. point: the input's binary point; gain: how many times larger
    than real it is. positions: what the adapter's mean divides by.
    """
    adapter = None
    if source.adapter is not None:
        parameters = {name: value.detach().double().numpy() for name, value in source.adapter.named_parameters()}
        hidden_point = find_binary_point(reach, precision.hidden_bits + 1) if reach else 0
        adapter = IntegerAdapter.from_real(parameters, source.adapter.floor, positions, point, hidden_point, precision)
    step = source.step.abs().item()
    return IntegerQuantiser.from_real(source.bits, source.signed, step, point, adapter, precision, gain)


def make_layer_quantiser(
    layer: Quantised, x: Tensor, point: int, positions: int, precision: Precision
) -> IntegerQuantiser:
    """Make a layer's quantiser in integers, x its input on calibration images. Raises InputError, naming the layer."""
    source = layer.activation_quantiser
    reach = 0.0 if source.adapter is None else estimate_hidden_reach(source.adapter, x)
    with layer.naming():
        return make_quantiser(source, reach, point, positions, precision)


def make_products(layer: Quantised, precision: Precision) -> tuple[Products, np.ndarray]:
    """Make the levels of a layer's weights and a scale per channel: a weight is scale · level."""
    codes, scale = read_trained_codes(layer)
    level_set = layer.weight_quantiser.level_set
    odd = level_set.odd[codes].astype(np.int32) if level_set.odd.any() else None
    source = layer.activation_quantiser
    largest = max(abs(bound) for bound in bounds(source.bits, source.signed))
    return Products(
        level_set.even[codes].astype(np.int32), odd, largest, 0 if odd is None else precision.sum_frac
    ), scale


@dataclass(frozen=True)
class RealRescale:
    """What follows a layer's sums of products times the step, in real numbers, per channel: factor · sum + bias.

    The sums are of levels, so that `factor` has the weights' scale in it.
    """

    factor: np.ndarray
    bias: np.ndarray

    def scale_and_add(self, factor: np.ndarray, offset: np.ndarray) -> "RealRescale":
        """Make this rescale followed by a factor and an offset for each channel, such as batch norm's."""
        return RealRescale(self.factor * factor, self.bias * factor + offset)


def make_rescale(
    real: RealRescale,
    products: Products,
    source: IntegerQuantiser,
    gain: int,
    out_point: int | None,
    precision: Precision,
    side_reach: float = 0.0,
) -> tuple[Rescale, int, int]:
    """Make a layer's rescale in integers; return it with the binary points of acc · K + B and of the output.

    gain: how many times larger than real the layer's input is. out_point: the output's binary point, or None for an
    output that keeps all bits. side_reach: how large the side branch may become, as a real number.
    """
    multiplier, multiplier_point = find_mantissas(real.factor / gain, precision.bits)
    reach = products.reach[0] + 2 * products.reach[1] << products.frac
    scale_bits = min(precision.scale_bits - 1, WORKING_BITS - BETA_LIMIT.bit_length() - reach.bit_length())
    largest = int(np.abs(multiplier).max()) * source.mantissa  # K at β = 1
    scale_shift = max(0, largest.bit_length() - scale_bits)
    total = products.frac + multiplier_point + source.point + GUARD - scale_shift
    # A bias or a side branch that is far larger than all sums of products needs room: the sums then lose low bits.
    room = WORKING_BITS - 1 - frexp(max(float(np.abs(real.bias).max()), side_reach))[1]
    if total > room:
        scale_shift, total = scale_shift + total - room, room
    bias = np.rint(np.ldexp(real.bias, total)).astype(np.int64)
    if out_point is None:
        return Rescale(multiplier, bias, scale_shift, 0, 64), total, total
    out_point = min(out_point, total)  # an output has no more fraction bits than what it is made of
    return Rescale(multiplier, bias, scale_shift, total - out_point, precision.bits), total, out_point


def check_layer(name: str, layer: Quantised) -> None:
    """Raises InputError, naming the layer, for quantisers that the integer network does not have."""
    check_integer_operands(name, layer)
    if layer.config.product_frac is not None:
        rounding = f"product_frac {layer.config.product_frac}"
        raise InputError(f"layer {name} was trained with {rounding}; the integer network sums products exactly")


def fold_bias(layer: Quantised, scale: np.ndarray) -> RealRescale:
    """Make the rescale from sums of levels times the step to a layer's output. scale: of each channel's weights."""
    bias = np.zeros(len(layer.weight)) if layer.bias is None else layer.bias.detach().double().numpy()
    return RealRescale(scale, bias)
