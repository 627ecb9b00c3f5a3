"""The rounding functions with their straight-through gradients, and what they share.

Backward passes recompute from the input what forward threw away: a training step keeps no tensor for quantisation
that the network without it would not keep. They are written in few passes over memory, which is what they cost.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

SMALLEST_STEP = 1e-8  # keeps x/s and w/α finite for an all-zero tensor
# What does the work of a function here by one kernel each, by the type of the device.
DEVICE_FUNCTIONS: dict[str, dict[Any, type[Function]]] = {}


@contextmanager
def functions_on(device: str, functions: dict[Any, type[Function]]) -> Iterator[None]:
    """Have these functions do the work of those here on a type of device; after the block what did it before."""
    before = DEVICE_FUNCTIONS.get(device)
    DEVICE_FUNCTIONS[device] = functions
    try:
        yield
    finally:
        del DEVICE_FUNCTIONS[device]
        if before is not None:
            DEVICE_FUNCTIONS[device] = before


def call(function: type[Function], x: Tensor, *others: Any) -> Tensor:
    """Apply a function, or what does its work on the device where x is."""
    return DEVICE_FUNCTIONS.get(x.device.type, {}).get(function, function).apply(x, *others)


class FakeQuantise(Function):
    """Uniform quantisation x̂ = clamp(round(x/step), low, high)·step (Eq. 1, 2); `step` broadcasts.

    With v = x/step: ∂x̂/∂x = 1[low ≤ v ≤ high]; ∂x̂/∂step = round(v) − v inside, low or high outside. Ties round to
    even.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, step: Tensor, low: int, high: int) -> Tensor:
        ctx.save_for_backward(x, step)
        ctx.bounds = low, high
        return (x / step).clamp_(low, high).round_().mul_(step)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        x, step = ctx.saved_tensors
        v = x / step
        clamped = v.clamp(*ctx.bounds)
        inside = v.eq_(clamped)  # as 0.0 and 1.0, which multiplies faster than bool
        if not ctx.needs_input_grad[1]:
            return inside.mul_(grad), None, None, None
        slope = clamped.round().sub_(clamped.mul_(inside))
        return inside.mul_(grad), slope.mul_(grad).sum_to_size(step.shape), None, None


class NearestLevel(Function):
    """Quantisation to levels ŵ = α·Π(clip(w/α, −1, 1)) (Eq. 3, 17), ties to the larger magnitude; `alpha` broadcasts.

    With u = w/α: ∂ŵ/∂w = 1[|u| ≤ 1]; ∂ŵ/∂α = Π(u) − u inside, sign(u) outside. A weight that is not finite gives NaN.
    """

    @staticmethod
    def forward(ctx: Any, w: Tensor, alpha: Tensor, levels: Tensor, midpoints: Tensor) -> Tensor:
        ctx.save_for_backward(w, alpha, levels, midpoints)
        nearest = levels[find_nearest_level(w / alpha, midpoints)].mul_(alpha)
        return nearest.add_(w, alpha=0)  # bucketing gives NaN a level; 0·NaN and 0·∞ are NaN again

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        w, alpha, levels, midpoints = ctx.saved_tensors
        u = w / alpha
        inside = u.abs() <= 1
        slope = torch.where(inside, levels[find_nearest_level(u, midpoints)] - u, torch.sign(u))
        return grad * inside, (grad * slope).sum_to_size(alpha.shape), None, None


class Round(Function):
    """Rounding with ties to even and the gradient of the identity."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.round(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad


class ScaleGradient(Function):
    """The identity, whose gradient is multiplied by a constant: LSQ's gradient scale g."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad * ctx.factor, None


def find_nearest_level(u: Tensor, midpoints: Tensor) -> Tensor:
    """Find the level nearest to each u, ties to the larger magnitude: `LevelSet.find_nearest` for tensors.

    By bucketing on the midpoints: no tensor of levels × numel is made.
    """
    u = u.contiguous()
    return torch.where(u < 0, torch.bucketize(u, midpoints), torch.bucketize(u, midpoints, right=True))


def keep_positive(step: Tensor) -> Tensor:
    """Return the size of a step, max(|step|, `SMALLEST_STEP`); its gradient is that of |step| everywhere, ±1.

    A step that an update pushed below zero means its size, so it never inverts the quantiser; one that is below the
    smallest still learns, and can grow again.
    """
    functions = DEVICE_FUNCTIONS.get(step.device.type, {})
    if keep_positive in functions:
        return functions[keep_positive].apply(step)
    magnitude = torch.where(step < 0, -step, step)  # abs() has no gradient at 0
    return magnitude + (magnitude.clamp_min(SMALLEST_STEP) - magnitude).detach()


def exporting() -> bool:
    """Whether torch.export is tracing: tensors have no values then, and the number of samples is a symbol."""
    return torch.compiler.is_exporting()
