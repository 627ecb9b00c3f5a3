"""What `convert` refuses by name, and what an override leaves."""

import warnings
from collections import OrderedDict
from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from asq_model.common.errors import InputError
from asq_model.config.layer_config import LayerConfig, QuantConfig
from asq_model.quantisation.convert import convert
from asq_model.quantisation.layers import QuantLinear


def test_an_override_of_a_layer_that_is_not_there_is_refused(net):
    with pytest.raises(
        InputError, match=r"override names layer 'body\.9', which the network does not have; near: body"
    ):
        convert(net, QuantConfig(overrides={"body.9": None}))
    assert type(net.first) is nn.Conv2d  # nothing was changed


def test_a_network_without_layers_is_refused():
    with pytest.raises(InputError, match="Sequential has no convolution or linear layer"):
        convert(nn.Sequential(nn.ReLU()))


def test_negative_inputs_where_there_is_no_signed_quantiser_name_the_layer(net, images):
    with pytest.raises(InputError, match=r"layer body\.0 has negative inputs: activations are pact"):
        convert(net, QuantConfig(inner=LayerConfig(activations="pact")), images)


class Mine(nn.Linear):
    """A layer that may compute something of its own."""


class Bilinear(nn.Module):
    """A network with a matrix of its own."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.matrix = nn.Parameter(torch.eye(4))

    def forward(self, x):
        return self.fc(x) @ self.matrix


def pruned() -> nn.Module:
    layer = nn.Linear(4, 4)
    prune.random_unstructured(layer, "weight", 0.5)
    return layer


def old_weight_norm() -> nn.Module:
    with warnings.catch_warnings(action="ignore"):
        return nn.utils.weight_norm(nn.Linear(4, 4))


def with_nan() -> nn.Module:
    layer = nn.Linear(4, 4)
    layer.weight.data[1, 2] = float("nan")
    return layer


REFUSED = {
    "subclass": (Mine(4, 4), "layer 1 is a Mine, which may compute something of its own"),
    "Conv3d": (nn.Conv3d(1, 1, 1), "layer 1 is a Conv3d, which has no quantised form here"),
    "ConvTranspose2d": (nn.ConvTranspose2d(1, 1, 1), "layer 1 is a ConvTranspose2d"),
    "LSTM": (nn.LSTM(4, 4), "layer 1 is a LSTM"),
    "GRUCell": (nn.GRUCell(4, 4), "layer 1 is a GRUCell"),
    "Bilinear": (nn.Bilinear(4, 4, 4), "layer 1 is a Bilinear"),
    "attention": (nn.MultiheadAttention(4, 2), "layer 1 is a MultiheadAttention, whose fused path"),
    "transformer": (nn.TransformerEncoderLayer(4, 2), "layer 1 is a TransformerEncoderLayer, whose fused path"),
    "lazy": (nn.LazyLinear(4), "layer 1 is a LazyLinear without a shape yet: run a batch"),
    "weight_norm": (nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)), "layer 1 is parametrised \\(weight\\)"),
    "spectral_norm": (nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)), "layer 1 is parametrised"),
    "pruned": (pruned(), "layer 1 has a weight that is computed from bias, weight_orig"),
    "old weight_norm": (old_weight_norm(), "layer 1 has a weight that is computed from bias, weight_g, weight_v"),
    "half": (nn.Linear(4, 4).half(), "layer 1 has weights of torch.float16; allowed: torch.float32"),
    "bfloat16": (nn.Linear(4, 4).bfloat16(), "layer 1 has weights of torch.bfloat16"),
    "NaN": (with_nan(), "layer 1 has a weight with values that are not finite"),
    "parameter": (Bilinear(), "parameter 1.matrix is a parameter of Bilinear"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_quantised_is_refused_by_name_and_can_be_left(kind):
    module, said = REFUSED[kind]
    net = nn.Sequential(nn.Linear(4, 4), deepcopy(module) if kind not in ("pruned", "old weight_norm") else module)
    with pytest.raises(InputError, match=said):
        convert(net)
    assert type(net[0]) is nn.Linear  # nothing was changed
    name = "1.matrix" if kind == "parameter" else "1"
    done = convert(net, QuantConfig(overrides={name: None}))
    assert done.left == {name: "an override leaves it"} and isinstance(net[0], QuantLinear)


def test_what_is_left_is_listed():
    net = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4), nn.Conv3d(1, 1, 1)), nn.Embedding(3, 4))
    done = convert(net, QuantConfig(overrides={"1": None}))
    assert done.left == {"1": "an override leaves it", "2": "a table that is looked up, nothing is multiplied"}
    assert list(done.quantised) == ["0"] and type(net[1][0]) is nn.Linear
    assert "left in full precision: 1 (an override leaves it)" in str(done)


def test_a_network_is_converted_once(net, images):
    convert(net, example=images)
    with pytest.raises(InputError, match=r"layer last is quantised already; convert\(\) takes a network once"):
        convert(net, example=images)


def test_a_network_that_is_a_layer_is_refused():
    with pytest.raises(InputError, match="network is itself a Linear; allowed: a network that holds it"):
        convert(nn.Linear(2, 2))


def test_a_weight_that_is_used_without_its_layer_is_refused(images):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            return nn.functional.linear(self.second(self.first(x)), self.first.weight.t())

    net = Tied()
    with pytest.raises(InputError, match="layer first is bypassed: the network multiplies by its weight"):
        convert(net, example=torch.rand(3, 4))
    assert type(net.first) is nn.Linear
    assert list(convert(net, QuantConfig(overrides={"first": None}), torch.rand(3, 4)).quantised) == ["second"]


@pytest.mark.parametrize(
    "example, said",
    [
        (torch.zeros(0, 2, 12, 12), "example has shape \\(0, 2, 12, 12\\); allowed: at least one sample"),
        (torch.full((2, 2, 12, 12), float("nan")), "example has values that are not finite"),
        ("images", "example is str; allowed: a tensor, or a tuple or dictionary"),
        (
            torch.rand(2, 12, 12),
            r"layer first: its input has shape \(2, 12, 12\); allowed: \[N, C, H, W\]",
        ),
    ],
)
def test_examples_that_show_nothing_are_refused(example, said):
    net = nn.Sequential(OrderedDict(first=nn.Conv2d(2, 4, 3), last=nn.Conv2d(4, 2, 3)))
    with pytest.raises(InputError, match=said):
        convert(net, example=example)
    assert type(net.first) is nn.Conv2d


def test_samples_that_are_not_on_the_first_axis_are_refused_for_asq():
    """A sequence-first network: its steps would be found per point in time, over all samples."""

    class SequenceFirst(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.middle, self.last = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 2)

        def forward(self, x):
            return self.last(self.middle(self.first(x).transpose(0, 1)).mean(0))

    example = torch.rand(4, 4, 8)
    with pytest.raises(InputError, match=r"layer middle has input of shape \(4, 4, 8\), whose first axis does not"):
        convert(SequenceFirst(), example=example)
    convert(SequenceFirst(), QuantConfig(LayerConfig(activations="lsq")), example)
