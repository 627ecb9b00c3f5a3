"""Run a network on an example and look at what its layers receive and give."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from asq_model.common.errors import InputError
from asq_model.quantisation.activation_base import InputStatistics

# What a network is called with: one tensor, a sequence of arguments, or keyword arguments. Samples on the first axis.
Example = Tensor | tuple[Any, ...] | list[Any] | Mapping[str, Any]
NamedModules = Sequence[tuple[str, nn.Module]]


def apply(model: nn.Module, example: Example) -> object:
    """Run a network on an example; return its output."""
    if isinstance(example, Tensor):
        return model(example)
    return model(**example) if isinstance(example, Mapping) else model(*example)


def map_tensors(example: Example, change: Callable[[Tensor], Tensor]) -> Example:
    """Replace every tensor of an example by what `change` makes of it; what is no tensor stays."""
    if isinstance(example, Tensor):
        return change(example)
    if isinstance(example, Mapping):
        return {name: change(value) if isinstance(value, Tensor) else value for name, value in example.items()}
    return tuple(change(value) if isinstance(value, Tensor) else value for value in example)


def tensors_of(example: Example) -> list[Tensor]:
    """The tensors of an example, in order. Raises InputError where there is none."""
    tensors = [example] if isinstance(example, Tensor) else None
    if tensors is None and isinstance(example, (tuple, list, Mapping)):
        values = example.values() if isinstance(example, Mapping) else example
        tensors = [value for value in values if isinstance(value, Tensor)]
    if not tensors:
        kind = type(example).__name__
        raise InputError(f"example is {kind}; allowed: a tensor, or a tuple or dictionary of arguments with tensors")
    return tensors


def check_example(example: Example) -> int:
    """Return the number of samples. Raises InputError for an example with none, or with values that are not finite."""
    for index, tensor in enumerate(tensors_of(example)):
        if tensor.dim() == 0 or tensor.numel() == 0:
            raise InputError(f"example has shape {tuple(tensor.shape)}; allowed: at least one sample")
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            which = f"example's tensor {index}" if index else "example"
            raise InputError(f"{which} has values that are not finite; allowed: numbers")
    return len(tensors_of(example)[0])


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a model into eval mode without gradients; afterwards every module is in the mode that it had."""
    training = [module for module in model.modules() if module.training]
    try:
        with torch.no_grad():
            model.eval()
            yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def watch_inputs(layers: NamedModules, see: Callable[[str, Tensor], object]) -> Iterator[None]:
    """Call `see(name, input)` whenever one of the layers is called, by position or by keyword."""

    def hook(name: str) -> Callable[..., None]:
        def pass_on(_: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Tensor]) -> None:
            see(name, args[0] if args else next(iter(kwargs.values())))

        return pass_on

    hooks = [layer.register_forward_pre_hook(hook(name), with_kwargs=True) for name, layer in layers]
    try:
        yield
    finally:
        for registered in hooks:
            registered.remove()


@contextmanager
def watch_outputs(modules: NamedModules, see: Callable[[str, Tensor], object]) -> Iterator[None]:
    """Call `see(name, output)` whenever one of the modules has been called and gives a tensor."""

    def hook(name: str) -> Callable[..., None]:
        def pass_on(_: nn.Module, args: tuple[object, ...], output: object) -> None:
            if isinstance(output, Tensor):
                see(name, output)

        return pass_on

    hooks = [module.register_forward_hook(hook(name)) for name, module in modules]
    try:
        yield
    finally:
        for registered in hooks:
            registered.remove()


def observe_inputs(model: nn.Module, layers: NamedModules, example: Example) -> dict[str, Tensor]:
    """Run the network on an example, in eval mode, without gradients; return each layer's input, in order of execution.

    Of a layer that is called several times, the first input. Layers that are not called are left out.
    """
    inputs: dict[str, Tensor] = {}
    with evaluating(model), watch_inputs(layers, inputs.setdefault):
        apply(model, example)
    return inputs


def observe_outputs(model: nn.Module, modules: NamedModules, example: Example) -> dict[str, Tensor]:
    """Run the network on an example as `observe_inputs` does; return each module's output."""
    outputs: dict[str, Tensor] = {}
    with evaluating(model), watch_outputs(modules, outputs.setdefault):
        apply(model, example)
    return outputs


@dataclass
class InputRecord:
    """What a layer received from an example: shape and statistics of the first call, and the smallest value of all."""

    shape: tuple[int, ...]
    statistics: InputStatistics
    smallest: float


class InputRecords:
    """The inputs of layers when a network runs on an example: a record by layer, and the order of the calls."""

    def __init__(self, model: nn.Module, layers: NamedModules, example: Example):
        self.records: dict[str, InputRecord] = {}
        self.calls: list[str] = []
        with evaluating(model), watch_inputs(layers, self.see):
            apply(model, example)

    def see(self, name: str, x: Tensor) -> None:
        """Take one call into account. Raises InputError for an input that is not finite."""
        self.calls.append(name)
        if not torch.isfinite(x).all():
            raise InputError(f"layer {name}: its input has values that are not finite when the example runs")
        smallest = x.min().item()
        if name not in self.records:
            self.records[name] = InputRecord(tuple(x.shape), InputStatistics.of(x), smallest)
        self.records[name].smallest = min(self.records[name].smallest, smallest)
