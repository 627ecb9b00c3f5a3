"""Trace a converted network by `torch.export`: its operations, and what torch makes of images on the way.

Nothing is left out silently: an operation that has no counterpart is refused in one line that names it and where it
stands.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

from asq_model.common.errors import InputError
from asq_model.export.opaque_layers import opaque_layers
from asq_model.export.operations import Operation
from asq_model.export.translator import Axes, Translator
from asq_model.quantisation.observe import evaluating


@dataclass(frozen=True)
class TracedNetwork:
    """A network's operations in order of execution, and the program that torch exported.

    output: the name of the operation that gives the result. axes: of torch's tensors by the name of their node.
    """

    operations: list[Operation]
    output: str
    program: fx.GraphModule
    axes: dict[str, Axes]


def trace_network(model: nn.Module, images: Tensor) -> TracedNetwork:
    """Trace a converted network in eval mode. images: as the network takes them, [N, ...], 2 or more.

    Raises InputError, naming the operation, for what has no integer form here.
    """
    program, modules = export_program(model, images)
    translator = Translator(program, modules)
    for node in program.graph.nodes:
        translator.translate(node)
    return TracedNetwork(translator.operations, translator.output, program, translator.axes)


def export_program(model: nn.Module, images: Tensor) -> tuple[fx.GraphModule, list[tuple[str, nn.Module]]]:
    """Make a program of a model by `torch.export`; return it, and its opaque modules with their names.

    Raises InputError, in one line, for a model that cannot be exported.
    """
    batch = {0: torch.export.Dim("batch", max=1 << 20)}
    with warnings.catch_warnings(), evaluating(model), opaque_layers(model) as modules:
        warnings.simplefilter("ignore")
        try:
            exported: Any = torch.export.export(model, (images[:2],), dynamic_shapes=(batch,), strict=False)
            return exported.module(check_guards=False), modules
        except InputError:
            raise
        except Exception as error:  # torch.export raises what the network's own code raises, and much else
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            reason = lines[0] if lines else type(error).__name__
            raise InputError(f"{type(model).__name__} cannot be traced by torch.export: {reason[:300]}") from error


class Recorder(fx.Interpreter):
    """Runs a program and calls `see(node's name, output, inputs)` for each tensor that it makes, as soon as it does.

    A later operation may write into a tensor: what is seen is what the operation itself made.
    """

    def __init__(self, program: fx.GraphModule, see: Callable[[str, Tensor, list[Any]], None]):
        super().__init__(program)
        self.see = see

    def run_node(self, n: fx.Node) -> Any:
        """Run one node of the program and show its tensor to `see`."""
        result = super().run_node(n)
        if isinstance(result, Tensor) and n.op in ("placeholder", "call_function"):
            self.see(n.name, result, [self.env.get(argument) for argument in n.args if isinstance(argument, fx.Node)])
        return result


def run_program(
    traced: TracedNetwork, model: nn.Module, images: Tensor, see: Callable[[str, Tensor, list[Any]], None]
) -> Tensor:
    """Run a traced network on images, `see` told of each tensor; returns its output."""
    with evaluating(model), opaque_layers(model):
        return Recorder(traced.program, see).run(images)
