"""Golden vectors of a whole network: what its layers really multiply, on images that it is given.

A folder of them holds one file of dot products and one of feature maps for each layer, and the manifest.
"""

import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn

from asq_model.common.errors import InputError
from asq_model.common.files import fingerprint, hash_file
from asq_model.common.tensor_file import digest_contents
from asq_model.config.fingerprints import EXPORT_SEED
from asq_model.config.layer_config import LayerConfig
from asq_model.export.golden_maps import make_all_maps
from asq_model.export.integer_graph import make_graph
from asq_model.export.layer_vectors import make_layer_vectors
from asq_model.export.translator import full_shape
from asq_model.quantisation.convert import inner_layers, quantised_layers
from asq_model.quantisation.exportable import check_exportable
from asq_model.quantisation.observe import Example, check_example, evaluating, observe_inputs
from asq_model.spec.golden_checks import check_about
from asq_model.spec.golden_manifest import (
    About,
    GraphFile,
    LayerContent,
    LayerEntry,
    LayerFile,
    Manifest,
    MapsEntry,
    NetworkContent,
)
from asq_model.spec.golden_vectors import FORMAT, GRAPH_FILE, invalidate, write_layer, write_manifest
from asq_model.spec.graph.file import write_graph
from asq_model.spec.graph.graph import Graph
from asq_model.spec.levels import EXPONENTIAL, KINDS
from asq_model.training.load import as_arrays
from asq_model.training.monitor import observe_layer_states

NamedVectors = tuple[str, dict[str, np.ndarray], LayerContent]  # a layer's name, arrays and manifest entry


def check_layers(model: nn.Module) -> None:
    """Raises InputError for a network without quantised layers, or with one that hardware here does not take."""
    layers = quantised_layers(model)
    if not layers:
        raise InputError(f"{type(model).__name__} has no quantised layer; export takes a converted network")
    for name, layer in layers:
        check_exportable(name, layer)


def find_first_config(model: nn.Module) -> LayerConfig:
    """Find the configuration of the first low-bit layer; of the first layer where all have 8 bits."""
    return (inner_layers(model) or quantised_layers(model))[0][1].config


def make_all_vectors(model: nn.Module, kind: str, images: Example) -> Iterator[NamedVectors]:
    """Yield (name, arrays, manifest entry) of every quantised layer that the network uses, in order of definition."""
    layers = quantised_layers(model)
    inputs = observe_inputs(model, layers, images)
    rng = np.random.default_rng(EXPORT_SEED)
    for name, layer in layers:
        if name in inputs:
            with layer.naming():
                arrays, entry = make_layer_vectors(name, layer, inputs[name], kind, rng)
            yield name, arrays, entry


def file_stem(name: str) -> str:
    """A layer's name as a file name: itself where it can be one, otherwise its letters and a hash."""
    if re.fullmatch(r"\w[\w.-]{0,99}", name, re.ASCII):
        return name
    readable = re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII).strip(".")[:80]
    return f"{readable}-{fingerprint(name)[:12]}"


def warn_of_constant_steps(model: nn.Module, images: Example) -> None:
    """Warn, naming the layers, where an adapter does not adapt: its layer's step is the same for all images."""
    for name, state in observe_layer_states(model, images).items():
        if state.constant:
            warnings.warn(f"layer {name}: {state.constant}; its activations are quantised as by lsq", stacklevel=3)


def try_graph(
    model: nn.Module, images: Example, scale: Callable[[torch.Tensor], torch.Tensor] | None = None
) -> Graph | None:
    """Make a network's graph, calibrated on these images; None, with a warning, if it has no integer form."""
    try:
        if not isinstance(images, torch.Tensor):
            raise InputError(f"the network takes {type(images).__name__}; allowed in integers: one tensor")
        return make_graph(model, images, scale=scale).graph
    except InputError as error:
        warnings.warn(f"no integer graph: {error}; each layer is exported on its own", stacklevel=3)
        return None


def write_vectors(model: nn.Module, images: Example, folder: Path) -> list[LayerEntry]:
    """Write a file of dot products for each layer that the network uses; return the manifest's entries for them."""
    config = find_first_config(model)
    entries: list[LayerEntry] = []
    for name, arrays, entry in make_all_vectors(
        model, config.kind if config.weights in EXPONENTIAL else KINDS[0], images
    ):
        file: LayerFile = write_layer(folder, file_stem(name), arrays)
        entries.append({**entry, **file})
    return entries


def write_maps(
    model: nn.Module, images: Example, folder: Path, graph: Graph | None, samples: np.ndarray | None
) -> list[MapsEntry]:
    """Write a file of feature maps for each layer that the network uses; return the manifest's entries for them."""
    return [
        {"name": name, **entry, **write_layer(folder, f"{file_stem(name)}.maps", arrays)}
        for name, arrays, entry in make_all_maps(model, images, graph, samples)
    ]


def describe_network(model: nn.Module) -> NetworkContent:
    """Describe a whole network as the manifest does: its class, and the quantisers of its first low-bit layer."""
    config = find_first_config(model)
    return {
        "format": FORMAT,
        "network": type(model).__name__,
        "weight_bits": config.weight_bits,
        "activation_bits": config.activation_bits,
        "activations": config.activations,
        "level_set": config.level_set.name,
        "kind": config.kind,
        "family": config.weights,
        "accuracy": {},
    }


def make_manifest(
    model: nn.Module, about: About, layers: list[LayerEntry], maps: list[MapsEntry], graph: GraphFile | None
) -> Manifest:
    """Make the manifest of a network's golden vectors. about: takes the place of what is found here."""
    used = {entry["name"] for entry in layers}
    contents: dict[str, object] = {
        **describe_network(model),
        "products": sum(entry["products"] for entry in layers),
        "layers": layers,
        "maps": maps,
        "unused": [name for name, _ in quantised_layers(model) if name not in used],
    }
    if graph is not None:
        contents["graph"] = graph
    if "checkpoint_digest" not in about:
        contents["checkpoint_digest"] = digest_contents(as_arrays(model.state_dict()), {})
    return cast(Manifest, {**contents, **about})


def export_network(
    model: nn.Module,
    images: Example,
    folder: Path,
    about: About | None = None,
    graph: Graph | None = None,
    samples: np.ndarray | None = None,
) -> Manifest:
    """Write golden vectors of any converted network, run on `images`, to a folder; return the manifest.

    `images`: samples on the first axis; several arguments as a tuple or a dictionary. `about`: what else the manifest
    shall say, such as the `network`'s name and its `accuracy` (`test_images`, `quantised_correct`). `graph`: the
    network in integers, with the images as it takes them (`samples`); it is made of the network, calibrated on these
    images, where none is given, and written beside the vectors. Where a network has no integer form, a warning says
    why, and there is no graph: each layer is then exported on its own. Of a layer that is called several times, the
    vectors are of its first call; layers that the network does not use have none, and are named in the manifest. Warns
    where an adapter does not adapt. The network's modules keep their mode. Raises InputError for layers that hardware
    here does not take, and for an `about` that no manifest can hold.
    """
    about = about or {}
    check_about(about)
    check_example(images)
    check_layers(model)
    with evaluating(model):
        warn_of_constant_steps(model, images)
        if graph is None and (graph := try_graph(model, images)) is not None:
            assert isinstance(images, torch.Tensor)
            samples = graph.input.to_integers(images.reshape(len(images), *full_shape(tuple(images.shape[1:]))).numpy())
        invalidate(folder)
        entries = write_vectors(model, images, folder)
        maps = write_maps(model, images, folder, graph, samples)
    file: GraphFile | None = None
    if graph is not None:
        write_graph(folder / GRAPH_FILE, graph)
        file = {"file": GRAPH_FILE, "sha256": hash_file(folder / GRAPH_FILE)}
    manifest = make_manifest(model, about, entries, maps, file)
    write_manifest(folder, manifest)
    return manifest
