"""A recipe as a command line: the `train` command reads it back as it was."""

import pytest

from asq_model import cli
from asq_model.common.errors import InputError
from asq_model.config.recipe import NETWORKS, OPTIONS, Recipe, recipe_of

ONE_OF_EACH = {
    "weight_bits": 4,
    "activation_bits": 5,
    "kind": "extended",
    "seed": 7,
    "batch": 32,
    "full_precision_epochs": 3,
    "quantised_epochs": 2,
    "full_precision_rate": 0.3,
    "quantised_rate": 0.02,
    "validation": 100,
    "precision": "bfloat16",
    "threads": 2,
    "product_frac": -1,
    "adapter_start": "authors",
    "step_gradient": "features",
}


@pytest.fixture
def read_back(monkeypatch):
    """The recipe that the `train` command makes of options."""

    def read(words: list[str]) -> Recipe:
        recipes = []
        monkeypatch.setattr(cli, "train_if_needed", lambda recipe, *_, **__: recipes.append(recipe))
        cli.cli.main(["train", *words], standalone_mode=False)
        return recipes[0]

    return read


@pytest.mark.parametrize(
    "recipe",
    [
        *(recipe_of(network) for network in NETWORKS),
        Recipe(**ONE_OF_EACH),
        Recipe(family="uniform", activations="lsq", kind="sign-magnitude"),
        recipe_of("resnet20", family="e2m1", weight_bits=4, activations="lsq", full_precision_epochs=0),
    ],
    ids=lambda recipe: recipe.name,
)
def test_a_command_line_makes_the_recipe_again(recipe, read_back):
    assert read_back(recipe.command_line()) == recipe


def test_every_option_is_tried():
    others = {"network", "data", "family", "activations"}
    assert ONE_OF_EACH.keys() | others == OPTIONS.keys()


def test_what_no_option_sets_is_refused():
    with pytest.raises(InputError, match=r"momentum is 0\.5; on a command line it is always 0\.9"):
        Recipe(momentum=0.5).command_line()
