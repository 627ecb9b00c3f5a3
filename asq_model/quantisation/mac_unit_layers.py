"""Compute a low-bit layer as a multiply-accumulate unit does: integers in, the unit's products, one scale at the end.

A level is `even + odd·√2`, and every unit's product is linear in the two: `even · ones(a) + odd · roots(a)`, where
`ones` and `roots` are what the unit makes of a and of √2·a. So a layer is two convolutions of integers by integers,
the first over `ones` of its input, the second over `roots`, whatever the unit rounds.
"""

from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn

from asq_model.common.errors import InputError
from asq_model.quantisation.convert import inner_layers, replace_layers
from asq_model.quantisation.exportable import check_integer_operands
from asq_model.quantisation.quantised import Quantised, look_up
from asq_model.spec.levels import EXPONENTIAL
from asq_model.spec.mac import MacSpec
from asq_model.spec.units import FAMILY_OF_UNIT

APART = ("post-exact", "post-sorted")  # sum even and odd terms apart, until √2 multiplies the odd sum
FLOAT32_EXACT = 1 << 24  # integers up to here are exact in float32, and so is a sum that nowhere exceeds it


def check_family(name: str, layer: Quantised, unit: str) -> None:
    """Raises InputError, naming the layer, unless it multiplies weight codes of the unit's family by q in x̂ = q·s."""
    check_integer_operands(name, layer)
    if layer.config.weights != FAMILY_OF_UNIT[unit]:
        raise InputError(f"layer {name} has {layer.config.weights} weights, which unit {unit} does not multiply")


def unit_of(layer: Quantised, unit: str, frac: int | None = None) -> MacSpec:
    """The unit of that name and rounding that computes a layer."""
    config, terms = layer.config, layer.weight[0].numel()
    kind = config.kind if config.weights in EXPONENTIAL else ""
    signed = layer.activation_quantiser.signed
    return MacSpec(unit, config.weight_bits, config.activation_bits, kind, frac, terms, signed)


def compute_multiples(unit: MacSpec) -> tuple[np.ndarray, np.ndarray]:
    """Compute a unit's products of the levels 1 and √2 with each activation: (ones, roots), int64 [2^activation_bits].

    By the activation's bit pattern, in units of the result. `roots` of a set without √2 is zero; both are the
    activations where sums are `APART`.
    """
    if unit.unit == "post-exact":
        return unit.activations, unit.activations
    even, odd = unit.level_set.even, unit.level_set.odd
    ones, roots = (unit.products[(even == level[0]) & (odd == level[1])][:1].sum(0) for level in ((1, 0), (0, 1)))
    return ones, roots


class IntegerLayer(nn.Module):
    """A layer with the sums that `unit` makes; what `post-exact` rounds at the end is left out.

    Weights of levels that the unit's set lacks take the nearest that it has: −2^(b−1) of two's complement is
    −(2^(b−1) − 1) as sign and magnitude. Integers are in float32 where no partial sum can exceed 2^24, else in float64:
    exact in a direct convolution, which is what torch does on a CPU.
    """

    def __init__(self, layer: Quantised, unit: MacSpec):
        super().__init__()
        self.layer = layer
        codes, self.scale = layer.weight_quantiser.encode(layer.weight)
        trained, levels = layer.weight_quantiser.level_set, unit.level_set
        codes = levels.codes[levels.find_nearest(trained.values / levels.level_unit)][codes.numpy()]
        weights, tables = (levels.even[codes], levels.odd[codes]), compute_multiples(unit)
        largest = sum(
            np.abs(weight).reshape(len(codes), -1).sum(1) * np.abs(table).max()
            for weight, table in zip(weights, tables, strict=True)
        ).max()
        dtype = torch.float32 if largest < FLOAT32_EXACT else torch.float64
        self.even, self.odd = (torch.tensor(weight, dtype=dtype) for weight in weights)
        self.ones, self.roots = (torch.tensor(table, dtype=dtype) for table in tables)
        self.root: float
        self.unit_value: float
        self.root, self.unit_value = (2.0**0.5, 1.0) if unit.unit in APART else (1.0, 2.0**-unit.result_frac)

    def compute_sums(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute dot products without scales, in units of the level set's unit, and the step of each sample [N].

        Integers times a power of two, exact; where sums are `APART`, real numbers in float64.
        """
        codes, step = self.layer.activation_quantiser.encode(x)
        codes &= len(self.ones) - 1
        total = self.layer.apply_operation(look_up(self.ones, codes), self.even, None)
        if self.odd.any():
            odd = self.layer.apply_operation(look_up(self.roots, codes), self.odd, None)
            total = total + odd if self.root == 1 else total.double() + self.root * odd.double()
        return total * self.unit_value, step

    def forward(self, x: Tensor) -> Tensor:
        total, step = self.compute_sums(x)
        per_channel, per_sample = [1] * x.dim(), [-1] + [1] * (x.dim() - 1)
        per_channel[self.layer.CHANNEL_AXIS] = -1
        scale = self.scale.expand(len(self.even)).view(per_channel) * step.view(per_sample)
        bias = 0 if self.layer.bias is None else self.layer.bias.view(per_channel)
        return (total * scale + bias).float()


def put_on_unit(model: nn.Module, unit: str, frac: int | None = None) -> nn.Module:
    """Copy a converted network, and let that unit compute every low-bit layer of the copy. Raises InputError."""
    model = deepcopy(model)
    twins = {}
    for name, layer in inner_layers(model):
        check_family(name, layer, unit)
        twins[id(layer)] = IntegerLayer(layer, unit_of(layer, unit, frac))
    replace_layers(model, twins)
    return model
