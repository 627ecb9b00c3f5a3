"""The functions of `straight_through` on a CPU, each one pass over memory forward and one backward.

Results are those of the functions that they stand for, to the last bit: sums are torch's own. What the kernels do not
take, such as float64, is left to those functions.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from asq_model.cpu.kernels import load_kernels, run_on_rows
from asq_model.quantisation.memory_layout import is_dense, lay_out_as
from asq_model.quantisation.straight_through import FakeQuantise, NearestLevel, functions_on


def is_taken(x: Tensor, step: Tensor) -> bool:
    """Whether the kernels take x: float32, row by row in memory, with one step for all or one for each row."""
    per_row = x.dim() > 0 and step.dim() == x.dim() and step.numel() == step.shape[0] == x.shape[0]
    float32 = x.dtype == step.dtype == torch.float32
    return float32 and x.numel() > 0 and is_dense(x) and (per_row or step.numel() == 1)


def rows_of(x: Tensor, step: Tensor) -> tuple[int, int, int]:
    """How many rows x has, how many values a row has, and how far the rows' steps are from each other."""
    rows = len(x) if x.dim() else 1
    return rows, x.numel() // rows, int(step.numel() > 1)


class CompiledFakeQuantise(FakeQuantise):
    """`FakeQuantise` by kernels."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, step: Tensor, low: int, high: int) -> Tensor:
        kernels = load_kernels()
        ctx.compiled = kernels is not None and is_taken(x, step)
        if kernels is None or not ctx.compiled:
            return FakeQuantise.forward(ctx, x, step, low, high)
        ctx.save_for_backward(x, step)
        ctx.bounds = low, high
        out, (rows, size, stride) = torch.empty_like(x), rows_of(x, step)
        run_on_rows(kernels["quantise"], rows, x.numel(), x, step.contiguous(), stride, out, size, low, high)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        kernels = load_kernels()
        if kernels is None or not ctx.compiled:
            return FakeQuantise.backward(ctx, gradient)
        x, step = ctx.saved_tensors
        gradient, x_gradient, terms = lay_out_as(gradient, x), torch.empty_like(x), torch.empty_like(x)
        rows, size, stride = rows_of(x, step)
        tensors = x, step.contiguous(), stride, gradient, x_gradient, terms
        run_on_rows(kernels["quantise_backward"], rows, x.numel(), *tensors, size, *ctx.bounds)
        return x_gradient, terms.sum_to_size(step.shape), None, None


class CompiledNearestLevel(NearestLevel):
    """`NearestLevel` by kernels."""

    @staticmethod
    def forward(ctx: Any, w: Tensor, alpha: Tensor, levels: Tensor, midpoints: Tensor) -> Tensor:
        kernels = load_kernels()
        ctx.compiled = kernels is not None and is_taken(w, alpha)
        if kernels is None or not ctx.compiled:
            return NearestLevel.forward(ctx, w, alpha, levels, midpoints)
        ctx.save_for_backward(w, alpha, levels, midpoints)
        out, (rows, size, stride) = torch.empty_like(w), rows_of(w, alpha)
        tensors = w, alpha.contiguous(), stride, levels, midpoints, len(midpoints), out
        run_on_rows(kernels["level"], rows, w.numel(), *tensors, size)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        kernels = load_kernels()
        if kernels is None or not ctx.compiled:
            return NearestLevel.backward(ctx, gradient)
        w, alpha, levels, midpoints = ctx.saved_tensors
        w_gradient, terms = torch.empty_like(w), torch.empty_like(w)
        rows, size, stride = rows_of(w, alpha)
        tensors = w, alpha.contiguous(), stride, levels, midpoints, len(midpoints), lay_out_as(gradient, w)
        run_on_rows(kernels["level_backward"], rows, w.numel(), *tensors, w_gradient, terms, size)
        # The order of a sum's terms is that of memory: `NearestLevel` has them as the gradient lies.
        return w_gradient, lay_out_as(terms, gradient).sum_to_size(alpha.shape), None, None


@contextmanager
def compiled_functions() -> Iterator[bool]:
    """Have quantisers on a CPU compute by the kernels; gives whether there are any, see `load_kernels`."""
    there = load_kernels() is not None
    functions = {FakeQuantise: CompiledFakeQuantise, NearestLevel: CompiledNearestLevel}
    with functions_on("cpu", functions) if there else nullcontext():
        yield there
