"""What several commands that take networks share: options, and the network that is taken where none is given."""

from pathlib import Path

import click

from asq_model.artifacts import train_if_needed
from asq_model.common.option_types import PATH, Integer, refuse_unused
from asq_model.config.recipe import recipe_of
from asq_model.spec.precision import LEAST_PRECISION, MOST_PRECISION
from asq_model.training.trained_network import read_quantised

INTEGER_BITS = Integer(LEAST_PRECISION, MOST_PRECISION)
DIGITS_NEED_NO_DATA = "the digits network has its images from scikit-learn"
DATA = click.option("--data", "data_folder", type=PATH, help="Folder of CIFAR-10's or ImageNet's images.")
NOTE = click.option("--note", default="", help="A sentence about the data for the page.")


def read_or_train(checkpoints: tuple[Path, ...], data_folder: Path | None) -> tuple[Path, ...]:
    """Return the checkpoints that a command is for: those given, or the digits network's, trained now if missing.

    All of them are read once, so that a damaged one, or one in full precision, is found before work is done for others.
    Raises InputError.
    """
    for checkpoint in checkpoints:
        read_quantised(checkpoint)
    if checkpoints:
        return checkpoints
    refuse_unused({"--data": data_folder}, DIGITS_NEED_NO_DATA, "CKPT")
    return (train_if_needed(recipe_of("digits"), None, False),)
