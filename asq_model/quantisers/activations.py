"""Quantisers of a layer's input: LSQ, ASQ (LSQ with an adapter), and the baselines PACT, DoReFa and LSQ+.

All are uniform: integers q in [n, p] that mean `q·step + offset`, the offset zero but in LSQ+.
"""

from abc import abstractmethod
from math import sqrt

import torch
from torch import Tensor, nn

from asq_model.config import LayerConfig
from asq_model.distributed import global_extremes, global_mean, world_size
from asq_model.quantisers.adapter import Adapter
from asq_model.quantisers.functions import SMALLEST_STEP, FakeQuantise, Round, ScaleGradient, positive, uniform_bounds


class ActivationQuantiser(nn.Module):
    """What activation quantisers share. Input and output [N, ...], one sample per row."""

    def __init__(self, bits: int, signed: bool = False):
        super().__init__()
        self.bits, self.signed = bits, signed
        self.adapter: Adapter | None = None
        self.low, self.high = uniform_bounds(bits, signed)

    @abstractmethod
    def grid(self, x: Tensor) -> tuple[Tensor, Tensor | float]:
        """(step, offset) for an input, broadcastable against it."""

    def forward(self, x: Tensor) -> Tensor:
        return self.on_grid(x, *self.grid(x))

    def on_grid(self, x: Tensor, step: Tensor, offset: Tensor | float) -> Tensor:
        """x̂, given the grid."""
        if isinstance(offset, float):
            return FakeQuantise.apply(x, step, self.low, self.high)
        return FakeQuantise.apply(x - offset, step, self.low, self.high) + offset

    @torch.no_grad()
    def codes(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(integers q, shaped as x; step of each sample [N]): forward(x) is q·step (LSQ+: plus its offset)."""
        step, offset = self.grid(x)
        q = torch.clamp(torch.round((x - offset) / step), self.low, self.high).to(torch.int64)
        return q, step.reshape(-1).expand(len(x))


class LsqActivation(ActivationQuantiser):
    """A learned step (LSQ), or with an adapter a step per sample s_a = s·β (ASQ, Eq. 4-9).

    The step starts at 2·mean|x|/√p of the first batch that it sees in training, of all processes together; a batch of
    zeros says nothing, so the next one is waited for. `step_gradient`, `scale_beta_gradient`: see `LayerConfig`.
    """

    def __init__(
        self,
        bits: int,
        signed: bool = False,
        adapter: Adapter | None = None,
        step_gradient: str = "numel",
        scale_beta_gradient: bool = False,
    ):
        super().__init__(bits, signed)
        self.adapter = adapter
        self.step_gradient, self.scale_beta_gradient = step_gradient, scale_beta_gradient
        self.step = nn.Parameter(torch.ones(()))
        self.register_buffer("initialised", torch.zeros((), dtype=torch.bool))

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        mean = global_mean(x.abs())
        if mean > 0:
            self.step.copy_((2 * mean / sqrt(self.high)).clamp_min(SMALLEST_STEP))
            self.initialised.fill_(True)

    def scaled(self, parameter: Tensor, x: Tensor) -> Tensor:
        """A parameter whose gradient is multiplied by g = 1/√(N·p), N counted in the input x."""
        if not torch.is_grad_enabled():
            return parameter  # and the batch may be a symbol, as in an export
        count = x.numel() * world_size() if self.step_gradient == "numel" else x[0].numel()
        return ScaleGradient.apply(parameter, 1 / sqrt(count * self.high))

    def grid(self, x: Tensor) -> tuple[Tensor, float]:
        if self.training and not self.initialised:
            self.initialise(x)
        step = positive(self.scaled(self.step, x))
        if self.adapter is not None:
            beta = self.adapter(x)
            if self.scale_beta_gradient:
                beta = self.scaled(beta, x)
            step = step * beta.view(-1, *(1,) * (x.dim() - 1))
        return step, 0.0


class LsqPlusActivation(LsqActivation):
    """LSQ+ (Bhalgat 2020): x̂ = q·s + β with a learned offset β, for inputs that are somewhat negative.

    Starts from the first batch: the codes span its smallest to its largest value.
    """

    def __init__(self, bits: int, signed: bool = False, step_gradient: str = "numel"):
        super().__init__(bits, signed, None, step_gradient)
        self.offset = nn.Parameter(torch.zeros(()))

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        smallest, largest = global_extremes(x)
        if largest > smallest:
            self.step.copy_(((largest - smallest) / (self.high - self.low)).clamp_min(SMALLEST_STEP))
            self.offset.copy_(smallest - self.low * self.step)
            self.initialised.fill_(True)

    def grid(self, x: Tensor) -> tuple[Tensor, Tensor]:
        step, _ = super().grid(x)
        return step, self.scaled(self.offset, x)


class PactActivation(ActivationQuantiser):
    """PACT (Choi 2018): clip to a learned [0, α], then uniform. ∂x̂/∂α = 1[x ≥ α]; α starts at 10, as published."""

    def __init__(self, bits: int):
        super().__init__(bits)
        self.clip = nn.Parameter(torch.tensor(10.0))

    def grid(self, x: Tensor) -> tuple[Tensor, float]:
        return positive(self.clip) / self.high, 0.0

    def on_grid(self, x: Tensor, step: Tensor, offset: float) -> Tensor:
        clipped = torch.minimum(x.clamp_min(0), step * self.high)
        # Rounded on a grid that is a constant for the gradient: the clip alone moves α.
        step = step.detach()
        return Round.apply(clipped / step) * step


class DorefaActivation(ActivationQuantiser):
    """DoReFa-Net (Zhou 2016): clip to [0, 1], then uniform; nothing is learned."""

    def __init__(self, bits: int):
        super().__init__(bits)
        self.register_buffer("step", torch.tensor(1 / self.high), persistent=False)

    def grid(self, x: Tensor) -> tuple[Tensor, float]:
        return self.step, 0.0


def activation_quantiser(config: LayerConfig, channels: int, channel_axis: int = 1) -> ActivationQuantiser:
    """The quantiser of a layer's input with that many channels along that axis."""
    if config.activations == "pact":
        return PactActivation(config.activation_bits)
    if config.activations == "dorefa":
        return DorefaActivation(config.activation_bits)
    if config.activations == "lsq+":
        return LsqPlusActivation(config.activation_bits, config.signed, config.step_gradient)
    adapter = None
    if config.activations == "asq":
        adapter = Adapter(channels, config.adapter_layers, config.adapter_ratio, config.beta_floor, channel_axis)
    return LsqActivation(
        config.activation_bits, config.signed, adapter, config.step_gradient, config.scale_beta_gradient
    )
