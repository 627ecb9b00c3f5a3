"""Golden vectors of a trained checkpoint's network, on the first images of its test set."""

from pathlib import Path

import torch

from asq_model.common.files import hash_file
from asq_model.config.fingerprints import EXPORT_IMAGES, fingerprint_export
from asq_model.config.recipe import Recipe
from asq_model.datasets import MemorySplit, Split, load_dataset
from asq_model.export.golden_layers import export_network, try_graph
from asq_model.export.integer_graph import CALIBRATION_IMAGES
from asq_model.quantisation.mac_unit_layers import put_on_unit
from asq_model.spec.golden_manifest import About, Accuracy, Manifest
from asq_model.spec.mac import MacSpec
from asq_model.training.evaluate import count_correct
from asq_model.training.load import load_quantised


def count_post_correct(path: Path, split: Split, frac: int) -> int:
    """Count the images that a checkpoint's network classifies correctly with the rounded products of unit `post`."""
    model, _ = load_quantised(path)
    return count_correct(put_on_unit(model, "post", frac), split)


def export(checkpoint: Path, folder: Path, data_folder: Path | None = None) -> Manifest:
    """Write golden vectors of a checkpoint to a folder, on the first images of its test set; return the manifest.

    `data_folder` is for datasets that are not built in. Raises InputError.
    """
    model, config = load_quantised(checkpoint)
    recipe = Recipe.from_record(config["recipe"])
    dataset = load_dataset(recipe.data, data_folder)
    test = dataset.test
    test = test.select(torch.arange(min(len(test), EXPORT_IMAGES)))
    images, _ = next(test.batches(torch.arange(len(test)), len(test), None))
    accuracy: Accuracy = {
        "test_images": config["test_images"],
        "full_precision_correct": config["full_precision_correct"],
        "quantised_correct": config["quantised_correct"],
    }
    if recipe.family == "post" and config["test_images"] == len(test):
        frac = MacSpec().frac_bits
        accuracy |= {"post_frac": frac, "post_correct": count_post_correct(checkpoint, test, frac)}
    about: About = {
        "fingerprint": fingerprint_export(config["digest"]),
        "checkpoint_sha256": hash_file(checkpoint),
        "checkpoint_digest": config["digest"],
        "network": config["network"],
        "accuracy": accuracy,
    }
    graph = samples = None
    if isinstance(dataset.train, MemorySplit) and isinstance(test, MemorySplit):
        train = dataset.train.select(torch.arange(min(len(dataset.train), CALIBRATION_IMAGES)))
        graph, samples = try_graph(model, train.scale(train.images), train.scale), test.images.numpy()
    return export_network(model, images, folder, about, graph, samples)
