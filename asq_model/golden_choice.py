"""Refuses a unit or a layer that golden vectors will not have, before their network is trained or exported."""

from collections.abc import Mapping
from pathlib import Path

from asq_model.common.errors import InputError, check_choice
from asq_model.config.layer_config import LayerConfig, parse_layer_config
from asq_model.config.recipe import Recipe
from asq_model.spec.asq_blocks import BLOCKS
from asq_model.spec.golden_units import list_units
from asq_model.spec.mac import MacSpec


def check_golden_choice(layers: Mapping[str, LayerConfig], unit: str | None, layer: str | None) -> None:
    """Raises InputError for a layer that a network does not have, and for a unit that it has no vectors for.

    layers: the network's. unit: a kind of unit or block, such as `post`, or the name of a module that is one; it has to
    compute one of these layers, or `layer` if that is given.
    """
    if layer is not None:
        check_choice("layer", layer, tuple(layers))
    if unit is None:
        return
    chosen = layers.values() if layer is None else [layers[layer]]
    units = [spec for config in sorted(chosen, key=lambda config: config.weight_bits) for spec in units_of(config)]
    kinds = dict.fromkeys([*(spec.unit for spec in units), *BLOCKS])
    modules = *(spec.name for spec in units), *(f"{block.replace('-', '_')}_" for block in BLOCKS)
    if unit not in kinds and not unit.startswith(modules):
        raise InputError(f"unit is {unit!r}; allowed: {', '.join(kinds)}", "unit")


def units_of(config: LayerConfig) -> list[MacSpec]:
    """The units that a layer's golden vectors are for; the name of a module of such a unit begins with the unit's."""
    return list_units(config.level_set, config.activation_bits, config.signed, "symmetric", MacSpec().depth)


def layers_of_recipe(recipe: Recipe) -> dict[str, LayerConfig]:
    """The layers of the network that a recipe trains, as it is converted without an example."""
    from asq_model.networks import build_network
    from asq_model.quantisation.convert import choose_configs, quantisable_layers

    names = [name for name, _ in quantisable_layers(build_network(recipe.network, 10))]
    return choose_configs(names, recipe.quantisation, {})


def layers_of_checkpoint(checkpoint: Path) -> dict[str, LayerConfig]:
    """The quantised layers of a checkpoint's network. Raises InputError for a file that is no such network's."""
    from asq_model.training.trained_network import read_trained

    return {name: parse_layer_config(stored) for name, stored in read_trained(checkpoint)[1]["layers"].items()}
