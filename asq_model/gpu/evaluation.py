"""What a trained network scores, enqueued on the device without waiting for it; and what its weights cost."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from asq_model.gpu.device_images import DeviceImages
from asq_model.quantisation import Adapter
from asq_model.quantisation.convert import inner_layers, quantised_layers
from asq_model.quantisation.observe import watch_outputs

BATCH = 2500


@torch.no_grad()
def enqueue_test(model: nn.Module, images: DeviceImages) -> Tensor:
    """Enqueue the test; leaves the model in eval mode.

    Gives counts of test images, int64 [3] on the device: label first, label among the first five, and label first when
    each layer's β is held at its mean over some training images (0 without adapters).
    """
    model.eval()
    counts = torch.zeros(3, dtype=torch.int64, device=images.device)
    batches = list(zip(images.test.split(BATCH), images.test_labels.split(BATCH), strict=True))
    with exact_convolutions():
        for batch, labels in batches:
            logits = model(batch)
            best = logits.topk(min(5, logits.shape[1])).indices == labels.unsqueeze(1)
            counts[:2] += torch.stack([best[:, 0].sum(), best.sum()])
        if adapters_of(model):
            with betas_held(model, images.examples):
                for batch, labels in batches:
                    counts[2] += (model(batch).argmax(1) == labels).sum()
    return counts


@contextmanager
def exact_convolutions() -> Iterator[None]:
    """Have convolutions multiply in float32, by an algorithm that was not chosen by its speed."""
    cudnn = torch.backends.cudnn
    before = cudnn.allow_tf32, cudnn.benchmark
    cudnn.allow_tf32 = cudnn.benchmark = False
    try:
        yield
    finally:
        cudnn.allow_tf32, cudnn.benchmark = before


def adapters_of(model: nn.Module) -> list[tuple[str, Adapter]]:
    """The adapters of a network, by their layers' names."""
    layers = ((name, layer.activation_quantiser.adapter) for name, layer in quantised_layers(model))
    return [(name, adapter) for name, adapter in layers if adapter is not None]


@contextmanager
def betas_held(model: nn.Module, examples: Tensor) -> Iterator[None]:
    """Hold each layer's β at its mean over some images. Without gradients; for a network in eval mode."""
    betas: dict[str, Tensor] = {}
    adapters = adapters_of(model)
    with watch_outputs(adapters, lambda name, beta: betas.__setitem__(name, beta.mean())):
        model(examples)
    hooks = [
        adapter.register_forward_hook(lambda module, inputs, output, beta=betas[name]: beta.expand(len(output)))
        for name, adapter in adapters
        if name in betas
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def count_weight_costs(model: nn.Module) -> dict[str, int]:
    """Count what low-bit weights cost: how many there are, how many are zero, and how many terms all have together.

    A term is a signed power of two, times 1 or √2.
    """
    weights = zeros = terms = 0
    for _, layer in inner_layers(model):
        codes, _ = layer.weight_quantiser.encode(layer.weight)
        level_set = layer.weight_quantiser.level_set
        costs = [count_terms(even) + count_terms(odd) for even, odd in zip(level_set.even, level_set.odd, strict=True)]
        counts = torch.bincount(codes.flatten(), minlength=len(costs)).tolist()
        weights += codes.numel()
        zeros += sum(count for count, cost in zip(counts, costs, strict=True) if cost == 0)
        terms += sum(count * cost for count, cost in zip(counts, costs, strict=True))
    return {"weights": weights, "zeros": zeros, "terms": terms}


def count_terms(value: int) -> int:
    """Count the signed powers of two that an integer is the sum of, at least."""
    rest, terms = abs(int(value)), 0
    while rest:
        if rest % 2:
            terms += 1
            rest -= 2 - rest % 4
        rest //= 2
    return terms
