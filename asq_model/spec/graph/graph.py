"""A graph: nodes in the order in which they run, from one input to one output."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from asq_model.common.errors import InputError
from asq_model.spec.formats import WIDEST
from asq_model.spec.graph.convolution import Convolution, Quantise
from asq_model.spec.graph.elementwise import Add, Clip, Function, Input, LeakyRelu, Scale
from asq_model.spec.graph.movement import Concatenate, MaxPool, Pad, Reshape, Slice, SumPool
from asq_model.spec.graph.tensor import Node, Tensor, Trace

Operation = (
    Input
    | Convolution
    | Quantise
    | Scale
    | Add
    | Clip
    | LeakyRelu
    | Function
    | MaxPool
    | SumPool
    | Concatenate
    | Reshape
    | Pad
    | Slice
)
BATCH = 32  # samples that run together where nothing is kept: what one layer holds stays near the processor


@dataclass(frozen=True)
class Graph:
    """A network in integers only. Raises InputError, naming the node, for nodes that do not fit together.

    nodes: in an order in which each follows its inputs; the first is the only `Input`, the last gives the result.
    """

    nodes: tuple[Operation, ...]

    def __post_init__(self) -> None:
        if not self.nodes or not isinstance(self.nodes[0], Input):
            raise InputError("a graph begins with its input; this one does not")
        check_formats = self.tensors  # raises for nodes that do not fit together
        assert check_formats

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """The format of each node's output, by the node's name."""
        tensors: dict[str, Tensor] = {}
        for index, node in enumerate(self.nodes):
            if node.name in tensors:
                raise InputError(f"node {node.name} is there twice")
            if isinstance(node, Input) and index:
                raise InputError(f"node {node.name} is a second input; allowed: one")
            unknown = [name for name in node.inputs if name not in tensors]
            if unknown:
                raise InputError(
                    f"node {node.name} has the input {unknown[0]}, which is not the name of a node before it"
                )
            try:
                tensor = node.output_format([tensors[name] for name in node.inputs])
                if tensor.bits > WIDEST:
                    raise InputError(f"its output has {tensor.bits} bits; allowed: up to {WIDEST}")
            except InputError as error:
                raise InputError(f"node {node.name}: {error}") from error
            tensors[node.name] = tensor
        return tensors

    @property
    def input(self) -> Input:
        """The node that takes what the network is given."""
        first = self.nodes[0]
        assert isinstance(first, Input)
        return first

    @property
    def result(self) -> Tensor:
        """The format of the network's output."""
        return self.tensors[self.nodes[-1].name]

    def convolutions(self) -> Iterator[Convolution]:
        """The nodes that multiply, in order of execution."""
        return (node for node in self.nodes if isinstance(node, Convolution))

    def input_of(self, node: Node) -> Tensor:
        """The format of a node's first input."""
        return self.tensors[node.inputs[0]]

    @cached_property
    def last_uses(self) -> list[set[str]]:
        """For each node the tensors that no later one needs."""
        last = {name: index for index, node in enumerate(self.nodes) for name in (*node.inputs, node.name)}
        last.pop(self.nodes[-1].name)
        return [{name for name, use in last.items() if use == index} for index in range(len(self.nodes))]

    def __call__(self, samples: np.ndarray, trace: Trace | None = None) -> np.ndarray:
        """The output, int64 [N, channels, rows, columns], of samples [N, C, H, W].

        samples: int64, or uint8 where the input has a table for bytes. Raises InputError for others, and where a number
        would need more than 64 bits.
        """
        if samples.ndim != 4:
            raise InputError(f"input has shape {list(samples.shape)}; allowed: [N, C, H, W]")
        if trace is not None and trace.keep:
            return self.run(samples, trace)
        trace = trace or Trace()
        parts = [self.run(samples[start : start + BATCH], trace) for start in range(0, max(len(samples), 1), BATCH)]
        return np.concatenate(parts)

    def run(self, samples: np.ndarray, trace: Trace) -> np.ndarray:
        """Compute the output of samples that run together."""
        values: dict[str, np.ndarray] = {}
        for node, done in zip(self.nodes, self.last_uses, strict=True):
            inputs = [samples] if isinstance(node, Input) else [values[name] for name in node.inputs]
            try:
                values[node.name] = node.run(inputs, trace)
            except InputError as error:
                raise InputError(f"node {node.name}: {error}") from error
            trace.keep_as(trace.outputs, node.name, values[node.name])
            for name in done:
                values.pop(name, None)
        return values[self.nodes[-1].name]

    def to_reals(self, outputs: np.ndarray) -> np.ndarray:
        """Turn outputs into the real numbers that they mean, float64 of the same shape."""
        return np.ldexp(outputs.astype(np.float64), -self.result.point) / self.result.gain
