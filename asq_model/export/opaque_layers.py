"""Quantised layers as single operations in what `torch.export` traces, so that a trace has layers, not roundings."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from asq_model.quantisation import ActivationQuantiser
from asq_model.quantisation.convert import quantised_layers
from asq_model.quantisation.quantised import Quantised

LIBRARY = torch.library.Library("asq_post", "DEF")
LIBRARY.define("layer(Tensor x, int index) -> Tensor")
LIBRARY.define("quantise(Tensor x, int index) -> Tensor")
MODULES: list[nn.Module] = []  # those of the network that is being traced, by the index that the operations have


@torch.library.register_fake("asq_post::layer")
def layer_shape(x: Tensor, index: int) -> Tensor:
    """The form of a layer's output."""
    layer = MODULES[index]
    assert isinstance(layer, Quantised)
    layer.check_input(x)
    return layer.apply_operation(x, x.new_empty(layer.weight.shape), None)


@torch.library.register_fake("asq_post::quantise")
def quantiser_shape(x: Tensor, index: int) -> Tensor:
    """The form of a quantiser's output."""
    return torch.empty_like(x)


def run_module(x: Tensor, index: int) -> Tensor:
    """Run a module as its own class computes it."""
    module = MODULES[index]
    return type(module).forward(module, x)


LIBRARY.impl("layer", run_module, "CompositeExplicitAutograd")
LIBRARY.impl("quantise", run_module, "CompositeExplicitAutograd")


def find_opaque_modules(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Find the quantised layers, and the activation quantisers that belong to no layer, with their names."""
    layers = quantised_layers(model)
    inside = {id(part) for _, layer in layers for part in layer.modules()}
    alone = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, ActivationQuantiser) and id(module) not in inside
    ]
    return [*layers, *alone]


@contextmanager
def opaque_layers(model: nn.Module) -> Iterator[list[tuple[str, nn.Module]]]:
    """Make a model's quantised layers and quantisers single operations; gives them in the order of their indices."""
    modules = find_opaque_modules(model)
    MODULES[:] = [module for _, module in modules]
    try:
        for index, (_, module) in enumerate(modules):
            operation = torch.ops.asq_post.layer if isinstance(module, Quantised) else torch.ops.asq_post.quantise
            module.__dict__["forward"] = make_forward(operation, index)
        yield modules
    finally:
        for _, module in modules:
            module.__dict__.pop("forward", None)


def make_forward(operation: Callable[[Tensor, int], Tensor], index: int) -> Callable[[Tensor], Tensor]:
    """Make a forward function that is one operation."""

    def forward(input: Tensor) -> Tensor:  # named as torch's layers name it, for calls by keyword
        return operation(input, index)

    return forward
