"""Golden vectors from a trained checkpoint: what its layers really multiply, on held-out images.

Each vector is one dot product of one layer for one image, position and output channel: weight codes and activation
codes as the trained quantisers give them, torch's own fake-quantised result, and the results of each unit by the
integer specification. A unit with another level set than the trained one gets the layer's latent weights quantised to
its own set afterwards, by least squares per channel: the same workload, not a trained network of that kind.
"""

import re
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from asq_model.common.errors import InputError
from asq_model.common.files import fingerprint, sha256_file
from asq_model.config.recipe import EXPORT_IMAGES, EXPORT_SEED, PRODUCTS_PER_LAYER, Recipe, export_fingerprint
from asq_model.datasets import Split, load_dataset
from asq_model.export.golden_maps import exported_maps
from asq_model.export.integer_network import NETWORKS, integer_network
from asq_model.quantisation.convert import inner_layers, quantised_layers
from asq_model.quantisation.exportable import check_exportable
from asq_model.quantisation.layers import Quantised
from asq_model.quantisation.mac_unit_layers import on_unit
from asq_model.quantisation.observe import Example, check_example, observed_inputs
from asq_model.spec.golden_vectors import FORMAT, invalidate, layer_units, write_layer, write_manifest
from asq_model.spec.levels import EXPONENTIAL, KINDS, LevelSet
from asq_model.spec.mac import MacSpec
from asq_model.spec.network import IntegerNetwork
from asq_model.training.checkpoint_file import digest
from asq_model.training.monitor import layer_states
from asq_model.training.train import arrays as arrays_of
from asq_model.training.train import correct, load_quantised


def padded(layer: nn.Module, x: Tensor) -> Tensor:
    """A convolution's input with its padding, of any kind."""
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    return nn.functional.pad(x, layer._reversed_padding_repeated_twice, mode)


def patches(layer: Quantised, x: Tensor) -> Tensor:
    """The operands of a layer's dot products: [N, groups, terms, positions], padding included, terms as in the weight;
    output channel c uses those of its group, c // (channels per group)."""
    if isinstance(layer, nn.Linear):
        return layer.maps(x).flatten(2).unsqueeze(1)
    x, kernel, dilation, stride = padded(layer, x), layer.kernel_size, layer.dilation, layer.stride
    if isinstance(layer, nn.Conv1d):
        x, kernel, dilation, stride = x.unsqueeze(2), (1, *kernel), (1, *dilation), (1, *stride)
    fields = nn.functional.unfold(x, kernel, dilation, 0, stride)
    return fields.view(len(x), layer.groups, -1, fields.shape[2])


def least_squares_codes(level_set: LevelSet, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(codes [C, N], scale [C]) of weights [C, N] in a level set: each channel's best of 64 scales by squared error."""
    largest = np.abs(weights).max(1, keepdims=True) + 1e-12
    best = np.full((len(weights), 1), np.inf)
    codes, scales = np.zeros(weights.shape, np.int64), np.ones_like(best)
    for fraction in np.linspace(0.25, 1.2, 64):
        alpha = largest * fraction
        index = level_set.nearest(np.clip(weights / alpha, level_set.levels[0], 1))
        error = ((level_set.levels[index] * alpha - weights) ** 2).sum(1, keepdims=True)
        better = error < best
        best, scales = np.where(better, error, best), np.where(better, alpha / level_set.level_unit, scales)
        codes = np.where(better, level_set.codes[index], codes)
    return codes, scales[:, 0]


def unit_weights(layer: Quantised, units: list[MacSpec]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """(codes [C, N], scale [C]) by level set name: the trained codes, the same levels in sets that have them all, and
    for other sets those of least squares."""
    trained = layer.weight_quantiser.level_set
    codes, scale = layer.weight_quantiser.codes(layer.weight)
    codes = codes.flatten(1).numpy()
    scale = scale.detach().double().expand(len(codes)).numpy()  # one for all, or per channel
    found = {trained.name: (codes, scale)}
    weights = layer.weight.detach().flatten(1).double().numpy()
    for unit in units:
        levels = unit.level_set
        if levels.name not in found and has_all(levels, trained):
            found[levels.name] = levels.codes[levels.nearest(trained.values / levels.level_unit)][codes], scale
        elif levels.name not in found:
            found[levels.name] = least_squares_codes(levels, weights)
    return found


def has_all(levels: LevelSet, others: LevelSet) -> bool:
    """Whether a level set has every level of another, in the same units."""
    return set(levels.values) >= set(others.values) and levels.level_unit == others.level_unit


def export_layer(name: str, layer: Quantised, x: Tensor, kind: str, rng: np.random.Generator) -> tuple[dict, dict]:
    """(arrays, manifest entry) of a layer's golden vectors, its input being x. `kind` is for the units of other level
    sets than the layer's own."""
    check_exportable(name, layer)
    quantiser, trained = layer.activation_quantiser, layer.weight_quantiser.level_set
    channels, terms = layer.weight.flatten(1).shape
    with torch.no_grad():
        outputs_seen = layer.maps(layer(x)).flatten(2)
    bias = 0 if layer.bias is None else layer.bias.detach()[None, :, None]
    fake_quantised = outputs_seen - bias
    places = fake_quantised.shape[2]
    vectors = -(-PRODUCTS_PER_LAYER // terms)
    picked = rng.permutation(len(x) * places * channels)[:vectors]
    images, positions, outputs = np.unravel_index(picked, (len(x), places, channels))
    chosen, rows = np.unique(images, return_inverse=True)  # only these are unfolded: large maps take much memory
    activation_codes, steps = quantiser.codes(x[torch.from_numpy(chosen)])
    operands = patches(layer, activation_codes.double())
    activations = operands[rows, outputs // (channels // operands.shape[1]), :, positions].long().numpy()
    units = layer_units(trained, quantiser.bits, quantiser.signed, kind, max(terms, MacSpec().depth))
    weights = unit_weights(layer, units)
    reference = fake_quantised[images, outputs, positions].double().numpy()
    step = steps.double().numpy()[rows]
    arrays = {
        "activations": activations.astype(np.int8 if quantiser.signed else np.uint8),
        "channels": outputs.astype(np.int64),
        "images": images.astype(np.int64),
        "positions": positions.astype(np.int64),
        "steps": step,
        "torch": reference,
    }
    for set_name, (codes, scale) in weights.items():
        arrays[f"codes_{set_name}"], arrays[f"scales_{set_name}"] = codes.astype(np.uint8), scale
    entries = {}
    for unit in units:
        codes, scale = weights[unit.level_set.name]
        expected = unit.dot(codes[outputs], activations)
        arrays[f"expected_{unit.name}"] = expected
        real = expected * scale[outputs] * step / 2.0**unit.result_frac
        spread = float(np.sqrt(np.mean(reference**2)))
        relative_to = spread or 1.0  # a layer whose outputs are all zero agrees exactly
        entries[unit.name] = {
            "spec": asdict(unit),
            "level_set": unit.level_set.name,
            "weights": "trained" if has_all(unit.level_set, trained) else "least squares, not trained",
            "difference_rms": float(np.sqrt(np.mean((real - reference) ** 2))) / relative_to,
            "difference_max": float(np.abs(real - reference).max()) / relative_to,
        }
    entry = {
        "name": name,
        "terms": terms,
        "channels": channels,
        "vectors": len(picked),
        "products": len(picked) * terms,
        "weight_bits": trained.bits,
        "activation_bits": quantiser.bits,
        "level_set": trained.name,
        "step": float(quantiser.step.detach().abs()),
        "scales": weights[trained.name][1].tolist(),
        "torch_rms": spread,
        "units": entries,
    }
    return arrays, entry


def post_correct(path: Path, split: Split, frac: int) -> int:
    """How many images the checkpoint's network classifies correctly with unit `post`'s rounded products in every
    low-bit layer."""
    model, _ = load_quantised(path)
    return correct(on_unit(model, "post", frac), split)


def exported_layers(model: nn.Module, kind: str, images: Example) -> Iterator[tuple[str, dict, dict]]:
    """(name, arrays, manifest entry) of every quantised layer that the network uses, in the order of definition."""
    layers = quantised_layers(model)
    inputs = observed_inputs(model, layers, images)
    rng = np.random.default_rng(EXPORT_SEED)
    for name, layer in layers:
        if name in inputs:
            with layer.naming():
                arrays, entry = export_layer(name, layer, inputs[name], kind, rng)
            yield name, arrays, entry


def file_stem(name: str) -> str:
    """A layer's name as a file name: itself where it can be one, otherwise its letters and a hash."""
    if re.fullmatch(r"\w[\w.-]{0,99}", name, re.ASCII):
        return name
    readable = re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII).strip(".")[:80]
    return f"{readable}-{fingerprint(name)[:12]}"


def warn_of_constant_steps(model: nn.Module, images: Example) -> None:
    """Warn, naming the layers, where an adapter does not adapt: its layer's step is the same for all images."""
    for name, state in layer_states(model, images).items():
        if state.constant:
            warnings.warn(f"layer {name}: {state.constant}; its activations are quantised as by lsq", stacklevel=3)


def export_network(
    model: nn.Module,
    images: Example,
    folder: Path,
    about: dict | None = None,
    integers: tuple[IntegerNetwork, np.ndarray] | None = None,
) -> dict:
    """Write golden vectors of any converted network, run on `images`, to a folder; return the manifest.

    `images`: samples on the first axis; several arguments as a tuple or a dictionary. `about`: what else the manifest
    shall say, such as the `network`'s name and its `accuracy` (`test_images`, `quantised_correct`). `integers`: the
    network in integers, and the images as uint8, for the feature maps. Of a layer that is called several times, the
    vectors are of its first call; layers that the network does not use have none, and are named in the manifest.
    Warns where an adapter does not adapt. Raises InputError for layers that hardware here does not take.
    """
    check_example(images)
    layers = quantised_layers(model)
    if not layers:
        raise InputError(f"{type(model).__name__} has no quantised layer; export takes a converted network")
    for name, layer in layers:
        check_exportable(name, layer)
    first = (inner_layers(model) or layers)[0][1].config
    kind = first.kind if first.weights in EXPONENTIAL else KINDS[0]
    warn_of_constant_steps(model.eval(), images)
    invalidate(folder)
    entries = []
    for name, arrays, entry in exported_layers(model, kind, images):
        entries.append(entry | write_layer(folder, file_stem(name), arrays))
    maps = [
        {"name": name} | entry | write_layer(folder, f"{file_stem(name)}.maps", arrays)
        for name, arrays, entry in exported_maps(model, images, *(integers or ()))
    ]
    used = {entry["name"] for entry in entries}
    manifest = {
        "format": FORMAT,
        "network": type(model).__name__,
        "weight_bits": first.weight_bits,
        "activation_bits": first.activation_bits,
        "activations": first.activations,
        "level_set": first.level_set.name,
        "kind": first.kind,
        "family": first.weights,
        "accuracy": {},
        "products": sum(entry["products"] for entry in entries),
        "layers": entries,
        "maps": maps,
        "unused": [name for name, _ in layers if name not in used],
    }
    if "checkpoint_digest" not in (about or {}):
        manifest["checkpoint_digest"] = digest(arrays_of(model.state_dict()), {})
    manifest |= about or {}
    write_manifest(folder, manifest)
    return manifest


def export(checkpoint: Path, folder: Path, data_folder: Path | None = None) -> dict:
    """Write golden vectors of a checkpoint to a folder, on the first images of its test set; return the manifest.

    `data_folder` is for datasets that are not built in. Raises InputError.
    """
    model, config = load_quantised(checkpoint)
    recipe = Recipe(**config["recipe"])
    dataset = load_dataset(recipe.data, data_folder)
    test = dataset.test
    test = test.part(torch.arange(min(len(test), EXPORT_IMAGES)))
    images, _ = next(test.batches(torch.arange(len(test)), len(test), None))
    accuracy = {name: config[name] for name in ("test_images", "full_precision_correct", "quantised_correct")}
    if recipe.family == "post" and config["test_images"] == len(test):
        default = MacSpec().frac
        accuracy |= {"post_frac": default, "post_correct": post_correct(checkpoint, test, default)}
    about = {
        "fingerprint": export_fingerprint(config["digest"]),
        "checkpoint_sha256": sha256_file(checkpoint),
        "checkpoint_digest": config["digest"],
        "network": config["network"],
        "accuracy": accuracy,
    }
    integers = None
    if isinstance(model, NETWORKS):
        integers = integer_network(model, dataset.train), test.images.numpy()
    return export_network(model, images, folder, about, integers)
