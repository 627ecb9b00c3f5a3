"""Convolution and linear layer with quantised input and weight; without quantisers, they are torch's own."""

from torch import Tensor, nn

from asq_model.codes import LevelSet
from asq_model.quantisers import ActivationQuantiser, Adapter, weight_quantiser


class Quantised:
    """Mixin for `nn.Conv2d` and `nn.Linear`: `quantise` gives the layer its quantisers."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.activation_quantiser: ActivationQuantiser | None = None
        self.weight_quantiser: nn.Module | None = None

    def quantise(self, level_set: LevelSet, activation_bits: int, adaptive: bool) -> None:
        """Quantise weights to `level_set` and inputs to unsigned `activation_bits`, by ASQ if `adaptive`, else LSQ.

        The weights' scales start from the present weights.
        """
        adapter = Adapter(self.weight.shape[1]) if adaptive else None
        self.activation_quantiser = ActivationQuantiser(activation_bits, adapter=adapter)
        self.weight_quantiser = weight_quantiser(level_set, self.weight.shape[0])
        self.weight_quantiser.initialise(self.weight)

    def quantised(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Input and weight as the layer uses them."""
        if self.activation_quantiser is None:
            return x, self.weight
        return self.activation_quantiser(x), self.weight_quantiser(self.weight)


class QuantConv2d(Quantised, nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(*self.quantised(x), self.bias)


class QuantLinear(Quantised, nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        x, weight = self.quantised(x)
        return nn.functional.linear(x, weight, self.bias)
