"""A graph with the channels of its maps where an engine's words can have them.

What is put side by side, tensors or zeros, has to begin with a word. Where it does not, channels stand elsewhere, with
zeros between them, and the weights that meet them move with them: the columns of the layers behind, those of their
adapters, and the rows of a layer whose output is added to such a map.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from asq_model.common.errors import InputError
from asq_model.spec.graph.convolution import Convolution
from asq_model.spec.graph.elementwise import Add, Clip, Scale
from asq_model.spec.graph.graph import Graph, Operation
from asq_model.spec.graph.movement import Concatenate, MaxPool, Pad, SumPool
from hw.engine.compiler.move_weights import move_columns, move_layer

KEEPING = (MaxPool, SumPool, Clip)  # nodes that do the same with each channel


@dataclass(frozen=True)
class Arrangement:
    """Where each channel of a map stands among `width`; all others are zeros."""

    places: tuple[int, ...]
    width: int

    @property
    def is_plain(self) -> bool:
        """Whether the channels stand one after the other, with none between or behind them."""
        return self.places == tuple(range(self.width))

    def spread(self, numbers: np.ndarray) -> np.ndarray:
        """One number, or row, for each channel, where the channels stand; zeros for all others."""
        return move_columns(numbers[None], np.array(self.places), self.width)[0]


Arranged = tuple[list[Operation], Arrangement]


def arrange_plainly(channels: int) -> Arrangement:
    """The arrangement of channels one after the other, without zeros between them."""
    return Arrangement(tuple(range(channels)), channels)


def arrange_channels(graph: Graph, lanes: int) -> Graph:
    """The same network, in which every part of a map begins with a word of `lanes` values.

    Raises InputError, naming the node, for one that takes channels only as they were.
    """
    nodes: list[Operation] = []
    found: dict[str, Arrangement] = {}
    for node in graph.nodes:
        channels = graph.tensors[node.name].shape[0]
        try:
            made, own = arrange_node(node, [found[name] for name in node.inputs], channels, lanes)
        except InputError as error:
            raise InputError(f"node {node.name}: {error}") from error
        nodes += made
        found[node.name] = own
    last = graph.nodes[-1].name
    if not found[last].is_plain:
        raise InputError(f"node {last}: its results have other channels between them; allowed: none")
    return Graph(tuple(nodes))


def arrange_node(node: Operation, inputs: Sequence[Arrangement], channels: int, lanes: int) -> Arranged:
    """The nodes in place of one, and where its channels stand. Raises InputError."""
    if isinstance(node, Convolution):
        return arrange_layer(node, inputs)
    if isinstance(node, Concatenate):
        return arrange_parts(node, inputs, lanes)
    if isinstance(node, Pad):
        return arrange_padding(node, inputs[0])
    if isinstance(node, Scale) and not inputs[0].is_plain:
        spread = {"multiplier": inputs[0].spread(node.multiplier), "bias": inputs[0].spread(node.bias)}
        return [msgspec.structs.replace(node, **spread)], inputs[0]
    if isinstance(node, KEEPING) or (isinstance(node, Add) and len(set(inputs)) == 1):
        return [node], inputs[0]
    if not all(arrangement.is_plain for arrangement in inputs):
        raise InputError("takes channels that cannot stand where the engine's words have them")
    return [node], arrange_plainly(channels)


def arrange_parts(node: Concatenate, inputs: Sequence[Arrangement], lanes: int) -> Arranged:
    """A concatenation whose parts, but the last, are filled up with zeros to whole words."""
    nodes: list[Operation] = []
    names, places, width = [], [], 0
    for number, (name, part) in enumerate(zip(node.inputs, inputs, strict=True)):
        filling = -part.width % lanes if number + 1 < len(inputs) else 0
        if filling:
            padded = f"{node.name}.{number}"
            nodes.append(Pad(name=padded, inputs=(name,), channels=(0, filling), margins=(0, 0, 0, 0)))
        names.append(nodes[-1].name if filling else name)
        places += [width + place for place in part.places]
        width += part.width + filling
    return [*nodes, msgspec.structs.replace(node, inputs=tuple(names))], Arrangement(tuple(places), width)


def arrange_padding(node: Pad, x: Arrangement) -> Arranged:
    """Zeros around channels, all of them behind."""
    before, after = node.channels
    if x.is_plain and not before:
        return [node], arrange_plainly(x.width + after)
    front = range(x.width, x.width + before)
    behind = range(x.width + before, x.width + before + after)
    whole = Arrangement((*front, *x.places, *behind), x.width + before + after)
    return [msgspec.structs.replace(node, channels=(0, before + after))], whole


def arrange_layer(layer: Convolution, inputs: Sequence[Arrangement]) -> Arranged:
    """A layer whose inputs' channels stand elsewhere. Its outputs stand as its side branch's do. Raises InputError."""
    x, own = inputs[0], arrange_plainly(len(layer.products.even))
    if not x.is_plain:
        if layer.groups == 1:
            layer = move_layer(layer, np.array(x.places), x.width)
        elif layer.groups == len(x.places) == own.width:
            layer, own = msgspec.structs.replace(place_outputs(layer, x), groups=x.width), x
        else:
            raise InputError(f"has {layer.groups} groups of channels that stand elsewhere; allowed: 1, or one each")
    side = inputs[1] if len(inputs) == 2 else own
    if side != own:
        if not own.is_plain or layer.groups > 1:
            raise InputError("has a side branch whose channels stand elsewhere than its own")
        layer, own = place_outputs(layer, side), side
    return [layer], own


def place_outputs(layer: Convolution, own: Arrangement) -> Convolution:
    """A layer whose output channels stand elsewhere."""
    products, rescale = layer.products, layer.rescale
    odd = None if products.odd is None else own.spread(products.odd)
    return msgspec.structs.replace(
        layer,
        products=replace(products, even=own.spread(products.even), odd=odd),
        rescale=replace(rescale, multiplier=own.spread(rescale.multiplier), bias=own.spread(rescale.bias)),
    )
