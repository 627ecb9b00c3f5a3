"""Each node of a graph against torch's own values: what a node makes of torch's inputs, rounded to its formats.

What differs is the node's own arithmetic. A node that was translated wrongly shows here, whatever it does to the
result.
"""

from typing import Any

import numpy as np
from torch import Tensor, nn

from asq_model.common.errors import InputError
from asq_model.export.integer_network import IntegerNetwork
from asq_model.export.trace_network import run_program
from asq_model.export.translator import Axes
from asq_model.spec.fixed_point import bounds, saturate
from asq_model.spec.graph.convolution import Convolution, Quantise
from asq_model.spec.graph.elementwise import Input
from asq_model.spec.graph.graph import Operation
from asq_model.spec.graph.tensor import Tensor as Format
from asq_model.spec.graph.tensor import Trace

CHECKED_IMAGES = 8
LARGEST_DIFFERENCE = 0.02  # rounding makes less than a ten-thousandth


def as_maps(tensor: Tensor, axes: Axes) -> np.ndarray:
    """Turn a tensor of torch into maps [N, channels, rows, columns], float64. axes: where its axes lie in them."""
    places = [axes.index(axis) + 1 for axis in range(3) if axis in axes]
    others = [dim for dim, axis in enumerate(axes, 1) if axis is None]
    moved = tensor.detach().double().permute(0, *places, *others)
    sizes = [tensor.shape[axes.index(axis) + 1] if axis in axes else 1 for axis in range(3)]
    return moved.reshape(len(tensor), *sizes).numpy()


def as_integers(reals: np.ndarray, form: Format) -> np.ndarray:
    """Turn real values into integers of a tensor's format, rounded and saturated."""
    scaled = np.rint(np.ldexp(reals * form.gain, form.point))
    return saturate(np.clip(scaled, -(2.0**62), 2.0**62).astype(np.int64), form.bits)[0]


def compute_real_values(network: IntegerNetwork, model: nn.Module, images: Tensor) -> dict[str, np.ndarray]:
    """Run torch; return each node's output there, float64 maps by node, but for nodes that only reorder values."""
    nodes: dict[str, str] = {value: node for node, value in network.values.items()}
    found: dict[str, np.ndarray] = {}

    def see(name: str, output: Tensor, inputs: list[Any]) -> None:
        if name in nodes:
            found[nodes[name]] = as_maps(output, network.traced.axes[name]).copy()

    run_program(network.traced, model, images, see)
    return found


def run_as_torch(node: Operation, inputs: list[np.ndarray]) -> np.ndarray:
    """Run a node, with values halfway between two codes rounded to the even one, as torch does."""
    if not isinstance(node, (Convolution, Quantise)):
        return node.run(inputs, Trace())
    x, quantiser = inputs[0], node.quantiser
    step = quantiser.compute_step(x)
    dividend, divisor = quantiser.make_division(x, step)
    codes = dividend // divisor
    codes -= (dividend % divisor == 0) & (codes % 2 == 1)
    codes = np.clip(codes, *bounds(quantiser.bits, quantiser.signed))
    if isinstance(node, Convolution):
        return node.multiply(codes, step, inputs, Trace())
    return node.restore(codes, step, Trace())


def relative_difference(made: np.ndarray, wanted: np.ndarray) -> float:
    """The median over samples of the root mean square of `made - wanted`, relative to that of `wanted`.

    The median, since in a few samples a value may lie so near to an edge between two codes that it goes to the other
    side.
    """
    errors = np.sqrt(np.mean((made - wanted) ** 2, (1, 2, 3)))
    return float(np.median(errors) / (np.sqrt(np.mean(wanted**2)) or 1.0))


def measure_node_differences(network: IntegerNetwork, model: nn.Module, images: Tensor) -> dict[str, float]:
    """Measure how far each node's output is from torch's, given torch's inputs, by node (`relative_difference`)."""
    graph, reals = network.graph, compute_real_values(network, model, images)
    given: dict[str, np.ndarray] = {}
    differences: dict[str, float] = {}
    for node in graph.nodes:
        form = graph.tensors[node.name]
        if not isinstance(node, Input):
            made = run_as_torch(node, [given[name] for name in node.inputs])
            if node.name not in reals:
                given[node.name] = made
                continue
            real = np.ldexp(made.astype(np.float64), -form.point) / form.gain
            differences[node.name] = relative_difference(real, reals[node.name])
        given[node.name] = as_integers(reals[node.name], form)
    return differences


def check_nodes(network: IntegerNetwork, model: nn.Module, images: Tensor) -> None:
    """Raises InputError, naming the node, where a graph does not do what torch does."""
    for name, difference in measure_node_differences(network, model, images[:CHECKED_IMAGES]).items():
        if difference > LARGEST_DIFFERENCE:
            raise InputError(
                f"node {name} differs from torch by {difference:.2g} of its values' size, given its input; allowed:"
                f" {LARGEST_DIFFERENCE}. Many values lie exactly between two codes, as averages of integers do, or"
                " something was translated wrongly: then please report it"
            )
