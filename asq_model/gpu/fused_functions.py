"""The functions of `straight_through` on a CUDA device, each one kernel forward and one backward. Needs Triton."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import triton
from torch import Tensor
from torch.autograd import Function

from asq_model.gpu import kernels
from asq_model.quantisation import straight_through
from asq_model.quantisation.memory_layout import lay_out_as, make_dense
from asq_model.quantisation.straight_through import SMALLEST_STEP, functions_on

BLOCK = 1024  # values that a program takes at once
ROUNDS = 4  # of them one after the other, where rows are long


class FusedFakeQuantise(Function):
    """`FakeQuantise` for float32 x whose step is one for all, or one for each entry of the first axis."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, step: Tensor, low: int, high: int) -> Tensor:
        x, flat = make_dense(x), step.reshape(-1).contiguous()
        ctx.save_for_backward(x, flat)
        ctx.bounds, ctx.shape = (float(low), float(high)), step.shape
        out, rows = torch.empty_like(x), flat.numel()
        row_size = x.numel() // rows
        kernels.quantise[(rows, triton.cdiv(row_size, BLOCK))](x, flat, out, row_size, *ctx.bounds, BLOCK=BLOCK)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        x, step = ctx.saved_tensors
        gradient, x_gradient, rows = lay_out_as(gradient, x), torch.empty_like(x), step.numel()
        row_size = x.numel() // rows
        rounds = ROUNDS if row_size >= ROUNDS * BLOCK else 1
        chunks = triton.cdiv(row_size, BLOCK * rounds)
        partial = torch.empty(rows, chunks, device=x.device)
        kernels.quantise_backward[(rows, chunks)](
            x, step, gradient, x_gradient, partial, row_size, chunks, *ctx.bounds, ROUNDS=rounds, BLOCK=BLOCK
        )
        total = partial.sum(1) if chunks > 1 else partial
        return x_gradient, total.view(ctx.shape), None, None


class FusedNearestLevel(Function):
    """`NearestLevel` for float32 w whose scale is one for all, or one for each entry of the first axis."""

    @staticmethod
    def forward(ctx: Any, w: Tensor, alpha: Tensor, levels: Tensor, midpoints: Tensor) -> Tensor:
        w, flat = make_dense(w), alpha.reshape(-1).contiguous()
        ctx.save_for_backward(w, flat, levels, midpoints)
        ctx.shape = alpha.shape
        out, rows = torch.empty_like(w), flat.numel()
        row_size = w.numel() // rows
        block = triton.next_power_of_2(row_size)
        kernels.level[(rows,)](w, flat, levels, midpoints, out, row_size, midpoints.numel(), BLOCK=block)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        w, alpha, levels, midpoints = ctx.saved_tensors
        gradient, rows = lay_out_as(gradient, w), alpha.numel()
        row_size = w.numel() // rows
        w_gradient, alpha_gradient = torch.empty_like(w), torch.empty_like(alpha)
        kernels.level_backward[(rows,)](
            w,
            alpha,
            levels,
            midpoints,
            gradient,
            w_gradient,
            alpha_gradient,
            row_size,
            midpoints.numel(),
            BLOCK=triton.next_power_of_2(row_size),
        )
        return w_gradient, alpha_gradient.view(ctx.shape), None, None


class FusedPositive(Function):
    """`keep_positive` for float32 steps."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        x = x.contiguous()
        ctx.save_for_backward(x)
        out = torch.empty_like(x)
        kernels.magnitude[(1,)](x, out, x.numel(), SMALLEST_STEP, BLOCK=triton.next_power_of_2(x.numel()))
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        out, block = torch.empty_like(x), triton.next_power_of_2(x.numel())
        kernels.magnitude_backward[(1,)](x, gradient.contiguous(), out, x.numel(), BLOCK=block)
        return out


@contextmanager
def fused_functions() -> Iterator[None]:
    """Have quantisers on a CUDA device compute by the kernels here."""
    functions: dict[Any, type[Function]] = {
        straight_through.FakeQuantise: FusedFakeQuantise,
        straight_through.NearestLevel: FusedNearestLevel,
        straight_through.keep_positive: FusedPositive,
    }
    with functions_on("cuda", functions):
        yield
