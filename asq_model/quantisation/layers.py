"""Convolution and linear layers with quantised input and weight, in place of torch's own."""

from collections.abc import Callable
from typing import Any, Self

from torch import Tensor, nn
from torch.nn import functional

from asq_model.config.layer_config import LayerConfig
from asq_model.quantisation.quantised import Quantised


class QuantisedConvolution(Quantised):
    """The base of quantised convolutions of every dimension: grouped, depthwise, strided and dilated, any padding."""

    CHANNEL_AXIS = 1
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Any
    dilation: tuple[int, ...]
    groups: int
    padding_mode: Any
    _reversed_padding_repeated_twice: list[int]
    _conv_forward: Callable[..., Tensor]

    @classmethod
    def of(cls, layer: nn.Conv1d | nn.Conv2d, config: LayerConfig, name: str = "") -> Self:
        """The quantised twin of one of torch's convolutions."""
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
        ).adopt(layer, name)

    def apply_operation(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Convolve a quantised input with quantised weights, as torch does."""
        return self._conv_forward(x, weight, bias)

    def takes(self, x: Tensor) -> bool:
        """Whether an input has as many axes as the weight: there is always one for the samples."""
        return x.dim() == self.weight.dim()


class QuantConv1d(QuantisedConvolution, nn.Conv1d):
    """A quantised `nn.Conv1d`."""

    INPUT = "[N, C, length]"


class QuantConv2d(QuantisedConvolution, nn.Conv2d):
    """A quantised `nn.Conv2d`."""

    INPUT = "[N, C, H, W]"


class QuantLinear(Quantised, nn.Linear):
    """A quantised `nn.Linear`."""

    CHANNEL_AXIS = -1
    INPUT = "[N, ..., features]"

    @classmethod
    def of(cls, layer: nn.Linear, config: LayerConfig, name: str = "") -> Self:
        """The quantised twin of a linear layer."""
        return cls(
            layer.in_features, layer.out_features, layer.bias is not None, config=config, channels=layer.in_features
        ).adopt(layer, name)

    def apply_operation(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Multiply a quantised input by quantised weights, as torch does."""
        return functional.linear(x, weight, bias)

    def takes(self, x: Tensor) -> bool:
        """Whether an input has an axis for the samples before the features."""
        return x.dim() >= 2


TWINS: dict[type[nn.Module], type[Quantised]] = {nn.Conv1d: QuantConv1d, nn.Conv2d: QuantConv2d, nn.Linear: QuantLinear}
