"""How well the integer network agrees with the fake-quantised one in torch, layer by layer.

Codes are compared twice. *Given the same input*: the layer gets torch's own input, rounded to the integers' bits; what
differs is the layer's own arithmetic. *In the network*: every layer gets what the integer layers before it made; a code
that differs moves the sums of all that see it, some of those lie near a threshold, and so differences multiply from
layer to layer. What they do to the result is measured by the classes.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from asq_model.common.cifar10_copy import digest_labels
from asq_model.common.errors import InputError
from asq_model.common.progress import SILENT, Bar
from asq_model.datasets import load_in_memory
from asq_model.export.integer_graph import CALIBRATION_IMAGES, make_graph
from asq_model.export.node_differences import measure_node_differences
from asq_model.export.translator import full_shape
from asq_model.quantisation.convert import quantised_layers
from asq_model.quantisation.observe import evaluating, observe_inputs
from asq_model.quantisation.quantised import Quantised
from asq_model.spec.fixed_point import saturate
from asq_model.spec.graph.convolution import Convolution
from asq_model.spec.graph.graph import Graph
from asq_model.spec.graph.tensor import Trace
from asq_model.spec.precision import GUARD, Precision
from asq_model.studies.integer_parity_page import LayerParity, Parity
from asq_model.training.load import load_quantised

BATCH = 100


def round_input(layer: Quantised, x: Tensor, node: Convolution, graph: Graph, trace: Trace) -> tuple[np.ndarray, int]:
    """Round torch's input of a layer to the integers that its node takes; return them and how many saturated."""
    form = graph.input_of(node)
    if node.inputs[0] == graph.input.name and graph.input.table is not None:
        return trace.inputs[node.name], 0  # the image itself, which both have
    given = np.rint(np.ldexp(form.gain * layer.as_maps(x).double().numpy(), form.point)).astype(np.int64)
    return saturate(given, form.bits)


def compare_layer(
    parity: LayerParity, layer: Quantised, x: Tensor, node: Convolution, graph: Graph, trace: Trace
) -> None:
    """Add a layer's batch to `parity`. x: torch's input of the layer."""
    codes, torch_step = layer.activation_quantiser.encode(x)
    wanted = layer.as_maps(codes).numpy()
    quantiser = node.quantiser
    given, outside = round_input(layer, x, node, graph, trace)
    parity.saturated += outside
    step = quantiser.compute_step(given)
    parity.codes += wanted.size
    parity.given_input += int((quantiser.encode(given, step) == wanted).sum())
    parity.in_network += int((trace.codes[node.name] == wanted).sum())
    parity.ties += int(quantiser.find_ties(given, step).sum())
    real = np.ldexp(step.astype(np.float64), -(quantiser.point + GUARD)) / graph.input_of(node).gain
    parity.step_error = max(parity.step_error, float(np.abs(real / torch_step.numpy() - 1).max()))


def compare_batch(
    parity: Parity, model: nn.Module, graph: Graph, images: Tensor, samples: np.ndarray, labels: np.ndarray
) -> None:
    """Add a batch to `parity`. images: as torch takes them; samples: the same as the graph takes them."""
    trace = Trace(keep=True)
    integer = graph(samples, trace).reshape(len(samples), -1).argmax(1)
    layers = dict(quantised_layers(model))
    inputs = observe_inputs(model, quantised_layers(model), images)
    with torch.no_grad():
        wanted = model(images).flatten(1).argmax(1).numpy()
    for node in graph.convolutions():
        if node.name in parity.layers:
            compare_layer(parity.layers[node.name], layers[node.name], inputs[node.name], node, graph, trace)
    parity.images += len(samples)
    parity.torch_correct += int((wanted == labels).sum())
    parity.integer_correct += int((integer == labels).sum())
    parity.same_class += int((integer == wanted).sum())
    parity.saturated_outputs += sum(trace.saturated[node.name] for node in graph.convolutions())


def start_parity(name: str, model: nn.Module, graph: Graph, precision: Precision) -> Parity:
    """Begin a comparison, of no images yet; of a layer that stands at several places, the first one is compared."""
    layers = dict(quantised_layers(model))
    compared = {node.name: LayerParity() for node in graph.convolutions() if node.name in layers}
    return Parity(name, precision, compared)


def compare_network(
    model: nn.Module, images: Tensor, labels: Tensor, name: str = "network", precision: Precision | None = None
) -> Parity:
    """Compare any converted network with its integers, which are calibrated on these images.

    images: real inputs [N, ...]. labels: classes [N]. The network's modules keep their mode. Raises InputError for a
    network that has no integer form, and for more or fewer labels than images.
    """
    if labels.shape != images.shape[:1]:
        allowed = f"[{len(images)}], a class for each image"
        raise InputError(f"labels has shape {list(labels.shape)}; allowed: {allowed}", "labels")
    precision = precision or Precision()
    with evaluating(model):
        graph = make_graph(model, images, precision).graph
        parity = start_parity(name, model, graph, precision)
        for start in range(0, len(images), BATCH):
            part = images[start : start + BATCH]
            samples = graph.input.to_integers(part.reshape(len(part), *full_shape(tuple(part.shape[1:]))).numpy())
            compare_batch(parity, model, graph, part, samples, labels[start : start + BATCH].numpy())
    return parity


def measure_parity(
    checkpoint: Path,
    images: int,
    data_folder: Path | None,
    precision: Precision | None = None,
    bar: Bar = SILENT,
) -> tuple[Parity, dict[str, float]]:
    """Compare a checkpoint's network in integers with torch on the test set's first images.

    Returns how well the layers agree, and how far every node's output is from torch's, given torch's inputs, as a part
    of its size (`measure_node_differences`). Raises InputError.
    """
    model, config = load_quantised(checkpoint)
    dataset = load_in_memory(str(config["recipe"]["data"]), data_folder)
    precision = precision or Precision()
    train, test = dataset
    calibration = train.select(torch.arange(min(len(train), CALIBRATION_IMAGES)))
    network = make_graph(model, calibration.scale(calibration.images), precision, train.scale)
    parity = start_parity(checkpoint.stem, model, network.graph, precision)
    parity.data = digest_labels(test.labels.numpy())
    images = min(images, len(test))
    bar.expect(images)
    for start in range(0, images, BATCH):
        part = test.select(torch.arange(start, min(start + BATCH, images)))
        compare_batch(parity, model, network.graph, part.scale(part.images), part.images.numpy(), part.labels.numpy())
        bar.advance(len(part))
    compared = test.select(torch.arange(min(images, BATCH)))
    return parity, measure_node_differences(network, model, compared.scale(compared.images))
