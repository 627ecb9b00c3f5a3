"""A network in integers with test images, as the simulation of an engine takes them: two files in a folder."""

from pathlib import Path

import torch

from asq_model.common.errors import InputError
from asq_model.config.fingerprints import EXPORT_IMAGES, fingerprint_network
from asq_model.config.recipe import Recipe
from asq_model.datasets import load_in_memory
from asq_model.export.integer_graph import CALIBRATION_IMAGES, make_graph
from asq_model.spec.golden_vectors import GRAPH_FILE
from asq_model.spec.graph.file import GraphAbout, write_graph
from asq_model.spec.graph.samples import SAMPLES_FILE, write_samples
from asq_model.spec.precision import Precision
from asq_model.training.load import load_quantised

FEW_IMAGES = 20  # of a test set that is larger than the digits'


def write_network(checkpoint: Path, folder: Path, data_folder: Path | None, images: int | None, bits: int) -> None:
    """Write a checkpoint's graph and the first images of its test set to a folder.

    images: how many; None: all of a test set as small as the digits', else a few. bits: of the integers. Raises
    InputError for a network that has no integer form, and for more images than there are.
    """
    model, config = load_quantised(checkpoint)
    recipe = Recipe.from_record(config["recipe"])
    train, test = load_in_memory(recipe.data, data_folder)
    count = images or (len(test) if len(test) <= EXPORT_IMAGES else FEW_IMAGES)
    if count > len(test):
        raise InputError(f"images is {count}; allowed: up to {len(test)}, the whole test set", "images")
    calibration = train.select(torch.arange(min(len(train), CALIBRATION_IMAGES)))
    network = make_graph(model, calibration.scale(calibration.images), Precision(bits), train.scale)
    about: GraphAbout = {
        "name": checkpoint.stem,
        "network": config["network"],
        "checkpoint_digest": config["digest"],
        "fingerprint": fingerprint_network(config["digest"], images, bits),
        "precision": bits,
        "family": recipe.family,
        "kind": recipe.kind,
        "weight_bits": recipe.weight_bits,
        "activation_bits": recipe.activation_bits,
    }
    write_samples(folder / SAMPLES_FILE, test.images[:count].numpy(), test.labels[:count].numpy())
    write_graph(folder / GRAPH_FILE, network.graph, about)
