"""Quantisers of weights [C, ...]: level sets (POST, POT, APoT, E2M1), uniform by LSQ, and DoReFa's."""

from abc import abstractmethod
from math import sqrt

import torch
from torch import Tensor, nn

from asq_model.common.errors import InputError
from asq_model.config.layer_config import LayerConfig
from asq_model.quantisation.straight_through import (
    SMALLEST_STEP,
    FakeQuantise,
    NearestLevel,
    Round,
    ScaleGradient,
    call,
    find_nearest_level,
    keep_positive,
)
from asq_model.spec.levels import LevelSet


def check_finite(w: Tensor) -> None:
    """Raises InputError for weights that no code stands for."""
    if not torch.isfinite(w).all():
        raise InputError("its weights have values that are not finite")


class WeightQuantiser(nn.Module):
    """The base of all weight quantisers. level_set: the levels that codes are of; DoReFa's have none."""

    level_set: LevelSet

    @abstractmethod
    def initialise(self, w: Tensor) -> None:
        """Start what is learned from the weights."""

    def encode(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """Compute weight codes, shaped as w, and what a level's unit means. Raises InputError where there are none."""
        raise InputError(f"{type(self).__name__} has no weight codes")

    def find_odd_part(self, w: Tensor, quantised: Tensor) -> Tensor:
        """Find what quantised weights have at odd powers of √2, over √2. Raises InputError where there is no √2."""
        raise InputError(f"{type(self).__name__} has no levels at odd powers of √2")


class ScaledWeight(WeightQuantiser):
    """The base of weight quantisers with a learned scale: one per output channel, or one for all."""

    def __init__(self, level_set: LevelSet, channels: int, per_channel: bool = True):
        super().__init__()
        self.level_set = level_set
        self.scale = nn.Parameter(torch.ones(channels if per_channel else 1))

    def rows(self, w: Tensor) -> Tensor:
        """The weights as one row per scale."""
        return w.reshape(len(self.scale), -1)

    def channel_scale(self, w: Tensor, gradient_scale: float = 1.0) -> Tensor:
        """The scale, broadcastable against w."""
        return keep_positive(ScaleGradient.apply(self.scale, gradient_scale)).view(-1, *(1,) * (w.dim() - 1))

    @torch.no_grad()
    def start(self, scale: Tensor) -> None:
        """Set the scales; rows of zeros, which say nothing of their size, take the largest of the others'."""
        largest = scale.max()
        scale = torch.where(scale > 0, scale, largest if largest > 0 else torch.ones_like(largest))
        self.scale.copy_(scale.clamp_min(SMALLEST_STEP))


class UniformWeight(ScaledWeight):
    """LSQ for weights: signed b bits, a step that starts from 2·mean|w|/√p, gradient scale 1/√(N·p).

    N is the number of weights per scale.

    Two's complement has the integers −2^(b−1) … p = 2^(b−1) − 1, the kind `sign-magnitude` −p … p.
    """

    def __init__(self, level_set: LevelSet, channels: int, per_channel: bool = True):
        super().__init__(level_set, channels, per_channel)
        self.low, self.high = int(level_set.even.min()), int(level_set.even.max())

    def initialise(self, w: Tensor) -> None:
        """Start each step from 2·mean|w|/√p of its weights."""
        self.start(2 * self.rows(w.detach()).abs().mean(1) / sqrt(self.high))

    def forward(self, w: Tensor) -> Tensor:
        g = 1 / sqrt(self.rows(w).shape[1] * self.high)
        return call(FakeQuantise, w, self.channel_scale(w, g), self.low, self.high)

    @torch.no_grad()
    def encode(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """Compute weight codes, shaped as w, and the step [C] or [1]: forward(w) is step · value of the code.

        Raises InputError for weights that are not finite.
        """
        check_finite(w)
        q = torch.clamp(torch.round(w / self.channel_scale(w)), self.low, self.high).to(torch.int64)
        codes = torch.tensor(self.level_set.codes, device=w.device)  # in the order of their integers, with no gaps
        return codes[q - self.low], keep_positive(self.scale)


class LevelSetWeight(ScaledWeight):
    """Quantiser to POST, POT or any other `LevelSet`: α starts from the 99 % quantile of |w|, gradient scale 1/√N."""

    levels: Tensor
    midpoints: Tensor

    def __init__(self, level_set: LevelSet, channels: int, per_channel: bool = True):
        super().__init__(level_set, channels, per_channel)
        self.register_buffer("levels", self.scale.new_tensor(level_set.levels), persistent=False)
        self.register_buffer("midpoints", self.scale.new_tensor(level_set.midpoints), persistent=False)

    def initialise(self, w: Tensor) -> None:
        """Start each α from the 99 % quantile of its weights' magnitudes."""
        magnitudes = self.rows(w.detach()).abs().sort(1).values
        # Linear interpolation between order statistics; torch.quantile refuses more than 16 million weights.
        position = 0.99 * (magnitudes.shape[1] - 1)
        below = int(position)
        above = min(below + 1, magnitudes.shape[1] - 1)
        self.start(torch.lerp(magnitudes[:, below], magnitudes[:, above], position - below))

    def forward(self, w: Tensor) -> Tensor:
        alpha = self.channel_scale(w, 1 / sqrt(self.rows(w).shape[1]))
        return call(NearestLevel, w, alpha, self.levels, self.midpoints)

    @torch.no_grad()
    def encode(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """Compute codes, shaped as w, and α/level_unit [C] or [1]: forward(w) is that scale · (even + odd·√2).

        Raises InputError for weights that are not finite.
        """
        check_finite(w)
        index = find_nearest_level(w / self.channel_scale(w), self.midpoints)
        codes = torch.tensor(self.level_set.codes, device=w.device)[index]
        return codes, keep_positive(self.scale) / self.level_set.level_unit

    def find_odd_part(self, w: Tensor, quantised: Tensor) -> Tensor:
        """Find the part of quantised weights at odd powers of √2, over √2; elsewhere 0. `quantised` is forward(w)."""
        codes, _ = self.encode(w)
        odd = torch.tensor(self.level_set.odd != 0, device=w.device)[codes]
        return quantised * odd / 2**0.5


class DorefaWeight(WeightQuantiser):
    """DoReFa-Net (Zhou 2016): 2·Q(tanh(w) / (2·max|tanh(w)|) + ½) − 1, Q rounding to 2^b − 1 steps; b ≥ 2.

    Levels are the odd multiples of 1/(2^b − 1) in [−1, 1], without zero; nothing is learned but w.
    """

    def __init__(self, bits: int):
        super().__init__()
        self.steps = (1 << bits) - 1

    def initialise(self, w: Tensor) -> None:
        """Do nothing: there is no parameter to start."""

    def forward(self, w: Tensor) -> Tensor:
        squashed = torch.tanh(w)
        unit = squashed / (2 * squashed.abs().max().clamp_min(SMALLEST_STEP)) + 0.5
        return Round.apply(unit * self.steps) * (2 / self.steps) - 1


def make_weight_quantiser(config: LayerConfig, channels: int) -> WeightQuantiser:
    """Make the quantiser of a layer's weights with that many output channels."""
    if config.weights == "dorefa":
        return DorefaWeight(config.weight_bits)
    quantiser: type[ScaledWeight] = UniformWeight if config.weights == "uniform" else LevelSetWeight
    return quantiser(config.level_set, channels, config.per_channel)
