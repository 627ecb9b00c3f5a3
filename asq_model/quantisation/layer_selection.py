"""Which layers of a network are quantised, which are left in full precision, and which must be refused.

Nothing is left out without a word: a module whose weights `convert` does not know how to quantise is refused by name,
unless an override says to leave it.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.utils import parametrize

from asq_model.common.errors import InputError
from asq_model.quantisation.layers import TWINS
from asq_model.quantisation.quantised import WORKING_TYPES, Quantised

# Their parameters scale and shift; nothing here is a dot product.
NORMALISATIONS = (
    nn.modules.batchnorm._BatchNorm,
    nn.modules.instancenorm._InstanceNorm,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
)
LOOK_UPS = (nn.Embedding, nn.EmbeddingBag)
# In eval mode their forward may call one fused operation with the plain weights of the layers inside.
FUSED = (nn.TransformerEncoderLayer, nn.TransformerEncoder, nn.MultiheadAttention)
LEFT_BY_USER = "an override leaves it"


@dataclass
class Selection:
    """Layers to quantise by name, and what stays in full precision, by name with the reason."""

    layers: dict[str, nn.Module] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)


def select_layers(model: nn.Module, overrides: Collection[str] = (), left: Collection[str] = ()) -> Selection:
    """Sort a network's modules, in order of definition.

    overrides: names that the user gives a configuration of their own. left: names of modules or parameters that stay in
    full precision, with everything inside. Raises InputError for what can neither be quantised nor was to be left.
    """
    check_names(model, overrides, left)
    if type(model) in TWINS:
        raise InputError(f"network is itself a {type(model).__name__}; allowed: a network that holds it, nn.Sequential")
    selection = Selection()
    seen: set[int] = set()
    for name, module in model.named_modules(remove_duplicate=False):
        if any(name == other or name.startswith(f"{other}.") for other in left):
            if name in left and next(module.parameters(), None) is not None:
                selection.left[name] = LEFT_BY_USER
            seen.add(id(module))
    for name, module in model.named_modules():
        if id(module) not in seen:
            sort_module(name, module, left, selection)
    for name in sorted(set(left) - selection.left.keys()):  # not in an order that changes from run to run
        selection.left[name] = LEFT_BY_USER
    if not selection.layers and not selection.left:
        raise InputError(f"{type(model).__name__} has no convolution or linear layer to quantise")
    return selection


def check_names(model: nn.Module, overrides: Collection[str], left: Collection[str]) -> None:
    """Raises InputError for an override of something that the network does not have."""
    modules = {name: module for name, module in model.named_modules(remove_duplicate=False) if name}
    layers = [name for name, module in modules.items() if type(module) in TWINS]
    parameters = [name for name, _ in model.named_parameters()]
    for name in overrides:
        allowed = [*modules, *parameters] if name in left else layers
        if name not in allowed:
            near = get_close_matches(name, layers, 3) or layers[:3]
            raise InputError(f"override names layer {name!r}, which the network does not have; near: {', '.join(near)}")


def sort_module(name: str, module: nn.Module, left: Collection[str], selection: Selection) -> None:
    """Put one module where it belongs. Raises InputError for one that can neither be quantised nor was to be left."""
    if isinstance(module, Quantised):
        raise InputError(f"layer {name} is quantised already; convert() takes a network once")
    if type(module) in TWINS:
        check_layer(name, module)
        selection.layers[name] = module
        return
    if isinstance(module, LOOK_UPS):
        selection.left[name] = "a table that is looked up, nothing is multiplied"
        return
    if isinstance(module, FUSED):
        refuse(name, f"is a {type(module).__name__}, whose fused path in eval mode uses plain weights")
    if isinstance(module, NORMALISATIONS):
        return
    weights = [key for key, value in module._parameters.items() if value is not None and is_weight(value)]
    weights = [key for key in weights if f"{name}.{key}".removeprefix(".") not in left]
    if parametrize.is_parametrized(module):
        keys = ", ".join(cast(nn.ModuleDict, module.parametrizations))
        refuse(
            name,
            f"is parametrised ({keys}): make it permanent first,"
            f" torch.nn.utils.parametrize.remove_parametrizations(layer, {keys.split(', ')[0]!r})",
        )
    if isinstance(module, LazyModuleMixin) and module.has_uninitialized_params():
        refuse(name, f"is a {type(module).__name__} without a shape yet: run a batch through the network first")
    if not weights:
        return
    kind = type(module).__name__
    if isinstance(module, tuple(TWINS)):
        refuse(name, f"is a {kind}, which may compute something of its own")
    if type(module).__module__.startswith("torch.nn"):
        refuse(name, f"is a {kind}, which has no quantised form here")
    parameter = f"{name}.{weights[0]}".removeprefix(".")
    refuse(parameter, f"is a parameter of {kind}, which may be multiplied there in full precision", "parameter")


def is_weight(parameter: Tensor) -> bool:
    """Whether a parameter has the dimensions of a matrix or a kernel, not of a scale or a bias."""
    return not isinstance(parameter, nn.UninitializedParameter) and parameter.dim() >= 2


def refuse(name: str, why: str, what: str = "layer") -> None:
    """Raises InputError that says how to leave something in full precision."""
    raise InputError(f"{what} {name} {why}; to leave it in full precision: overrides={{{name!r}: None}}")


def check_layer(name: str, layer: nn.Module) -> None:
    """Raises InputError unless a layer's parameters are its own, of full precision, and finite."""
    if layer._parameters.get("weight") is None:
        sources = ", ".join(layer._parameters)
        raise InputError(
            f"layer {name} has a weight that is computed from {sources} (pruned, or weight_norm): make it permanent"
            " first, torch.nn.utils.prune.remove(layer, 'weight') or torch.nn.utils.remove_weight_norm(layer)"
        )
    if "bias" not in layer._parameters:
        raise InputError(f"layer {name} has a pruned bias: make it permanent first, torch.nn.utils.prune.remove")
    if layer.weight.dtype not in WORKING_TYPES:
        raise InputError(
            f"layer {name} has weights of {layer.weight.dtype}; allowed: torch.float32 or torch.float64 (convert first;"
            " torch.autocast trains in lower precision)"
        )
    for what in ("weight", "bias"):
        parameter = getattr(layer, what)
        if parameter is not None and not torch.isfinite(parameter).all():
            raise InputError(f"layer {name} has a {what} with values that are not finite")


def check_batch_axis(shapes: dict[str, tuple[int, ...]], longer: dict[str, tuple[int, ...]], names: list[str]) -> None:
    """Raises InputError for a layer whose first axis does not grow with the batch.

    shapes, longer: the layers' input shapes for an example, and for the same with one sample more.
    """
    for name in names:
        if name in longer and longer[name][0] <= shapes[name][0]:
            raise InputError(
                f"layer {name} has input of shape {shapes[name]}, whose first axis does not grow with the batch; asq"
                " finds a step for each sample; allowed: samples on the first axis, or lsq for this layer"
            )
