"""Count the images of a split that a network classifies correctly."""

import torch
from torch import Tensor, nn

from asq_model.datasets import Split
from asq_model.distributed import sum_globally

EVALUATION_BATCH = 500
EVALUATION_PIXELS = 1 << 22  # per batch at most: 83 images of 224 × 224


def choose_evaluation_batch(split: Split) -> int:
    """Choose how many images of a split run together: so few that a layer's activations fit into memory."""
    return min(EVALUATION_BATCH, max(EVALUATION_PIXELS // split.image(0)[0].numel(), 1))


@torch.no_grad()
def count_top_correct(model: nn.Module, split: Split, device: torch.device | str = "cpu") -> tuple[int, int]:
    """Count the images whose label is the first class, and those whose label is among the first five.

    The counts are those of all processes together. Leaves the model in eval mode.
    """
    model.eval()
    hits = torch.zeros(2, dtype=torch.int64, device=device)
    for images, labels in split.batches(torch.arange(len(split)), choose_evaluation_batch(split), None):
        if len(labels):
            logits = model(images.to(device))
            best = logits.topk(min(5, logits.shape[1])).indices == labels.to(device).unsqueeze(1)
            hits += torch.stack([best[:, 0].sum(), best.sum()])
    first, five = sum_globally(hits).tolist()
    return first, five


def count_correct(model: nn.Module, split: Split, device: torch.device | str = "cpu") -> int:
    """Count the images that are classified correctly, by all processes together. Leaves the model in eval mode."""
    return count_top_correct(model, split, device)[0]


@torch.no_grad()
def find_correct(model: nn.Module, split: Split) -> Tensor:
    """Find which images a network in eval mode, on the CPU, classifies correctly, bool [N]."""
    parts = [
        model(images).argmax(1) == labels
        for images, labels in split.batches(torch.arange(len(split)), choose_evaluation_batch(split), None)
    ]
    return torch.cat(parts)
