"""Train in several processes as one: what depends on the batch is computed over the parts of all of them.

A step, a batch norm or a gradient scale that looked at its own process's part of the batch only would make the result
depend on how many processes there are.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_reduce

from asq_model.common.errors import InputError, shown


def world_size() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """The number of this process among those that train together."""
    return distributed.get_rank() if distributed.is_initialized() else 0


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Join the group that `torchrun` made, or none when this process runs alone."""
    if "WORLD_SIZE" not in os.environ:
        yield
        return
    # Gradients of 1×1 convolutions may lie in memory as channels first or last alike, of which DDP makes a warning.
    warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
    try:
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    except (ValueError, distributed.DistError) as error:  # something else than `torchrun` set WORLD_SIZE
        found = f"WORLD_SIZE is {shown(os.environ['WORLD_SIZE'])}, but the processes find no group"
        raise InputError(
            f"{found}: {' '.join(str(error).split())[:200]}; allowed: torchrun, or WORLD_SIZE unset for one process"
        ) from error
    try:
        yield
    finally:
        distributed.destroy_process_group()


def sum_globally(x: Tensor) -> Tensor:
    """Sum over all processes, with gradients: each process's loss reaches every process's x."""
    return all_reduce(x) if world_size() > 1 else x


@torch.no_grad()
def average_globally(x: Tensor) -> Tensor:
    """Take the mean over all elements of the whole batch, whose parts are of equal size."""
    return sum_globally(x.mean()) / world_size()


@torch.no_grad()
def find_global_extremes(x: Tensor) -> tuple[Tensor, Tensor]:
    """Find the smallest and the largest element of the whole batch."""
    extremes = torch.stack([-x.min(), x.max()])
    if world_size() > 1:
        distributed.all_reduce(extremes, distributed.ReduceOp.MAX)
    return -extremes[0], extremes[1]


class GlobalBatchNorm2d(nn.BatchNorm2d):
    """Batch norm over the whole batch of all processes; torch's SyncBatchNorm does the same, on CUDA only."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        wide = x.float() if x.dtype != torch.float64 else x
        count = wide.numel() // wide.shape[1] * world_size()
        mean = sum_globally(wide.sum((0, 2, 3))) / count
        centred = wide - mean.view(1, -1, 1, 1)
        variance = sum_globally((centred**2).sum((0, 2, 3))) / count
        with torch.no_grad():
            assert self.num_batches_tracked is not None and self.momentum is not None
            assert self.running_mean is not None and self.running_var is not None
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / max(count - 1, 1), self.momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)).to(x.dtype)


def share_batch_norms(model: nn.Module) -> None:
    """Make every batch norm of a model one over all processes; its state dict stays the same."""
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = GlobalBatchNorm2d
