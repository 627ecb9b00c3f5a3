"""Which layers the integer specification can compute: checked when a network is converted and when it is exported."""

import torch

from asq_model.common.errors import InputError
from asq_model.quantisation.quantised import Quantised
from asq_model.spec.asq_blocks import MAX_CHANNELS
from asq_model.spec.mac_parameters import MAX_DEPTH


def check_integer_operands(name: str, layer: Quantised) -> None:
    """Raises InputError, naming the layer, unless it multiplies weight codes by q in x̂ = q·s."""
    config = layer.config
    if config.activations not in ("asq", "lsq"):
        raise InputError(f"layer {name} has {config.activations} activations; integers need asq or lsq")
    if config.weights == "dorefa":
        raise InputError(f"layer {name} has dorefa weights, which have no code here; use uniform")


def check_exportable(name: str, layer: Quantised) -> None:
    """Raises InputError, naming the layer, unless golden vectors can be made of it."""
    check_integer_operands(name, layer)
    if not torch.isfinite(layer.weight).all():
        raise InputError(f"layer {name} has weights with values that are not finite")
    terms = layer.weight[0].numel()
    if terms > MAX_DEPTH:
        raise InputError(f"layer {name} has dot products of {terms} terms; allowed: up to {MAX_DEPTH}")
    adapter = layer.activation_quantiser.adapter
    if adapter is not None:
        first = adapter.output if adapter.hidden is None else adapter.hidden
        for what, count in (("channels", first.in_features), ("hidden neurons", adapter.output.in_features)):
            if count > MAX_CHANNELS:
                raise InputError(
                    f"layer {name} has an adapter of {count} {what}; allowed: up to {MAX_CHANNELS}, or lsq activations"
                )
