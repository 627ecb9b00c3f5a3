"""The networks whose training steps are compared: in full precision, quantised here, and by Brevitas."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

import torch
from torch import nn

from asq_model.config.fingerprints import find_versions
from asq_model.config.layer_config import LayerConfig, QuantConfig
from asq_model.cpu.kernels import load_kernels
from asq_model.networks import build_network
from asq_model.quantisation.convert import convert, quantisable_layers
from asq_model.studies.training_cost_page import BASE

BITS = 4
IMAGE = (3, 32, 32)
CLASSES = 10


class Candidate(NamedTuple):
    """What is measured: how a network is quantised, given its name, and whether by compiled functions."""

    make: Callable[[str], nn.Module]
    compiled: bool = True


def build_full_precision(network: str) -> nn.Module:
    """Build a network in full precision."""
    return build_network(network, CLASSES)


def make_builder(weights: str, activations: str) -> Callable[[str], nn.Module]:
    """Make a function that builds a network, given its name, with these quantisers in its inner layers."""

    def make(network: str) -> nn.Module:
        layer = LayerConfig(weights, BITS, activations=activations, activation_bits=BITS)
        model = build_full_precision(network)
        convert(model, QuantConfig(inner=layer), torch.randn(2, *IMAGE))
        return model

    return make


def build_brevitas(network: str) -> nn.Module:
    """Build a network with Brevitas' quantisers: a learned step per tensor for activations, per channel for weights."""
    import brevitas.nn as layers
    from brevitas.quant import Int8ActPerTensorFloat, Int8WeightPerChannelFloat, Uint8ActPerTensorFloat

    class LearnedScale(Int8WeightPerChannelFloat):
        scaling_impl_type = "parameter_from_stats"

    model = build_full_precision(network)
    plain_layers = quantisable_layers(model)
    for index, (name, layer) in enumerate(plain_layers):
        bits = 8 if index in (0, len(plain_layers) - 1) else BITS
        options = {
            "weight_quant": LearnedScale,
            "weight_bit_width": bits,
            "input_quant": Int8ActPerTensorFloat if index == 0 else Uint8ActPerTensorFloat,
            "input_bit_width": bits,
            "bias": layer.bias is not None,
        }
        if isinstance(layer, nn.Conv2d):
            shape = (layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding)
            twin = layers.QuantConv2d(*shape, **options)
        else:
            twin = layers.QuantLinear(layer.in_features, layer.out_features, **options)
        parent, _, attribute = name.rpartition(".")
        setattr(model.get_submodule(parent), attribute, twin)
    return model


def list_candidates() -> dict[str, Candidate]:
    """List what is measured, by its name in the table; Brevitas where it is installed."""
    asq_post = make_builder("post", "asq")
    found = {
        BASE: Candidate(build_full_precision),
        f"LSQ W{BITS}A{BITS}": Candidate(make_builder("uniform", "lsq")),
        f"ASQ + POST W{BITS}A{BITS}": Candidate(asq_post),
    }
    if load_kernels() is not None:
        found[f"ASQ + POST W{BITS}A{BITS}, without a compiler"] = Candidate(asq_post, compiled=False)
    if find_spec("brevitas") is not None:
        found[f"Brevitas {find_versions('brevitas')['brevitas']} W{BITS}A{BITS}"] = Candidate(build_brevitas)
    return found
