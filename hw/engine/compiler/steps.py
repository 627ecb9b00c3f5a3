"""A graph as the engine's steps: nodes that are one instruction each, with what is joined to them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from asq_model.common.errors import InputError
from asq_model.spec.fixed_point import bounds
from asq_model.spec.graph.convolution import Convolution
from asq_model.spec.graph.elementwise import Add, Clip, Input, Scale
from asq_model.spec.graph.graph import Graph, Operation
from asq_model.spec.graph.movement import Concatenate, MaxPool, Pad, Reshape, Slice, SumPool
from asq_model.spec.graph.tensor import Tensor

HANDLED = (Input, Convolution, Add, Clip, Scale, MaxPool, SumPool)


@dataclass(frozen=True)
class Step:
    """A node, the names of the tensors that it takes and gives, and the bounds that its output is kept between."""

    node: Operation
    inputs: tuple[str, ...]
    output: str
    low: int
    high: int


def value_bounds(node: Operation, tensor: Tensor) -> tuple[int, int]:
    """What a node's output is saturated to."""
    low, high = bounds(tensor.bits, True)
    if isinstance(node, Clip):
        return max(low, node.low), min(high, node.high)
    return (0 if getattr(node, "relu", False) else low), high


def flatten_into(node: Reshape, layer: Convolution, shape: tuple[int, int, int]) -> Convolution:
    """A layer on a flattened map, as one on the map itself whose kernel is as large as the map.

    Raises InputError for other reshapes.
    """
    channels, rows, columns = shape
    flat = node.shape == (channels * rows * columns, 1, 1) and layer.kernel == (1, 1) and layer.groups == 1
    if not flat or layer.quantiser.adapter is not None:
        raise InputError(f"node {node.name}: the engine takes a reshape only before a linear layer of fixed step")
    # The flattened values are the map's, its axes in another order: column i of the weights is of place order[i].
    place = np.arange(channels * rows * columns).reshape(channels, rows, columns)
    place = place.transpose(node.order).ravel()

    def moved(weights: np.ndarray | None) -> np.ndarray | None:
        if weights is None:
            return None
        result = np.empty_like(weights)
        result[:, place] = weights
        return result

    products = replace(layer.products, even=moved(layer.products.even), odd=moved(layer.products.odd))
    return msgspec.structs.replace(layer, kernel=(rows, columns), products=products)


def steps_of(graph: Graph) -> list[Step]:
    """The steps of a graph, in order. Raises InputError, naming the node, for one that the engine has not."""
    users: dict[str, list[Operation]] = {node.name: [] for node in graph.nodes}
    for node in graph.nodes:
        for name in node.inputs:
            users[name].append(node)
    alias: dict[str, str] = {}
    reshaped: dict[str, Reshape] = {}
    steps: list[Step] = []
    for node in graph.nodes:
        inputs = tuple(alias.get(name, name) for name in node.inputs)
        if isinstance(node, Reshape):
            if node.shape == graph.input_of(node).shape and node.order == (0, 1, 2):
                alias[node.name] = inputs[0]
            else:
                reshaped[node.name] = node
            continue
        if node.inputs and node.inputs[0] in reshaped and isinstance(node, Convolution):
            reshape = reshaped[node.inputs[0]]
            node = flatten_into(reshape, node, graph.tensors[reshape.inputs[0]].shape)
            inputs = (alias.get(reshape.inputs[0], reshape.inputs[0]), *inputs[1:])
        unknown = [name for name in node.inputs if name in reshaped and not isinstance(node, Convolution)]
        if unknown or not isinstance(node, HANDLED) or (steps and isinstance(node, Input)):
            raise InputError(f"node {node.name}: the engine has no {type(node).__name__.lower()} of this kind")
        low, high = value_bounds(node, graph.tensors[node.name])
        before = steps[-1] if steps else None
        if isinstance(node, Clip) and before and before.output == inputs[0] and len(users[node.inputs[0]]) == 1:
            low, high = min(max(before.low, low), high), max(min(before.high, high), low)
            steps[-1] = replace(before, output=node.name, low=low, high=high)
            continue
        steps.append(Step(node, inputs, node.name, low, high))
    return steps


UNUSED: Sequence[type] = (Concatenate, Pad, Slice)
