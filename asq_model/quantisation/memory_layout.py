"""How tensors lie in memory, which kernels and lists of parameters depend on."""

import torch
from torch import Tensor


def lay_out_as(gradient: Tensor, like: Tensor) -> Tensor:
    """Lay a gradient out in memory as another tensor is: return itself, or a copy."""
    return gradient if gradient.stride() == like.stride() else torch.empty_like(like).copy_(gradient)


def is_dense(x: Tensor) -> bool:
    """Whether a tensor lies in memory row by row, without gaps, channels last or not."""
    return x.is_contiguous() or (x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last))


def make_dense(x: Tensor) -> Tensor:
    """Lay a tensor out in memory row by row, without gaps: return itself, or a copy."""
    return x if is_dense(x) else x.contiguous()
