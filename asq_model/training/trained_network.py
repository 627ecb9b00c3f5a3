"""The configuration of a trained network's checkpoint, checked before a network is made of it. Free of torch."""

from pathlib import Path
from typing import Annotated, NotRequired, TypedDict, cast

import msgspec
import numpy as np
from msgspec import Meta

from asq_model.common.errors import InputError
from asq_model.common.records import Count, Digest, Line, Whole, Word
from asq_model.config.layer_config import LayerConfig, parse_layer_config
from asq_model.config.recipe import NETWORKS, Recipe
from asq_model.training.checkpoint_file import read_checkpoint

Parameter = bool | int | float | Line | None


class TrainedConfig(TypedDict):
    """What training writes into a checkpoint's header of a network.

    recipe: the fields of `Recipe`. start: digest of the checkpoint that it started from, or empty.
    layers: by name, the fields of each one's `LayerConfig`; none in full precision.
    images: the digest that tells the training images from others; not of the digits, which are always the same.
    Counts are of correctly classified test images.
    """

    network: Word
    classes: Annotated[int, Meta(ge=1, le=1 << 17)]
    recipe: dict[Word, Parameter]
    start: Line
    layers: dict[Line, dict[Word, Parameter]]
    fingerprint: Digest
    images: NotRequired[Digest]
    train_images: Whole
    test_images: Whole
    full_precision_correct: Count
    quantised_correct: NotRequired[Count]
    quantised_top_5: NotRequired[Count]


class Trained(TrainedConfig):
    """What the header of a trained network's checkpoint says; what else it holds is ignored.

    digest: of the whole file.
    """

    digest: Digest


def read_trained(path: Path) -> tuple[dict[str, np.ndarray], Trained]:
    """Read a trained network's tensors and configuration.

    Raises InputError for a checkpoint of anything else, or one whose configuration cannot be.
    """
    tensors, config = read_checkpoint(path)
    try:
        check_trained(msgspec.convert(config, Trained, strict=True))
    except (InputError, ValueError, TypeError) as error:  # msgspec's are ValueErrors; `Recipe` takes no unknown field
        raise InputError(f"checkpoint {path} does not fit this program: {' '.join(str(error).split())}") from error
    return tensors, cast(Trained, config)


def read_quantised(path: Path) -> tuple[dict[str, np.ndarray], Trained]:
    """Read a checkpoint as `read_trained` does. Raises InputError for a network in full precision, too."""
    tensors, config = read_trained(path)
    if not config["layers"]:
        raise InputError(f"checkpoint {path} is of a network in full precision; this command takes a quantised one")
    return tensors, config


def check_trained(config: Trained) -> None:
    """Raises InputError, ValueError or TypeError for recipe, layers or counts that cannot be."""
    recipe = Recipe.from_record(config["recipe"])
    msgspec.convert(config["recipe"], Recipe, strict=True)  # types, which a dataclass itself does not look at
    if config["network"] not in NETWORKS:
        raise InputError(f"network is {config['network']!r}; allowed: {', '.join(NETWORKS)}")
    if config["network"] != recipe.network:
        raise InputError(f"network is {config['network']}, of a recipe for {recipe.network}")
    for stored in config["layers"].values():
        parse_layer_config(stored)
        msgspec.convert(stored, LayerConfig, strict=True)
    if config["layers"] and "quantised_correct" not in config:
        raise InputError("it is quantised, and says nothing of its accuracy")
    counts = {
        "full_precision_correct": config["full_precision_correct"],
        "quantised_correct": config.get("quantised_correct", 0),
        "quantised_top_5": config.get("quantised_top_5", 0),
    }
    for name, count in counts.items():
        if count > config["test_images"]:
            raise InputError(f"{name} is {count} of {config['test_images']} images")
