"""A graph as an engine can run it: the same numbers, in the order in which the engine's memories have them.

A reshape moves nothing where its values lie in memory in the order in which they are read anew: pixel by pixel, each
with its channels in whole words. A flattened map is brought into that order by moving the columns of the weights that
meet it, those of adapters too.
"""

from collections.abc import Sequence
from math import prod

import msgspec
import numpy as np

from asq_model.spec.graph.convolution import Convolution
from asq_model.spec.graph.graph import Graph, Operation
from asq_model.spec.graph.movement import Concatenate, Pad, Reshape
from hw.engine.compiler.arrange_channels import arrange_channels
from hw.engine.compiler.geometry import NO_MARGIN
from hw.engine.compiler.move_weights import move_layer
from hw.engine.compiler.replace_nodes import pass_values_on, replace_nodes

IN_MEMORY = (1, 2, 0)  # the order of axes in memory: rows, columns, channels


def lower_graph(graph: Graph, size: int, lanes: int) -> Graph:
    """The graph with what its layers meet in the order of memory. size: channels of a word of codes; lanes: of values.

    Raises InputError, naming the node, for what cannot be brought into that order.
    """
    graph = arrange_channels(replace_nodes(graph), lanes)
    nodes: list[Operation] = []
    moved: dict[str, np.ndarray] = {}  # by a flattened tensor, where each of its values lies in the new order
    for node in graph.nodes:
        users = [other for other in graph.nodes if node.name in other.inputs]
        if isinstance(node, Reshape) and is_flat(graph, node) and meets_adapters(node.name, users):
            padded, places = flatten_in_memory(graph, node, size)
            nodes += padded
            moved[node.name] = places
        elif isinstance(node, Convolution):
            layer = node
            if node.inputs[0] in moved:
                places = moved[node.inputs[0]]
                layer = move_layer(node, places, -(-(int(places.max()) + 1) // size) * size)
            nodes.append(layer)
        elif isinstance(node, Concatenate | Pad) and not fills_word(graph, node, size):
            nodes += pass_values_on(node, graph.tensors[node.name].bits)
        else:
            nodes.append(node)
    return Graph(tuple(nodes))


def is_flat(graph: Graph, node: Reshape) -> bool:
    """Whether a reshape makes one pixel of a map."""
    return node.shape == (prod(graph.input_of(node).shape), 1, 1)


def meets_adapters(name: str, users: Sequence[Operation]) -> bool:
    """Whether only layers take a tensor, none of them as its side branch, and a step of one of them adapts.

    Others take a map as it is.
    """
    layers = [
        user for user in users if isinstance(user, Convolution) and user.groups == 1 and name not in user.inputs[1:]
    ]
    return len(layers) == len(users) and any(layer.quantiser.adapter is not None for layer in layers)


def fills_word(graph: Graph, node: Operation, size: int) -> bool:
    """Whether a node only adds channels that a word of memory has in any case, for one that reads whole words."""
    users = [other for other in graph.nodes if node.name in other.inputs]
    if not isinstance(node, Pad) or node.margins != NO_MARGIN or node.channels[0] or len(users) != 1:
        return False
    channels = graph.input_of(node).shape[0]
    if isinstance(users[0], Concatenate):
        return -(-channels // size) == -(-(channels + node.channels[1]) // size)
    return isinstance(users[0], Reshape) and users[0].order == IN_MEMORY and node.channels[1] == -channels % size


def flatten_in_memory(graph: Graph, node: Reshape, size: int) -> tuple[list[Operation], np.ndarray]:
    """The nodes that flatten a map in the order of memory, and where there each value of the flattened tensor lies.

    Channels that fill up the words are zeros.
    """
    channels, rows, columns = graph.input_of(node).shape
    padded = -(-channels // size) * size
    nodes: list[Operation] = []
    source = node.inputs[0]
    if padded > channels:
        source = f"{node.name}.padded"
        nodes.append(Pad(name=source, inputs=node.inputs, channels=(0, padded - channels), margins=(0, 0, 0, 0)))
    shape = (padded * rows * columns, 1, 1)
    nodes.append(msgspec.structs.replace(node, inputs=(source,), order=IN_MEMORY, shape=shape))
    numbers = np.arange(shape[0]).reshape(rows, columns, padded)[..., :channels]  # of each value in memory
    return nodes, numbers.transpose(2, 0, 1).transpose(node.order).ravel()
