"""The nodes of a graph, each from one operation of a traced network, or from a layer with what follows it."""

from dataclasses import dataclass, field
from functools import singledispatchmethod
from math import inf

import msgspec
import numpy as np

from asq_model.common.errors import InputError
from asq_model.export import operations as ops
from asq_model.export.calibration import Calibration
from asq_model.export.chains import Chain
from asq_model.export.integer_layer import (
    check_layer,
    find_binary_point,
    fold_bias,
    make_products,
    make_quantiser,
    make_rescale,
)
from asq_model.export.layer_geometry import read_geometry
from asq_model.export.make_nodes import make_clip, make_function, make_scale
from asq_model.spec.fixed_point import find_mantissas
from asq_model.spec.graph.convolution import Convolution, Quantise
from asq_model.spec.graph.elementwise import Add, Input, LeakyRelu
from asq_model.spec.graph.graph import Operation as Node
from asq_model.spec.graph.movement import Concatenate, SumPool
from asq_model.spec.graph.tensor import Tensor
from asq_model.spec.precision import Precision

WIDEST_SUM = 40  # bits of a pooling's sums that a layer takes as they are


@dataclass
class NodeMaker:
    """Makes a graph's nodes in order.

    nodes: those made. tensors: the formats of their outputs, by node. names: the node that gives an operation's output.
    """

    seen: Calibration
    precision: Precision
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def append(self, node: Node) -> None:
        """Append a node that gives the output of the operation that it is called after."""
        try:
            self.tensors[node.name] = node.output_format([self.tensors[name] for name in node.inputs])
        except InputError as error:
            raise InputError(f"node {node.name}: {error}") from error
        self.nodes.append(node)
        self.names[node.name] = node.name

    def resolve_mean(self, operation: str) -> str:
        """Return the name of the node that gives an operation's output as values, not as sums that stand for means.

        Behind an operation that gives such sums, a node that divides and rounds them is added.
        """
        name = self.names[operation]
        tensor = self.tensors[name]
        if tensor.gain == 1:
            return name
        rounded = f"{name}.mean"
        if rounded not in self.tensors:
            factor = np.full(tensor.shape[0], 1.0)
            peak = 2.0 ** (self.precision.bits - 1 - tensor.point)  # a mean is no larger than the values
            self.append(make_scale(rounded, name, tensor, factor, 0 * factor, peak, self.precision.bits))
        return rounded

    @singledispatchmethod
    def add(self, operation: ops.Operation, peak: float) -> None:
        """Add the node of an operation that stands alone. peak: how large its output becomes."""
        raise TypeError(f"{type(operation).__name__} has no node")

    @add.register
    def _(self, operation: ops.Given, peak: float) -> None:
        bits = self.precision.bits
        node = Input(
            name=operation.name,
            inputs=(),
            shape=operation.shape,
            bits=bits,
            point=find_binary_point(peak, bits),
            table=None,
        )
        self.append(node)

    @add.register
    def _(self, operation: ops.RoundActivations, peak: float) -> None:
        source = self.resolve_mean(operation.inputs[0])
        reach = self.seen.reaches.get(operation.value, 0.0)
        point = self.tensors[source].point
        quantiser = make_quantiser(operation.module, reach, point, operation.positions, self.precision)
        self.append(Quantise(name=operation.name, inputs=(source,), quantiser=quantiser, bits=self.precision.bits))

    @add.register
    def _(self, operation: ops.Affine, peak: float) -> None:
        source = self.names[operation.inputs[0]]
        tensor, bits = self.tensors[source], self.precision.bits
        self.append(make_scale(operation.name, source, tensor, operation.factor, operation.offset, peak, bits))

    @add.register
    def _(self, operation: ops.Sum, peak: float) -> None:
        inputs = tuple(self.resolve_mean(name) for name in operation.inputs)
        points = [self.tensors[name].point for name in inputs]
        point = find_binary_point(peak, self.precision.bits)
        node = Add(
            name=operation.name,
            inputs=inputs,
            signs=operation.signs,
            aligns=tuple(max(points) - each for each in points),
            shift=max(points) - point,
            relu=False,
            bits=self.precision.bits,
            point=point,
        )
        self.append(node)

    @add.register
    def _(self, operation: ops.Bound, peak: float) -> None:
        source = self.resolve_mean(operation.inputs[0])
        self.append(make_clip(operation, source, self.tensors[source]))

    @add.register
    def _(self, operation: ops.NegativeSlope, peak: float) -> None:
        source = self.names[operation.inputs[0]]
        multiplier, shift = find_mantissas(operation.slopes, self.precision.bits)
        bits = self.tensors[source].bits
        self.append(
            LeakyRelu(name=operation.name, inputs=(source,), multiplier=multiplier, shift=min(shift, 62), bits=bits)
        )

    @add.register
    def _(self, operation: ops.Curve, peak: float) -> None:
        source = self.resolve_mean(operation.inputs[0])
        self.append(make_function(operation, source, self.tensors[source], peak, self.precision.bits))

    @add.register
    def _(self, operation: ops.Join, peak: float) -> None:
        inputs = tuple(self.resolve_mean(name) for name in operation.inputs)
        points = [self.tensors[name].point for name in inputs]
        node = Concatenate(
            name=operation.name,
            inputs=inputs,
            shifts=tuple(each - min(points) for each in points),
            bits=self.precision.bits,
            point=min(points),
        )
        self.append(node)

    @add.register
    def _(self, operation: ops.Mean, peak: float) -> None:
        source = self.names[operation.inputs[0]]
        wide = self.tensors[source].bits + (operation.kernel[0] * operation.kernel[1] - 1).bit_length() > WIDEST_SUM
        source = self.resolve_mean(operation.inputs[0]) if wide else source
        node = SumPool(
            name=operation.name,
            inputs=(source,),
            kernel=operation.kernel,
            stride=operation.stride,
            padding=operation.padding,
        )
        self.append(node)

    @add.register
    def _(self, operation: ops.Move, peak: float) -> None:
        source = self.names[operation.inputs[0]]
        self.append(msgspec.structs.replace(operation.node, name=operation.name, inputs=(source,)))

    def add_layer(self, chain: Chain, peak: float, final: bool) -> None:
        """Add a layer with what it takes with it. Raises InputError, naming the layer.

        peak: how large the output becomes. final: the output is the network's and keeps all bits.
        """
        layer, bound = chain.layer, chain.bound
        check_layer(layer.name, layer.module)
        # An adapter sees means of the values themselves; without one, sums that stand for means do.
        adapts = layer.module.activation_quantiser.adapter is not None
        source = self.resolve_mean(layer.inputs[0]) if adapts else self.names[layer.inputs[0]]
        beside = None if chain.side is None else self.resolve_mean(chain.side)
        self.append(self.make_convolution(chain, source, beside, None if final else peak))
        if bound is not None and bound.high != inf:
            self.append(make_clip(bound, layer.name, self.tensors[layer.name]))
        last = self.nodes[-1].name
        self.names.update({operation.name: last for operation in chain.operations})

    def make_convolution(self, chain: Chain, source: str, beside: str | None, peak: float | None) -> Convolution:
        """Make the node of a layer. source: the node of its input; beside: of the other branch of a sum.

        peak: how large the output becomes; None for one that keeps all bits.
        """
        layer, module, tensor = chain.layer, chain.layer.module, self.tensors[source]
        with module.naming():
            reach = self.seen.reaches.get(layer.value, 0.0)
            real_quantiser, positions = module.activation_quantiser, layer.positions
            quantiser = make_quantiser(real_quantiser, reach, tensor.point, positions, self.precision, tensor.gain)
        products, scale = make_products(module, self.precision)
        real = fold_bias(module, scale)
        for step in chain.affine:
            real = real.scale_and_add(step.factor, step.offset)
        point = None if peak is None else find_binary_point(peak, self.precision.bits)
        side = None if beside is None else self.tensors[beside]
        side_reach = 0.0 if side is None else 2.0 ** (side.bits - 1 - side.point)
        rescale, total, point = make_rescale(real, products, quantiser, tensor.gain, point, self.precision, side_reach)
        return Convolution(
            name=layer.name,
            inputs=(source,) if beside is None else (source, beside),
            **read_geometry(module),
            quantiser=quantiser,
            products=products,
            rescale=rescale,
            relu=chain.bound is not None,
            align=0 if side is None else total - side.point,
            point=point,
        )

    def finish(self, output: str) -> None:
        """End with the node that gives the network's output."""
        last = self.names[output]
        if self.nodes[-1].name != last:
            index = next(index for index, node in enumerate(self.nodes) if node.name == last)
            self.nodes.append(self.nodes.pop(index))
