"""Turn a trained network into a graph of integers: traced, calibrated, batch norm folded, binary points aligned.

A layer takes with it what follows it: batch norm, the other branch of a residual block, ReLU. Everything else becomes
nodes of its own.
"""

from collections.abc import Callable
from dataclasses import replace

import msgspec
import numpy as np
from torch import Tensor, nn

from asq_model.common.errors import InputError
from asq_model.export.calibration import Calibration, calibrate, compute_byte_values
from asq_model.export.chains import find_chains, find_consumers
from asq_model.export.integer_network import IntegerNetwork
from asq_model.export.integer_nodes import NodeMaker
from asq_model.export.node_differences import check_nodes
from asq_model.export.operations import Bound, NegativeSlope, Operation
from asq_model.export.trace_network import trace_network
from asq_model.quantisation.convert import quantised_layers
from asq_model.spec.fixed_point import saturate
from asq_model.spec.graph.convolution import Convolution
from asq_model.spec.graph.graph import Graph
from asq_model.spec.precision import Precision

CALIBRATION_IMAGES = 256


def make_graph(
    model: nn.Module,
    images: Tensor,
    precision: Precision | None = None,
    scale: Callable[[Tensor], Tensor] | None = None,
) -> IntegerNetwork:
    """Turn a converted network into a graph of integers.

    images: real inputs [N, ...] that decide binary points; up to the first 256 are used. scale: what turns images of
    bytes into the network's inputs, so that the graph can take bytes. Raises InputError, naming the operation or layer,
    for a network that has no integer form.
    """
    network = translate_network(model, images, precision or Precision())
    if scale is not None:
        values = compute_byte_values(scale, network.graph.input.shape[0])
        network = replace(network, graph=take_bytes(network.graph, model, values))
    check_nodes(network, model, images)
    return network


def translate_network(model: nn.Module, images: Tensor, precision: Precision) -> IntegerNetwork:
    """Trace a network, calibrate it, and turn its operations into nodes."""
    if not quantised_layers(model):
        raise InputError(f"{type(model).__name__} has no quantised layer; integers are made of a converted network")
    if len(images) < 2:
        raise InputError(f"there are {len(images)} calibration images; allowed: 2 or more")
    traced = trace_network(model, images)
    seen = calibrate(traced, model, images[:CALIBRATION_IMAGES])
    maker = NodeMaker(seen, precision)
    chains = find_chains(traced)
    ends = {chain.operations[-1].name: chain for chain in chains}
    inside = {operation.name for chain in chains for operation in chain.operations}
    consumers = find_consumers(traced)
    for operation in traced.operations:
        if operation.name in ends:
            chain = ends[operation.name]
            final = chain.trunk.name == traced.output and len(consumers[traced.output]) == 1
            maker.add_layer(chain, find_range_after(operation, consumers, seen), final)
        elif operation.name not in inside:
            maker.add(operation, find_range_after(operation, consumers, seen))
    maker.finish(traced.output)
    values = {maker.names[operation.name]: operation.value for operation in traced.operations if operation.value}
    return IntegerNetwork(Graph(tuple(maker.nodes)), traced, values)


def take_bytes(graph: Graph, model: nn.Module, values: Tensor) -> Graph:
    """Make a graph that takes images of bytes. values: what each byte means, float32 [C, 256].

    A value that its bits put on the other side of an edge between two codes moves back by a unit, where only one layer
    sees the image and its step is fixed: a byte that fills the background of many images would carry the difference to
    all of them.
    """
    table = graph.input.to_integers(values.double().numpy())
    users = [node for node in graph.nodes if graph.input.name in node.inputs]
    if len(users) == 1 and isinstance(users[0], Convolution) and users[0].quantiser.adapter is None:
        source = dict(quantised_layers(model))[users[0].name.split(":")[0]].activation_quantiser
        wanted = source.encode(values[None, :, :, None])[0][0, :, :, 0].numpy()
        maps = table[None, :, :, None]
        codes = users[0].quantiser.encode(maps, users[0].quantiser.compute_step(maps))[0, :, :, 0]
        table, _ = saturate(table + np.sign(wanted - codes).astype(np.int64), graph.input.bits)
    first = msgspec.structs.replace(graph.input, table=table)
    return Graph((first, *graph.nodes[1:]))


def find_range_after(operation: Operation, consumers: dict[str, list[Operation]], seen: Calibration) -> float:
    """Find the largest magnitude of an operation's output, or what a bound leaves of it where only a bound uses it."""
    users, peak = consumers[operation.name], seen.peaks.get(operation.value, 0.0)
    if len(users) == 1 and isinstance(users[0], Bound):
        return seen.peaks[users[0].value]
    if len(users) == 1 and isinstance(users[0], NegativeSlope):  # its slope may be above 1
        return max(peak, seen.peaks[users[0].value])
    return peak
