"""Hashes of all that a checkpoint and golden vectors depend on: made again only when one changes. Free of torch."""

from dataclasses import asdict
from importlib.metadata import version

from asq_model.common.files import fingerprint, list_sources
from asq_model.config.recipe import Recipe

# What a checkpoint and golden vectors depend on: all that `train.py` and `golden_checkpoint.py` import, by a test.
TRAINING_PARTS = "config", "cpu", "datasets", "distributed.py", "networks", "quantisation", "spec", "training"
TRAINING_SOURCES = list_sources(*(f"asq_model/{name}" for name in TRAINING_PARTS))
EXPORT_SOURCES = [*TRAINING_SOURCES, *list_sources("asq_model/export")]
PRODUCTS_PER_LAYER = 14_000  # eight low-bit layers then make more than 100,000 in all
EXPORT_SEED = 7
EXPORT_IMAGES = 360  # of the test set: all of the digits'


def find_versions(*libraries: str) -> dict[str, str]:
    """Find the installed version of each library."""
    return {name: version(name) for name in libraries}


def fingerprint_recipe(recipe: Recipe, start: str = "") -> str:
    """Hash all that a recipe's checkpoint depends on.

    It changes with the recipe, the digest of the checkpoint that it starts from, a source that the result depends on,
    or a library's version.
    """
    libraries = find_versions("torch", "scikit-learn", "numpy")
    return fingerprint([asdict(recipe), start, libraries], TRAINING_SOURCES)


def fingerprint_export(checkpoint_digest: str) -> str:
    """Hash all that golden vectors depend on: the checkpoint, the sources, and the libraries' versions."""
    inputs = [checkpoint_digest, PRODUCTS_PER_LAYER, EXPORT_SEED, EXPORT_IMAGES, find_versions("torch", "numpy")]
    return fingerprint(inputs, EXPORT_SOURCES)


def fingerprint_network(checkpoint_digest: str, images: int | None, bits: int) -> str:
    """Hash all that a network's graph and test images depend on. bits: of the integers."""
    return fingerprint([fingerprint_export(checkpoint_digest), images, bits])
