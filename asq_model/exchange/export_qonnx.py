"""Write a network as QONNX, which FINN, hls4ml and `qonnx` read: standard operators, and `Quant` where it rounds."""

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from asq_model.common.errors import InputError
from asq_model.datasets import load_dataset
from asq_model.exchange.import_network import import_qonnx
from asq_model.export.onnx import CHECKED, TOLERANCE, largest_differences, run_exporter, run_torch, write_model
from asq_model.export.opaque_layers import find_opaque_modules
from asq_model.quantisation import ActivationQuantiser, LsqPlusActivation, PotActivation, UniformWeight
from asq_model.quantisation.convert import quantised_layers, replace_layers
from asq_model.quantisation.quantised import Quantised
from asq_model.training.load import load_quantised

QUANT, VERSION = "qonnx.custom_op.general::Quant", 2
NOTE = "asq-post"  # the key of our note in the file's metadata
# What activations have that are not integers times a step.
WITHOUT_ONE_STEP: dict[type, str] = {LsqPlusActivation: "an offset", PotActivation: "powers of two as levels"}


def quant(x: Tensor, step: Tensor, bits: int, signed: bool, narrow: bool = False) -> Tensor:
    """A `Quant` node, for torch's exporter."""
    numbers = (step, torch.tensor(0.0), torch.tensor(float(bits)))
    attributes: dict[str, Any] = {"signed": int(signed), "narrow": int(narrow), "rounding_mode": "ROUND"}
    return torch.onnx.ops.symbolic(QUANT, (x, *numbers), attributes, dtype=x.dtype, shape=x.shape, version=VERSION)


class QuantisedInput(nn.Module):
    """A stand-in for an activation quantiser that is one `Quant` node. Raises InputError for one that cannot be."""

    step: Tensor

    def __init__(self, source: ActivationQuantiser, name: str):
        super().__init__()
        kind = "an adapter" if source.adapter is not None else WITHOUT_ONE_STEP.get(type(source))
        if kind is not None:
            raise InputError(f"{name} has {kind}; allowed in QONNX: activations of one constant step, such as lsq")
        self.bits, self.signed = source.bits, source.signed
        step, _ = source.compute_grid(torch.zeros(1, 1))
        self.register_buffer("step", step.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        return quant(x, self.step, self.bits, self.signed)


class QuantisedLayer(nn.Module):
    """A stand-in for a layer: `Quant` of its input, `Quant` of its weights where they are uniform, its operation.

    Weights of other levels are constants: the values that their codes mean.
    """

    weight: Tensor
    scale: Tensor  # of uniform weights

    def __init__(self, layer: Quantised):
        super().__init__()
        if layer.config.product_frac is not None:
            raise InputError(f"layer {layer.name} rounds its products, which QONNX cannot say; allowed: exact products")
        self.layer, self.input = layer, QuantisedInput(layer.activation_quantiser, f"layer {layer.name}")
        weights = layer.weight_quantiser
        self.uniform = isinstance(weights, UniformWeight)
        self.register_buffer("weight", weights(layer.weight).detach())
        if isinstance(weights, UniformWeight):
            self.narrow = -weights.low == weights.high
            scale = weights.channel_scale(layer.weight).detach()
            self.register_buffer("scale", scale if scale.numel() > 1 else scale.reshape(()))

    def forward(self, input: Tensor) -> Tensor:  # named as torch's layers name it, for calls by keyword
        weight = self.weight
        if self.uniform:
            weight = quant(weight, self.scale, self.layer.config.weight_bits, True, self.narrow)
        return self.layer.apply_operation(self.input(input), weight, self.layer.bias)


@torch.no_grad()
def export_qonnx(model: nn.Module, example: Tensor, path: Path) -> None:
    """Write a converted network as QONNX, for batches of the example's size.

    Uniform weights and activations become `Quant` nodes. Weights of other families (POST, POT, …) are constants, and
    the file's metadata names their layers. Raises InputError, naming the layer, for adapters, offsets and rounded
    products, and for a network that cannot be written.
    """
    network = nn.Sequential(copy.deepcopy(model))
    stand_ins: dict[int, nn.Module] = {}
    others = []
    for full, module in find_opaque_modules(network):
        name = full.removeprefix("0.")
        if isinstance(module, Quantised):
            stand_ins[id(module)] = QuantisedLayer(module)
            if module.config.weights != "uniform":
                others.append(f"{name}: {module.config.weights} of {module.config.weight_bits} bits")
        elif isinstance(module, ActivationQuantiser):
            stand_ins[id(module)] = QuantisedInput(module, f"quantiser {name}")
    if not stand_ins:
        raise InputError("the network has no quantised layer; QONNX is made of a converted network")
    replace_layers(network, stand_ins)
    proto = run_exporter(network.eval(), (example,), type(model).__name__, None)
    if others:
        note = proto.metadata_props.add()
        note.key, note.value = NOTE, f"weights as constants, since QONNX has no such levels: {'; '.join(others)}"
    write_model(path, proto)


def export_and_read_back(checkpoint: Path, path: Path, data_folder: Path | None) -> tuple[int, int] | None:
    """Write a checkpoint's network as QONNX, and compare what `import_qonnx` reads there with torch on test images.

    Returns (images, how many of them get the same logits), or None where weights are not uniform: those in the file
    are no integers then, which is what `import_qonnx` takes. Raises InputError.
    """
    model, config = load_quantised(checkpoint)
    test = load_dataset(str(config["recipe"]["data"]), data_folder).test
    images, _ = next(test.batches(torch.arange(min(len(test), CHECKED)), CHECKED, None))
    export_qonnx(model, images[:1], path)
    if any(layer.config.weights != "uniform" for _, layer in quantised_layers(model)):
        return None
    wanted, logits = run_torch(model, images), run_torch(import_qonnx(path), images)
    return len(images), int((largest_differences(logits, wanted) <= TOLERANCE).sum())
