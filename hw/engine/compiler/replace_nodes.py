"""Nodes that an engine has not, as others that it has and that give the same numbers."""

import msgspec
import numpy as np

from asq_model.spec.fixed_point import bounds
from asq_model.spec.graph.elementwise import Add, Clip, LeakyRelu, Scale
from asq_model.spec.graph.graph import Graph, Operation
from asq_model.spec.graph.movement import Concatenate, MaxPool, Pad, Slice
from asq_model.spec.graph.tensor import Tensor


def replace_nodes(graph: Graph) -> Graph:
    """Replace slices of every n-th row and column by poolings, and LeakyReLU of a tensor without gain by a sum."""
    nodes: list[Operation] = []
    for node in graph.nodes:
        if isinstance(node, Slice) and takes_every(node, graph.input_of(node)):
            nodes.append(make_pooling(node))
        elif isinstance(node, LeakyRelu) and graph.input_of(node).gain == 1:
            nodes += make_sum(node, graph.input_of(node))
        else:
            nodes.append(node)
    return Graph(tuple(nodes))


def takes_every(node: Slice, x: Tensor) -> bool:
    """Whether a slice takes all channels, and every n-th row and column from the first on."""
    pooled = make_pooling(node).output_format([x]).shape
    return node.starts == (0, 0, 0) and node.steps[0] == 1 and node.output_format([x]).shape == pooled


def make_pooling(node: Slice) -> MaxPool:
    """Make a pooling of a slice of every n-th row and column: the largest of one value is the value."""
    return MaxPool(
        name=node.name,
        inputs=node.inputs,
        kernel=(1, 1),
        stride=(node.steps[1], node.steps[2]),
        padding=(0, 0, 0, 0),
        dilation=(1, 1),
    )


def make_sum(node: LeakyRelu, x: Tensor) -> list[Operation]:
    """Make a sum of a LeakyReLU: values above 0, plus the slope times those below. One of both is 0."""
    low, high = bounds(x.bits, True)
    above, below, sloped = (f"{node.name}.{part}" for part in ("above", "below", "sloped"))
    zeros = np.zeros_like(node.multiplier)
    return [
        Clip(name=above, inputs=node.inputs, low=0, high=high),
        Clip(name=below, inputs=node.inputs, low=low, high=0),
        Scale(
            name=sloped,
            inputs=(below,),
            multiplier=node.multiplier,
            bias=zeros,
            shift=node.shift,
            relu=False,
            bits=node.bits,
            point=x.point,
        ),
        Add(
            name=node.name,
            inputs=(above, sloped),
            signs=(1, 1),
            aligns=(0, 0),
            shift=0,
            relu=False,
            bits=node.bits,
            point=x.point,
        ),
    ]


def pass_values_on(node: Concatenate | Pad, bits: int) -> list[Operation]:
    """Put a node that passes values on behind one that joins parts: codes and channel sums are made there."""
    low, high = bounds(bits, True)
    parts = f"{node.name}.parts"
    return [msgspec.structs.replace(node, name=parts), Clip(name=node.name, inputs=(parts,), low=low, high=high)]
