"""The nodes of a graph, each from one operation of a traced network, or from a layer with what follows it."""

from dataclasses import dataclass, field
from functools import singledispatchmethod
from math import frexp, inf, isinf

import msgspec
import numpy as np
import torch

from asq_model.common.errors import InputError
from asq_model.export import operations as ops
from asq_model.export.calibration import Calibration
from asq_model.export.integer_layer import (
    check_layer,
    find_binary_point,
    fold_bias,
    make_products,
    make_quantiser,
    make_rescale,
)
from asq_model.export.layer_geometry import read_geometry
from asq_model.spec.fixed_point import bounds, find_mantissas
from asq_model.spec.graph.convolution import Convolution, Quantise
from asq_model.spec.graph.elementwise import SEGMENT_BITS, Add, Clip, Function, Input, LeakyRelu, Scale
from asq_model.spec.graph.graph import Operation as Node
from asq_model.spec.graph.movement import Concatenate, SumPool
from asq_model.spec.graph.tensor import Tensor
from asq_model.spec.precision import WORKING_BITS, Precision

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
            self.append(self.make_scale(rounded, name, factor, 0 * factor, peak))
        return rounded

    def make_scale(self, name: str, source: str, factor: np.ndarray, offset: np.ndarray, peak: float) -> Scale:
        """Make a node that multiplies each channel by a factor and adds an offset, real numbers [C].

        source: the node that it follows. peak: the largest magnitude of its output.
        """
        tensor, bits = self.tensors[source], self.precision.bits
        multiplier, multiplier_point = find_mantissas(factor / tensor.gain, bits)
        point = find_binary_point(peak, bits)
        total = multiplier_point + tensor.point
        room = WORKING_BITS - 1 - frexp(float(np.abs(offset).max(initial=0.0)))[1]
        if total > room:  # an offset so large that the values hardly matter
            multiplier, total = np.rint(np.ldexp(multiplier, room - total)).astype(np.int64), room
        bias = np.rint(np.ldexp(offset, total)).astype(np.int64)
        return Scale(
            name=name,
            inputs=(source,),
            multiplier=multiplier,
            bias=bias,
            shift=total - point,
            relu=False,
            bits=bits,
            point=point,
        )

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
        self.append(self.make_scale(operation.name, source, operation.factor, operation.offset, peak))

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
        self.add_clip(operation, source)

    def add_clip(self, operation: ops.Bound, source: str) -> None:
        """Add a node that keeps the values of another one, `source`, between the bounds of an operation."""
        tensor = self.tensors[source]
        least, most = bounds(tensor.bits, True)
        low = least if isinf(operation.low) else round(operation.low * 2.0**tensor.point)
        high = most if isinf(operation.high) else round(operation.high * 2.0**tensor.point)
        clip = Clip(name=operation.name, inputs=(source,), low=max(low, least), high=min(high, most))
        self.append(clip)

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
        tensor, bits = self.tensors[source], self.precision.bits
        point = find_binary_point(peak, bits)
        edges = torch.linspace(-1, 1, (1 << SEGMENT_BITS) + 1, dtype=torch.float64)
        heights = operation.function(edges * 2.0 ** (tensor.bits - 1 - tensor.point)).numpy()
        base = np.clip(np.rint(np.ldexp(heights, point)), *bounds(bits, True)).astype(np.int64)
        node = Function(
            name=operation.name,
            inputs=(source,),
            in_bits=tensor.bits,
            base=base[:-1],
            slope=np.diff(base),
            bits=bits,
            point=point,
        )
        self.append(node)

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

    @add.register
    def _(self, operation: ops.Layer, peak: float) -> None:
        self.add_layer(operation, (), None, None, peak, False)

    def add_layer(
        self,
        layer: ops.Layer,
        affine: tuple[ops.Affine, ...],
        side: str | None,
        bound: ops.Bound | None,
        peak: float,
        final: bool,
    ) -> None:
        """Add a layer with what follows it. Raises InputError, naming the layer.

        side: the operation that gives the other branch of a sum. final: the output is the network's and keeps all bits.
        """
        module, quantiser = layer.module, layer.module.activation_quantiser
        check_layer(layer.name, module)
        # An adapter sees means of the values themselves; without one, sums that stand for means do.
        source = self.names[layer.inputs[0]] if quantiser.adapter is None else self.resolve_mean(layer.inputs[0])
        tensor = self.tensors[source]
        with module.naming():
            reach = self.seen.reaches.get(layer.value, 0.0)
            integer = make_quantiser(quantiser, reach, tensor.point, layer.positions, self.precision, tensor.gain)
        products, scale = make_products(module, self.precision)
        real = fold_bias(module, scale)
        for step in affine:
            real = real.scale_and_add(step.factor, step.offset)
        point = None if final else find_binary_point(peak, self.precision.bits)
        beside = None if side is None else self.resolve_mean(side)
        side_reach = 0.0 if beside is None else 2.0 ** (self.tensors[beside].bits - 1 - self.tensors[beside].point)
        rescale, total, point = make_rescale(real, products, integer, tensor.gain, point, self.precision, side_reach)
        node = Convolution(
            name=layer.name,
            inputs=(source,) if beside is None else (source, beside),
            **read_geometry(module),
            quantiser=integer,
            products=products,
            rescale=rescale,
            relu=bound is not None,
            align=0 if beside is None else total - self.tensors[beside].point,
            point=point,
        )
        self.append(node)
        if bound is not None and bound.high != inf:
            self.add_clip(bound, layer.name)

    def finish(self, output: str) -> None:
        """End with the node that gives the network's output."""
        last = self.names[output]
        if self.nodes[-1].name != last:
            index = next(index for index, node in enumerate(self.nodes) if node.name == last)
            self.nodes.append(self.nodes.pop(index))
