"""Turn a network of convolutions and linear layers into its quantised twin."""

from dataclasses import replace
from difflib import get_close_matches

import torch
from torch import Tensor, nn

from asq_model.config import LayerConfig, QuantConfig
from asq_model.files import InputError
from asq_model.layers import QuantConv2d, Quantised, QuantLinear

TWINS = {nn.Conv2d: QuantConv2d, nn.Linear: QuantLinear}


def quantisable_layers(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """The convolutions and linear layers that `convert` would replace, in order of definition.

    Of exactly torch's classes: a subclass computes something of its own.
    """
    return [(name, module) for name, module in model.named_modules() if type(module) in TWINS]


def quantised_layers(model: nn.Module) -> list[tuple[str, Quantised]]:
    """The layers that `convert` made, in order of definition."""
    return [(name, module) for name, module in model.named_modules() if isinstance(module, Quantised)]


def inner_layers(model: nn.Module) -> list[tuple[str, Quantised]]:
    """The low-bit layers, those whose weights are at 8 bits left out."""
    return [(name, layer) for name, layer in quantised_layers(model) if layer.config.weight_bits < 8]


def layer_configs(model: nn.Module) -> dict[str, LayerConfig]:
    """What each quantised layer was made with: `convert` with these as overrides makes the same network again."""
    return {name: layer.config for name, layer in quantised_layers(model)}


def observed_inputs(model: nn.Module, layers: list[tuple[str, nn.Module]], example: Tensor) -> dict[str, Tensor]:
    """Each layer's input when the network runs on `example`, in order of execution, in eval mode, without gradients."""
    inputs: dict[str, Tensor] = {}
    hooks = [
        layer.register_forward_pre_hook(lambda _, args, name=name: inputs.__setitem__(name, args[0]))
        for name, layer in layers
    ]
    training = [module for module in model.modules() if module.training]
    try:
        with torch.no_grad():
            model.eval()(example)
    finally:
        for module in training:
            module.training = True
        for hook in hooks:
            hook.remove()
    return inputs


def convert(model: nn.Module, config: QuantConfig | None = None, example: Tensor | None = None) -> nn.Module:
    """Replace every `nn.Conv2d` and `nn.Linear` of a network by its quantised twin, in place, and return the network.

    example: a batch of real inputs. With it, the first and the last layer are those of execution, a layer that the
        network does not use is left alone, and inputs that go negative are quantised signed. Without it, the order is
        that of definition and signs are as the configuration has them.

    Parameters are kept, not copied; activation steps start from the first batch in training. Raises InputError for
    an override of a layer that does not exist, or a network without layers to quantise.
    """
    config = config or QuantConfig()
    layers = dict(quantisable_layers(model))
    if not layers:
        raise InputError(f"{type(model).__name__} has no convolution or linear layer to quantise")
    for name in config.overrides:
        if name not in layers:
            near = get_close_matches(name, layers, 3) or list(layers)[:3]
            raise InputError(f"override names layer {name!r}, which the network does not have; near: {', '.join(near)}")
    order, signed = list(layers), set()
    if example is not None:
        inputs = observed_inputs(model, list(layers.items()), example)
        order, signed = list(inputs), {name for name, x in inputs.items() if x.min() < 0}
    twins = {}
    for name in order:
        chosen = config.outer if name in (order[0], order[-1]) else config.inner
        chosen = config.overrides.get(name, chosen)
        if chosen is not None:
            if name in signed and not chosen.signed:
                chosen = as_signed(name, chosen)
            twins[id(layers[name])] = TWINS[type(layers[name])].of(layers[name], chosen)
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if id(child) in twins:
                setattr(parent, name, twins[id(child)])
    return model


def as_signed(name: str, config: LayerConfig) -> LayerConfig:
    """A configuration for inputs that go negative. Raises InputError, naming the layer, where there is none."""
    try:
        return replace(config, signed=True)
    except InputError as error:
        raise InputError(f"layer {name} has negative inputs: {error}") from error
