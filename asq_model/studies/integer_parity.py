"""How well the integer network agrees with the fake-quantised one in torch, layer by layer.

Codes are compared twice. *Given the same input*: the layer gets torch's own input, rounded to the integers' bits; what
differs is the layer's own arithmetic. *In the network*: every layer gets what the integer layers before it made; a code
that differs moves the sums of all that see it, some of those lie near a threshold, and so differences multiply from
layer to layer. What they do to the result is measured by the classes.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from asq_model.common.cifar10_copy import labels_digest
from asq_model.datasets import MemorySplit, load_in_memory
from asq_model.export.integer_network import make_integer_network
from asq_model.quantisation import ActivationQuantiser
from asq_model.quantisation.convert import quantised_layers
from asq_model.quantisation.observe import observe_inputs
from asq_model.spec.adaptive_step import GUARD, Precision
from asq_model.spec.fixed_point import saturate
from asq_model.spec.network import IntegerNetwork, Layer, Trace
from asq_model.studies.integer_parity_page import LayerParity, Parity
from asq_model.training.load import load_quantised

BATCH = 100


def round_input(x: Tensor, layer: Layer, network: IntegerNetwork, trace: Trace) -> tuple[np.ndarray, int]:
    """Torch's input of a layer at the integer layer's binary point, and how many values saturated."""
    if layer is network.stem:
        return trace.inputs[layer.name], 0  # the image itself, which both have
    given = np.rint(network.gain(layer) * x.double().numpy() * 2.0**layer.quantiser.point).astype(np.int64)
    given = given.reshape((*x.shape, 1, 1)[:4])  # a linear layer's input is a map of one pixel
    return (given, 0) if layer is network.classifier else saturate(given, layer.rescale.bits)


def compare_layer(
    parity: LayerParity, layer: Layer, network: IntegerNetwork, source: ActivationQuantiser, x: Tensor, trace: Trace
) -> None:
    """Add a layer's batch to `parity`. `source`: torch's quantiser, `x` its input."""
    wanted, wanted_step = (array.numpy() for array in source.codes(x))
    quantiser = layer.quantiser
    given, outside = round_input(x, layer, network, trace)
    parity.saturated += outside
    step = quantiser.step(given)
    codes = quantiser.codes(given, step)
    parity.codes += wanted.size
    parity.given_input += int((codes.reshape(wanted.shape) == wanted).sum())
    parity.in_network += int((trace.codes[layer.name].reshape(wanted.shape) == wanted).sum())
    parity.ties += int(quantiser.ties(given, step).sum())
    real = step * 2.0 ** -(quantiser.point + GUARD) / network.gain(layer)
    parity.step_error = max(parity.step_error, float(np.abs(real / wanted_step - 1).max()))


def compare_batch(parity: Parity, model: nn.Module, network: IntegerNetwork, test: MemorySplit) -> None:
    """Add a batch of test images to `parity`."""
    images, labels = test.scaled(test.images), test.labels.numpy()
    trace = Trace(keep=True)
    integer = network(test.images.numpy(), trace).argmax(1)
    sources = dict(quantised_layers(model))
    inputs = observe_inputs(model, quantised_layers(model), images)
    with torch.no_grad():
        wanted = model(images).argmax(1).numpy()
    for layer in network.layers():
        source = sources[layer.name].activation_quantiser
        compare_layer(parity.layers[layer.name], layer, network, source, inputs[layer.name], trace)
    parity.images += len(test)
    parity.torch_correct += int((wanted == labels).sum())
    parity.integer_correct += int((integer == labels).sum())
    parity.same_class += int((integer == wanted).sum())
    parity.saturated_outputs += sum(trace.saturated.values())


def measure_parity(
    checkpoint: Path,
    images: int,
    data_folder: Path | None,
    precision: Precision | None = None,
    progress: Callable[[int], object] = lambda count: None,
) -> Parity:
    """Compare a checkpoint's integer network with torch on the test set's first images. Raises InputError."""
    model, config = load_quantised(checkpoint)
    dataset = load_in_memory(str(config["recipe"]["data"]), data_folder)
    precision = precision or Precision()
    train, test = dataset
    network = make_integer_network(model, train, precision)
    parity = Parity(checkpoint.stem, precision, {layer.name: LayerParity() for layer in network.layers()})
    parity.data = labels_digest(test.labels.numpy())
    images = min(images, len(test))
    for start in range(0, images, BATCH):
        compare_batch(parity, model, network, test.part(torch.arange(start, min(start + BATCH, images))))
        progress(min(BATCH, images - start))
    return parity
