"""A graph as the engine's steps: nodes that are one instruction each, with what is joined to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from asq_model.common.errors import InputError
from asq_model.spec.fixed_point import bounds
from asq_model.spec.graph.convolution import Convolution
from asq_model.spec.graph.elementwise import Add, Clip, Function, Input, Scale
from asq_model.spec.graph.graph import Graph, Operation
from asq_model.spec.graph.movement import Concatenate, MaxPool, Pad, Reshape, SumPool
from asq_model.spec.graph.tensor import Tensor
from hw.engine.compiler.lower_graph import IN_MEMORY, fills_word, is_flat
from hw.engine.compiler.move_weights import move_columns

HANDLED = (Input, Convolution, Add, Clip, Scale, Function, MaxPool, SumPool, Concatenate, Pad, Reshape)
JOINING = (Concatenate, Pad)  # written part by part


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
    places = np.arange(channels * rows * columns).reshape(channels, rows, columns).transpose(node.order).ravel()
    even, odd = layer.products.even, layer.products.odd
    products = replace(
        layer.products,
        even=move_columns(even, places, len(places)),
        odd=None if odd is None else move_columns(odd, places, len(places)),
    )
    return msgspec.structs.replace(layer, kernel=(rows, columns), products=products)


def is_copied(graph: Graph, node: Reshape, size: int) -> bool:
    """Whether a reshape reads memory as it is: all of a map as one pixel, or as many pixels in other rows."""
    channels = graph.input_of(node).shape[0]
    if node.order == IN_MEMORY:
        return is_flat(graph, node) and channels % size == 0
    return node.order == (0, 1, 2) and node.shape[0] == channels


def make_steps(graph: Graph, size: int) -> list[Step]:
    """Make the steps of a graph, in order. size: channels of a word.

    Raises InputError, naming the node, for one that the engine has not.
    """
    users = [name for node in graph.nodes for name in node.inputs]
    renamed: dict[str, str] = {}  # tensors that are another's values
    reshaped: dict[str, Reshape] = {}
    steps: list[Step] = []
    for node in graph.nodes:
        inputs = tuple(renamed.get(name, name) for name in node.inputs)
        same = isinstance(node, Reshape) and node.order == (0, 1, 2) and node.shape == graph.input_of(node).shape
        if same or fills_word(graph, node, size):
            renamed[node.name] = inputs[0]
            continue
        if isinstance(node, Reshape) and not is_copied(graph, node, size):
            reshaped[node.name] = node
            continue
        step = make_step(graph, node, inputs, reshaped)
        before = steps[-1] if steps else None
        joins = before is not None and before.output == inputs[0] and not isinstance(before.node, JOINING)
        if isinstance(node, Clip) and before and joins and has_one_user(users, renamed, inputs[0]):
            low, high = min(max(before.low, step.low), step.high), max(min(before.high, step.high), step.low)
            steps[-1] = replace(before, output=node.name, low=low, high=high)
        else:
            steps.append(step)
    last = graph.nodes[-1]
    if steps[-1].output != renamed.get(last.name, last.name):
        raise InputError(f"node {last.name}: the engine has no {type(last).__name__} of this kind as its result")
    return steps


def has_one_user(users: Sequence[str], renamed: Mapping[str, str], name: str) -> bool:
    """Whether one node takes a tensor's values. users: the name that each node takes, of these or of a copy."""
    return all(users.count(each) == 1 for each in (name, *(copy for copy, own in renamed.items() if own == name)))


def make_step(graph: Graph, node: Operation, inputs: tuple[str, ...], reshaped: dict[str, Reshape]) -> Step:
    """The step of a node. Raises InputError for one that the engine has not."""
    low, high = value_bounds(node, graph.tensors[node.name])
    operation = node
    if isinstance(node, Convolution) and inputs[0] in reshaped:
        reshape = reshaped[inputs[0]]
        operation = flatten_into(reshape, node, graph.tensors[reshape.inputs[0]].shape)
        inputs = (reshape.inputs[0], *inputs[1:])
    if not isinstance(node, HANDLED) or any(name in reshaped for name in inputs):
        raise InputError(f"node {node.name}: the engine has no {type(node).__name__} of this kind")
    return Step(operation, inputs, node.name, low, high)
