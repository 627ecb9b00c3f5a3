"""How well the integer network agrees with the fake-quantised one in torch, layer by layer.

Codes are compared twice. *Given the same input*: the layer gets torch's own input, rounded to the integers' bits; what
differs is the layer's own arithmetic. *In the network*: every layer gets what the integer layers before it made; a code
that differs moves the sums of all that see it, some of those lie near a threshold, and so differences multiply from
layer to layer. What they do to the result is measured by the classes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from asq_model.convert import observed_inputs, quantised_layers
from asq_model.datasets import MemorySplit, load
from asq_model.integer.asq import GUARD, Precision
from asq_model.integer.fixed import saturate
from asq_model.integer.network import IntegerNetwork, Layer, Trace
from asq_model.integerise import integer_network
from asq_model.quantisers import ActivationQuantiser
from asq_model.train import load_quantised

BATCH = 100


@dataclass
class LayerParity:
    """Of one layer, over all images: codes compared, how many agree given the same input and in the network, inputs
    that saturated, values that lay exactly between two codes, the largest relative error of a step."""

    codes: int = 0
    given_input: int = 0
    in_network: int = 0
    saturated: int = 0
    ties: int = 0
    step_error: float = 0.0


@dataclass
class Parity:
    """Of a network: by layer, and how many images each of the two classifies correctly, and alike."""

    name: str
    precision: Precision
    layers: dict[str, LayerParity]
    images: int = 0
    torch_correct: int = 0
    integer_correct: int = 0
    same_class: int = 0
    saturated_outputs: int = 0


def rounded(x: Tensor, layer: Layer, network: IntegerNetwork, trace: Trace) -> tuple[np.ndarray, int]:
    """(torch's input of a layer at the integer layer's binary point, how many values saturated)."""
    if layer is network.stem:
        return trace.inputs[layer.name], 0  # the image itself, which both have
    given = np.rint(network.gain(layer) * x.double().numpy() * 2.0**layer.quantiser.point).astype(np.int64)
    given = given.reshape((*x.shape, 1, 1)[:4])  # a linear layer's input is a map of one pixel
    return (given, 0) if layer is network.classifier else saturate(given, layer.rescale.bits)


def compare_layer(
    found: LayerParity, layer: Layer, network: IntegerNetwork, source: ActivationQuantiser, x: Tensor, trace: Trace
) -> None:
    """Add a batch to `found`. `source`: torch's quantiser, `x` its input."""
    wanted, wanted_step = (array.numpy() for array in source.codes(x))
    quantiser = layer.quantiser
    given, outside = rounded(x, layer, network, trace)
    found.saturated += outside
    step = quantiser.step(given)
    codes = quantiser.codes(given, step)
    found.codes += wanted.size
    found.given_input += int((codes.reshape(wanted.shape) == wanted).sum())
    found.in_network += int((trace.codes[layer.name].reshape(wanted.shape) == wanted).sum())
    found.ties += int(quantiser.ties(given, step).sum())
    real = step * 2.0 ** -(quantiser.point + GUARD) / network.gain(layer)
    found.step_error = max(found.step_error, float(np.abs(real / wanted_step - 1).max()))


def compare_batch(found: Parity, model: nn.Module, network: IntegerNetwork, test: MemorySplit) -> None:
    """Add a batch of test images to `found`."""
    images, labels = test.scaled(test.images), test.labels.numpy()
    trace = Trace(keep=True)
    integer = network(test.images.numpy(), trace).argmax(1)
    inputs = observed_inputs(model, quantised_layers(model), images)
    with torch.no_grad():
        wanted = model(images).argmax(1).numpy()
    for layer in network.layers():
        source = model.get_submodule(layer.name).activation_quantiser
        compare_layer(found.layers[layer.name], layer, network, source, inputs[layer.name], trace)
    found.images += len(test)
    found.torch_correct += int((wanted == labels).sum())
    found.integer_correct += int((integer == labels).sum())
    found.same_class += int((integer == wanted).sum())
    found.saturated_outputs += sum(trace.saturated.values())


def measure(
    checkpoint: Path,
    images: int,
    data_folder: Path | None,
    precision: Precision | None = None,
    progress: Callable[[int], object] = lambda count: None,
) -> Parity:
    """Compare on the test set's first images. Raises InputError."""
    model, config = load_quantised(checkpoint)
    dataset = load(config["recipe"]["data"], data_folder)
    precision = precision or Precision()
    network = integer_network(model, dataset.train, precision)
    found = Parity(checkpoint.stem, precision, {layer.name: LayerParity() for layer in network.layers()})
    images = min(images, len(dataset.test))
    for start in range(0, images, BATCH):
        compare_batch(found, model, network, dataset.test.part(torch.arange(start, min(start + BATCH, images))))
        progress(min(BATCH, images - start))
    return found


def table(found: Parity) -> str:
    """In Markdown."""
    total = found.images
    lines = [
        f"Integers of {found.precision.bits} bits against fake-quantised torch, `{found.name}`, {total} test images:",
        "",
        f"- right: {found.integer_correct} in integers, {found.torch_correct} in torch"
        f" ({100 * (found.integer_correct - found.torch_correct) / total:+.2f} points)",
        f"- the same class: {found.same_class} ({found.same_class / total:.2%})",
        f"- outputs that saturated: {found.saturated_outputs}",
        "",
        "| layer | codes | equal, given torch's input | equal, in the network | step, largest relative error | ties"
        " | inputs saturated |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, layer in found.layers.items():
        lines.append(
            f"| {name} | {layer.codes} | {layer.given_input / layer.codes:.4%} | {layer.in_network / layer.codes:.2%}"
            f" | {layer.step_error:.1e} | {layer.ties} | {layer.saturated} |"
        )
    return "\n".join(lines)


def page(tables: list[str], note: str) -> str:
    """Tables of several networks as one page. `note`: what else there is to say of the data."""
    explained = (
        "Codes *given torch's input*: each layer gets torch's own input, rounded to the integers' bits. *In the"
        " network*: each layer gets what the integer layers before it made; differences multiply there"
        " ([why](../integer-spec.md#parity)). Made by `make parity`."
    )
    return "\n\n".join(["# Parity of the integer network", explained, *([note] if note else []), *tables]) + "\n"
