"""The quantisers, as fake quantisation: forward gives the value that the integers will mean, backward the
straight-through gradients of the paper and of LSQ.

Uniform (Eq. 1, 2): `q = clamp(round(x/s), n, p)`, `x̂ = q·s`. ASQ (Eq. 4-9): the same with `s_a = s·β`, β from an
adapter, one per sample. Level sets (Eq. 3, 17): `ŵ = α·Π(w/α)`, Π the nearest level of a `LevelSet`.
"""

from math import sqrt

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional

from asq_model.codes import LevelSet

SMALLEST_STEP = 1e-8  # of s and α: keeps x/s finite for an all-zero tensor


class _FakeQuantise(Function):
    """x̂ = clamp(round(x/step), low, high)·step. `step` broadcasts against x: per tensor, channel or sample.

    With v = x/step: ∂x̂/∂x = 1[low ≤ v ≤ high]; ∂x̂/∂step = round(v) − v inside, low or high outside.
    """

    @staticmethod
    def forward(ctx, x, step, low, high):
        ctx.save_for_backward(x, step)
        ctx.bounds = low, high
        return torch.clamp(torch.round(x / step), low, high) * step

    @staticmethod
    def backward(ctx, grad):
        x, step = ctx.saved_tensors
        low, high = ctx.bounds
        v = x / step
        inside = (v >= low) & (v <= high)
        slope = torch.clamp(torch.round(v), low, high) - v * inside
        return grad * inside, (grad * slope).sum_to_size(step.shape), None, None


class _NearestLevel(Function):
    """ŵ = α·Π(clip(w/α, −1, 1)), ties to the larger magnitude. `alpha` broadcasts against w, one per channel.

    With u = w/α: ∂ŵ/∂w = 1[|u| ≤ 1]; ∂ŵ/∂α = Π(u) − u inside, sign(u) outside.
    """

    @staticmethod
    def forward(ctx, w, alpha, levels, midpoints):
        u = w / alpha
        nearest = levels[nearest_level(u, midpoints)]
        ctx.save_for_backward(u, nearest)
        return nearest * alpha

    @staticmethod
    def backward(ctx, grad):
        u, nearest = ctx.saved_tensors
        inside = u.abs() <= 1
        slope = torch.where(inside, nearest - u, torch.sign(u))
        shape = (u.shape[0],) + (1,) * (u.dim() - 1)
        return grad * inside, (grad * slope).sum_to_size(shape), None, None


class _ScaleGradient(Function):
    """The identity, whose gradient is multiplied by a constant: LSQ's gradient scale g."""

    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.factor, None


def nearest_level(u: Tensor, midpoints: Tensor) -> Tensor:
    """Index of the level nearest to each u, ties to the larger magnitude: `LevelSet.nearest` for tensors.

    By bucketing on the midpoints: no tensor of levels × numel is made.
    """
    return torch.where(u < 0, torch.bucketize(u, midpoints), torch.bucketize(u, midpoints, right=True))


def positive(step: Tensor) -> Tensor:
    """A step that an update pushed below zero means its size: it stays alive and never inverts the quantiser."""
    return step.abs().clamp_min(SMALLEST_STEP)


def uniform_bounds(bits: int, signed: bool) -> tuple[int, int]:
    """(n, p) of Eq. 1."""
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)


class ActivationQuantiser(nn.Module):
    """Uniform activation quantiser with a learned step: LSQ, or with an adapter ASQ (s_a = s·β per sample).

    Input and output [N, ...]. The step starts at 2·mean|x|/√p of the first batch that it sees in training.
    """

    def __init__(self, bits: int, signed: bool = False, adapter: nn.Module | None = None):
        super().__init__()
        self.low, self.high = uniform_bounds(bits, signed)
        self.bits, self.signed = bits, signed
        self.adapter = adapter
        self.step = nn.Parameter(torch.ones(()))
        self.register_buffer("initialised", torch.zeros((), dtype=torch.bool))

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        self.step.copy_((2 * x.abs().mean() / sqrt(self.high)).clamp_min(SMALLEST_STEP))
        self.initialised.fill_(True)

    def sample_step(self, x: Tensor) -> Tensor:
        """s_a, broadcastable against x: one value, or one per sample with an adapter."""
        step = positive(_ScaleGradient.apply(self.step, 1 / sqrt(x.numel() * self.high)))
        if self.adapter is None:
            return step
        return step * self.adapter(x).view(-1, *(1,) * (x.dim() - 1))

    def forward(self, x: Tensor) -> Tensor:
        if self.training and not self.initialised:
            self.initialise(x)
        return _FakeQuantise.apply(x, self.sample_step(x), self.low, self.high)

    @torch.no_grad()
    def codes(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(integers q, shaped as x; step s_a of each sample [N]): forward(x) is q·s_a."""
        step = self.sample_step(x)
        return torch.clamp(torch.round(x / step), self.low, self.high).to(torch.int64), step.reshape(-1).expand(len(x))


class WeightQuantiser(nn.Module):
    """What the two weight quantisers share: one scale per output channel, weights [C, ...]."""

    def __init__(self, level_set: LevelSet, channels: int):
        super().__init__()
        self.level_set = level_set
        self.scale = nn.Parameter(torch.ones(channels))

    def channel_scale(self, w: Tensor) -> Tensor:
        return positive(self.scale).view(-1, *(1,) * (w.dim() - 1))


class UniformWeightQuantiser(WeightQuantiser):
    """LSQ for weights, per output channel: signed b bits, step from 2·mean|w|/√p on."""

    def __init__(self, level_set: LevelSet, channels: int):
        super().__init__(level_set, channels)
        self.low, self.high = uniform_bounds(level_set.bits, signed=True)

    @torch.no_grad()
    def initialise(self, w: Tensor) -> None:
        self.scale.copy_((2 * w.abs().flatten(1).mean(1) / sqrt(self.high)).clamp_min(SMALLEST_STEP))

    def forward(self, w: Tensor) -> Tensor:
        scale = _ScaleGradient.apply(self.channel_scale(w), 1 / sqrt(w[0].numel() * self.high))
        return _FakeQuantise.apply(w, scale, self.low, self.high)

    @torch.no_grad()
    def codes(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """(two's complement codes, shaped as w; step [C]): forward(w) is step · value of the code."""
        q = torch.clamp(torch.round(w / self.channel_scale(w)), self.low, self.high).to(torch.int64)
        return q & (1 << self.level_set.bits) - 1, positive(self.scale)


class LevelSetWeightQuantiser(WeightQuantiser):
    """POST, POT or any other `LevelSet`, per output channel: α from the 99 % quantile of |w| on."""

    def __init__(self, level_set: LevelSet, channels: int):
        super().__init__(level_set, channels)
        self.register_buffer("levels", torch.tensor(level_set.levels, dtype=torch.float32), persistent=False)
        self.register_buffer("midpoints", torch.tensor(level_set.midpoints, dtype=torch.float32), persistent=False)

    @torch.no_grad()
    def initialise(self, w: Tensor) -> None:
        self.scale.copy_(w.abs().flatten(1).quantile(0.99, dim=1).clamp_min(SMALLEST_STEP))

    def forward(self, w: Tensor) -> Tensor:
        alpha = _ScaleGradient.apply(self.channel_scale(w), 1 / sqrt(w[0].numel()))
        return _NearestLevel.apply(w, alpha, self.levels, self.midpoints)

    @torch.no_grad()
    def codes(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """(weight codes, shaped as w; α/level_unit [C]): forward(w) is that scale · (even + odd·√2) of the code."""
        index = nearest_level(w / self.channel_scale(w), self.midpoints)
        codes = torch.tensor(self.level_set.codes)[index]
        return codes, positive(self.scale) / self.level_set.level_unit


def weight_quantiser(level_set: LevelSet, channels: int) -> WeightQuantiser:
    quantiser = UniformWeightQuantiser if level_set.family == "uniform" else LevelSetWeightQuantiser
    return quantiser(level_set, channels)


class Adapter(nn.Module):
    """β of each sample from its un-quantised input (Eq. 4): average over positions, one or two linear layers, ReLU.

    Input [N, C, ...], output [N]. Fewer than 8 channels: one linear layer; otherwise C → C // 4 → 1. The last
    layer starts at weights N(0, 0.01²) and bias 1, so β ≈ 1. `floor` keeps β from dying at 0.
    """

    def __init__(self, channels: int, floor: float = 2.0**-4):
        super().__init__()
        self.floor = floor
        hidden = channels // 4
        self.hidden = nn.Linear(channels, hidden) if channels >= 8 else None
        self.output = nn.Linear(hidden if channels >= 8 else channels, 1)
        nn.init.normal_(self.output.weight, std=0.01)
        nn.init.ones_(self.output.bias)

    def forward(self, x: Tensor) -> Tensor:
        pooled = x.flatten(2).mean(2) if x.dim() > 2 else x
        if self.hidden is not None:
            pooled = functional.relu(self.hidden(pooled))
        return functional.relu(self.output(pooled)).clamp_min(self.floor).squeeze(1)
