"""Convolution and linear layer with quantised input and weight, in place of torch's own."""

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional

from asq_model.config import LayerConfig
from asq_model.integer.sqrt2 import sqrt2_table
from asq_model.quantisers import activation_quantiser, weight_quantiser


def recomputed(result: Tensor, again: Callable[[], Tensor]) -> saved_tensors_hooks:
    """Operations inside that save `result` for their backward pass call `again` there instead of keeping it.

    The quantised input comes from the layer's input, which the activation function before the layer keeps anyway: so a
    training step's memory stays near that of full precision, for one more rounding.
    """
    pointer, shape = result.data_ptr(), result.shape

    def pack(tensor: Tensor) -> Tensor | None:
        return None if tensor.data_ptr() == pointer and tensor.shape == shape else tensor

    def unpack(tensor: Tensor | None) -> Tensor:
        if tensor is not None:
            return tensor
        with torch.no_grad():
            return again()

    return saved_tensors_hooks(pack, unpack)


def looked_up(table: Tensor, patterns: Tensor) -> Tensor:
    """The table's entries, shaped as the patterns. `index_select` takes an eighth of the time of `table[patterns]`."""
    return table.index_select(0, patterns.flatten()).view(patterns.shape)


class Quantised:
    """Mixin for `nn.Conv2d` and `nn.Linear`: quantises input and weight before the layer's own operation.

    Both are computed in float32 whatever the precision around them: a step in bfloat16 would move the thresholds.
    """

    CHANNEL_AXIS: int  # of the input

    def __init__(self, *args, config: LayerConfig, channels: int, **kwargs):
        super().__init__(*args, **kwargs)
        self.config = config
        self.activation_quantiser = activation_quantiser(config, channels, self.CHANNEL_AXIS)
        self.weight_quantiser = weight_quantiser(config, self.weight.shape[0])
        if config.product_frac is not None:
            quantiser, frac = self.activation_quantiser, config.product_frac
            values = np.arange(quantiser.low, quantiser.high + 1)
            error = sqrt2_table(values, frac) * 2.0**-frac - 2**0.5 * values
            self.register_buffer("root_error", torch.tensor(error, dtype=torch.float32), persistent=False)

    def adopt(self, layer: nn.Module) -> Self:
        """Take over a layer's parameters, not copies of them, and start the weight scales from them."""
        self.weight, self.bias = layer.weight, layer.bias
        self.to(layer.weight.device)
        self.weight_quantiser.initialise(self.weight)
        return self.train(layer.training)

    @abstractmethod
    def operation(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """What the layer does with its input and weight, whatever they are."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            x = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
            grid = self.activation_quantiser.grid(x)
            quantised = self.activation_quantiser.on_grid(x, *grid)
            weight = self.weight_quantiser(self.weight)
            added = self.rounding(x, weight) if self.config.product_frac is not None else 0
        if not torch.is_grad_enabled():
            return self.operation(quantised, weight, self.bias) + added
        with recomputed(quantised, partial(self.activation_quantiser.on_grid, x.detach(), *grid)):
            return self.operation(quantised, weight, self.bias) + added

    def rounding(self, x: Tensor, weight: Tensor) -> Tensor:
        """What rounded products add to the layer's sums: those of weights √2·c are c · round(√2·a). To the gradient of
        the input the rounding is a constant, as any other."""
        codes, step = self.activation_quantiser.codes(x)
        error = looked_up(self.root_error, codes - self.activation_quantiser.low) * step.view(-1, *(1,) * (x.dim() - 1))
        weight_codes, _ = self.weight_quantiser.codes(self.weight)
        odd = torch.tensor(self.weight_quantiser.level_set.odd != 0, device=x.device)[weight_codes]
        return self.operation(error, weight * odd / 2**0.5, None)


class QuantConv2d(Quantised, nn.Conv2d):
    CHANNEL_AXIS = 1

    @classmethod
    def of(cls, layer: nn.Conv2d, config: LayerConfig) -> Self:
        """The quantised twin of a convolution, grouped and depthwise ones too."""
        return cls(
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size,
            layer.stride,
            layer.padding,
            layer.dilation,
            layer.groups,
            layer.bias is not None,
            layer.padding_mode,
            config=config,
            channels=layer.in_channels,
        ).adopt(layer)

    def operation(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return self._conv_forward(x, weight, bias)


class QuantLinear(Quantised, nn.Linear):
    CHANNEL_AXIS = -1

    @classmethod
    def of(cls, layer: nn.Linear, config: LayerConfig) -> Self:
        """The quantised twin of a linear layer."""
        return cls(
            layer.in_features, layer.out_features, layer.bias is not None, config=config, channels=layer.in_features
        ).adopt(layer)

    def operation(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return functional.linear(x, weight, bias)
