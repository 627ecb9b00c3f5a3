"""Golden feature maps: what a trained network's quantisers, adapters and rescales really see and must answer.

From the integer network where there is one; of other networks each quantised layer by itself, its input rounded to the
integers' bits, without rescale.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from asq_model.common.errors import InputError
from asq_model.export.integer_layer import find_binary_point, make_layer_quantiser
from asq_model.quantisation.convert import quantised_layers
from asq_model.quantisation.observe import Example, map_tensors, observe_inputs
from asq_model.quantisation.quantised import Quantised
from asq_model.spec.adaptive_step import IntegerAdapter, IntegerQuantiser, sum_channels
from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.fixed_point import saturate
from asq_model.spec.golden_manifest import AdapterEntry, MapsContent, RescaleEntry
from asq_model.spec.graph.convolution import Convolution
from asq_model.spec.graph.graph import Graph
from asq_model.spec.graph.tensor import Trace
from asq_model.spec.precision import SHIFT_BITS, Precision

Arrays = dict[str, np.ndarray]
LEAST_MAPS, MOST_MAPS, MAP_VALUES = 2, 8, 8192  # whole maps of a layer: as many as have `MAP_VALUES` values together
SUMMED_MAPS = 64  # images whose channel sums and steps are exported


@dataclass(frozen=True)
class Seen:
    """What one layer saw: its integer quantiser, inputs int [N, C, H, W], and torch's input."""

    name: str
    layer: Quantised
    quantiser: IntegerQuantiser
    inputs: np.ndarray
    torch_input: Tensor


def observe_layers(model: nn.Module, images: Example) -> Iterator[Seen]:
    """Yield what each quantised layer sees that the network uses, its binary point from these images."""
    precision = Precision()
    layers = quantised_layers(model)
    inputs = observe_inputs(model, layers, images)
    for name, layer in layers:
        if name not in inputs:
            continue
        x = inputs[name]
        point = find_binary_point(x.abs().max().item(), precision.bits)
        maps = layer.as_maps(x).double().numpy()
        codes, _ = saturate(np.rint(maps * 2.0**point).astype(np.int64), precision.bits)
        quantiser = make_layer_quantiser(layer, x, point, codes[0, 0].size, precision)
        yield Seen(name, layer, quantiser, codes, x)


def observe_graph_layers(graph: Graph, model: nn.Module, images: Example, trace: Trace) -> Iterator[Seen]:
    """Yield what each layer of a graph saw that was run with this trace, in order of definition.

    Of a layer that stands at several places, the first one.
    """
    layers = quantised_layers(model)
    nodes = {node.name: node for node in graph.convolutions()}
    inputs = observe_inputs(model, layers, images)
    for name, layer in layers:
        if name in nodes:
            yield Seen(name, layer, nodes[name].quantiser, trace.inputs[name], inputs[name])


def make_adapter_entry(seen: Seen, adapter: IntegerAdapter) -> tuple[Arrays, AdapterEntry]:
    """Store an adapter's constants: (arrays, manifest entry). Raises InputError where the hardware cannot hold them."""
    first = adapter.hidden or adapter.output
    entry: AdapterEntry = {
        "hidden": 0 if adapter.hidden is None else len(first.bias),
        "hidden_shift": 0 if adapter.hidden is None else first.shift,
        "output_shift": adapter.output.shift,
        "output_bias": int(adapter.output.bias[0]),
        "floor": adapter.floor,
    }
    arrays = {"unit_weights": first.weights, "unit_biases": first.bias}
    if adapter.hidden is not None:
        arrays["output_weights"] = adapter.output.weights[0]
    channels, pixels = seen.inputs.shape[1], seen.inputs[0, 0].size
    block = BlockSpec("adapter", channels, pixels, precision=adapter.point, hidden=max(entry["hidden"], 1))
    limit = 1 << block.accumulator_bits - 2
    for bias in (entry["output_bias"], int(np.abs(first.bias).max())):
        if abs(bias) >= limit:
            raise InputError(f"layer {seen.name} has an adapter whose bias is {bias}; allowed: below {limit}")
    shifts = {"hidden_shift": entry["hidden_shift"], "output_shift": entry["output_shift"]}
    check_shifts(f"layer {seen.name} has an adapter", shifts)
    return arrays, entry


def check_shifts(subject: str, shifts: Mapping[str, int]) -> None:
    """Raises InputError for a shift that the hardware cannot do. subject: what has it, for the message."""
    for name, shift in shifts.items():
        if not 0 <= shift < 1 << SHIFT_BITS:
            raise InputError(f"{subject} whose {name} is {shift}; allowed: 0 to {(1 << SHIFT_BITS) - 1}")


def count_products(layer: Quantised, x: Tensor) -> int:
    """Count the multiplications that a layer does for one image."""
    with torch.no_grad():
        positions = layer.as_maps(layer(x[:1]))[0, 0].numel()
    return layer.weight.numel() * positions


def make_quantiser_entry(seen: Seen) -> tuple[Arrays, MapsContent]:
    """Store a layer's maps, codes and steps: (arrays, manifest entry without its rescale)."""
    quantiser, x = seen.quantiser, seen.inputs
    maps = max(LEAST_MAPS, min(MOST_MAPS, MAP_VALUES // x[0].size, len(x)))
    summed = min(SUMMED_MAPS, len(x))
    step = quantiser.compute_step(x[:summed])
    _, torch_step = seen.layer.activation_quantiser.encode(seen.torch_input[:summed])
    arrays: Arrays = {
        "inputs": x[:maps].astype(np.int32),
        "codes": quantiser.encode(x[:maps], step[:maps]).astype(np.int16),
        "steps": step,
        "torch_steps": torch_step.double().numpy(),
    }
    entry: MapsContent = {
        "channels": x.shape[1],
        "pixels": x[0, 0].size,
        "products": count_products(seen.layer, seen.torch_input),
        "bits": quantiser.bits,
        "signed": quantiser.signed,
        "input_bits": max(Precision().bits, int(np.abs(x).max()).bit_length() + 1),
        "point": quantiser.point,
        "mantissa": quantiser.mantissa,
        "learned_step": float(seen.layer.activation_quantiser.step.detach().abs()),
        "adapter": None,
        "rescale": None,
    }
    source = seen.layer.activation_quantiser.adapter
    if quantiser.adapter is not None and source is not None:
        sums = sum_channels(x[:summed])
        arrays |= {"sums": sums, "betas": quantiser.adapter(sums)}
        with torch.no_grad():
            arrays["torch_betas"] = source(seen.torch_input[:summed]).double().numpy()
        constants, entry["adapter"] = make_adapter_entry(seen, quantiser.adapter)
        arrays |= constants
    return arrays, entry


def make_rescale_entry(node: Convolution, trace: Trace, maps: int) -> tuple[Arrays, RescaleEntry | None]:
    """Store a layer's rescale: (arrays, manifest entry).

    There is none for an output that keeps all its bits, the logits: they are compared as sums.
    """
    rescale, side, outputs = node.rescale, trace.sides.get(node.name), trace.outputs[node.name][:maps]
    if rescale.bits > Precision().bits:
        return {}, None
    arrays = {
        "totals": trace.sums[node.name][:maps],
        "outputs": outputs.astype(np.int32),
        "multipliers": rescale.multiplier,
        "biases": rescale.bias,
    }
    if side is not None:
        arrays["sides"] = side[:maps].astype(np.int32)
    entry: RescaleEntry = {
        "channels": outputs.shape[1],
        "pixels": outputs[0, 0].size,
        "total_bits": int(np.abs(trace.sums[node.name]).max()).bit_length() + 1,
        "bias_bits": int(np.abs(rescale.bias).max()).bit_length() + 1,
        "scale_shift": rescale.scale_shift,
        "shift": rescale.shift,
        "align": node.align,
        "relu": node.relu,
    }
    shifts = {"scale_shift": rescale.scale_shift, "shift": rescale.shift, "align": node.align}
    check_shifts(f"layer {node.name} has a rescale", shifts)
    return arrays, entry


def make_all_maps(
    model: nn.Module, images: Example, graph: Graph | None = None, samples: np.ndarray | None = None
) -> Iterator[tuple[str, Arrays, MapsContent]]:
    """Yield (name, arrays, manifest entry) of every quantised layer that the network uses.

    images: what torch takes, samples on the first axis; samples: the same as the graph takes them.
    """
    images = map_tensors(images, lambda x: x[:SUMMED_MAPS])
    if graph is None or samples is None:
        for seen in observe_layers(model, images):
            arrays, entry = make_quantiser_entry(seen)
            yield seen.name, arrays, entry
        return
    trace = Trace(keep=True)
    graph(samples[:SUMMED_MAPS], trace)
    nodes = {node.name: node for node in graph.convolutions()}
    for seen in observe_graph_layers(graph, model, images, trace):
        arrays, entry = make_quantiser_entry(seen)
        more, entry["rescale"] = make_rescale_entry(nodes[seen.name], trace, len(arrays["inputs"]))
        yield seen.name, arrays | more, entry
