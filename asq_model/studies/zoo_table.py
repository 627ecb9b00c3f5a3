"""The networks of the zoo as a table, and the record of them as their checkpoints say it. Free of torch."""

from typing import cast

from asq_model.common.files import hash_file
from asq_model.common.markdown import format_table_lines
from asq_model.common.result_schemas import RecipeRecord
from asq_model.common.zoo import SUFFIX, ZOO, ZooNetwork, list_zoo_names
from asq_model.config.recipe import Recipe
from asq_model.studies.trained_out.record import row_of_recipe
from asq_model.training.trained_network import read_trained

BLOCK = "zoo"  # of docs/training.md


def describe_zoo() -> dict[str, ZooNetwork]:
    """Read the record of each network of the zoo from its checkpoint, by name."""
    networks: dict[str, ZooNetwork] = {}
    for name in list_zoo_names():
        path = ZOO / f"{name}{SUFFIX}"
        config = read_trained(path)[1]
        networks[name] = {
            "recipe": cast(RecipeRecord, config["recipe"]),
            "correct": config.get("quantised_correct", config["full_precision_correct"]),
            "images": config["test_images"],
            "digest": config["digest"],
            "sha256": hash_file(path),
            "bytes": path.stat().st_size,
        }
    return networks


def render_zoo_table(networks: dict[str, ZooNetwork]) -> list[str]:
    """Write a line for each network: precision and method, stored bits, epochs, accuracy and size."""
    cells = []
    for name, network in networks.items():
        recipe = Recipe.from_record(network["recipe"])
        row = row_of_recipe(network["recipe"])
        quantised = row.precision, row.label, recipe.layer.stored_bits
        how = quantised if recipe.quantised_epochs else ("", "full precision", 32)
        accuracy = f"{100 * network['correct'] / network['images']:.2f}"
        cells.append([name, *how, recipe.epochs, accuracy, f"{network['bytes'] / 1000:.0f}"])
    return format_table_lines(("name", "bits", "method", "stored bits", "epochs", "top-1, %", "kB"), cells, "lllrrrr")
