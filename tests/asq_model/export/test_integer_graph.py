"""Traces and graphs of networks: what is refused by name, what is shared, the large one."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from asq_model.common.errors import InputError
from asq_model.config.layer_config import LayerConfig, QuantConfig
from asq_model.export import integer_graph
from asq_model.export.integer_graph import make_graph
from asq_model.export.operations import Affine, Bound, Move
from asq_model.networks import build_network
from asq_model.quantisation.convert import convert
from asq_model.spec.graph.convolution import Convolution
from asq_model.spec.graph.movement import Reshape
from asq_model.studies.integer_parity import compare_network

LAYER = LayerConfig("post", 4, activations="asq", activation_bits=4)


class Functional(nn.Module):
    """Two layers and whatever a function does between them."""

    def __init__(self, function):
        super().__init__()
        self.first, self.last, self.function = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 1), function

    def forward(self, x):
        return self.last(self.function(self.first(x)))


def converted(net, images):
    """A network converted, its steps started, in eval mode."""
    torch.manual_seed(0)
    convert(net, QuantConfig(LAYER), images)
    with torch.no_grad():
        net.train()(images)
    return net.eval()


def graph_of(function):
    torch.manual_seed(0)
    images = torch.randn(8, 3, 8, 8)
    net = converted(Functional(function), images)
    return make_graph(net, images), net, images


REFUSED = {
    "two values": (lambda x: x * torch.sigmoid(x), "multiplies two tensors that the input decides"),
    "reversed": (lambda x: x.flip(2), r"operation flip \(.*test_integer_graph.py, line \d+\) has no integer form"),
    "channel means": (lambda x: x - x.mean(1, keepdim=True), "reduces the batch or the channels"),
    "of other size": (lambda x: x + x.mean((2, 3), keepdim=True), "adds tensors of the sizes"),
    "ceil": (lambda x: functional.max_pool2d(x, 4, ceil_mode=True), "has ceil_mode; allowed: windows that are whole"),
    "padding left out": (
        lambda x: functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False),
        "leaves padding out of its means",
    ),
    "ones around": (lambda x: functional.pad(x, (1, 1), value=1.0), "pads otherwise than with zeros"),
    "of its values": (lambda x: x if x.sum() > 0 else -x, "cannot be traced by torch.export"),
    "of its batch": (lambda x: x.reshape(1, -1, 6, 6)[:, :8], "mixes samples of the batch|cannot be traced"),
    "a number for each sample": (lambda x: x + torch.zeros(x.shape[0], 1, 1, 1), "depends on the number of samples"),
    "other types": (lambda x: (x > 0).float(), "has no integer form here"),
    "odd pooling": (lambda x: functional.adaptive_avg_pool2d(x, 4), "allowed: sizes that divide them"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_node_is_refused_by_name(name):
    function, message = REFUSED[name]
    with pytest.raises(InputError, match=message) as error:
        graph_of(function)
    assert len(str(error.value).splitlines()) == 1


TAKEN = {
    "in place": lambda x: functional.relu_(x).add_(1.0).mul_(0.5),
    "parts": lambda x: torch.cat([part + 1 for part in x.chunk(2, 1)], 1),
    "permuted": lambda x: functional.hardtanh(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2),
    "columns and rows": lambda x: x.transpose(2, 3),
    "lines": lambda x: x.flatten(2)[:, :, ::2].unsqueeze(3),
    "pooled": lambda x: functional.max_pool2d(x, 3, 2, 1) - functional.avg_pool2d(x, 3, 2, 1),
    "largest": lambda x: x.amax((2, 3), keepdim=True),
    "a divisor and a constant": lambda x: (3 - x) / 4,
    "channels of its own": lambda x: x * torch.arange(1.0, 9.0).view(8, 1, 1) + torch.arange(8.0).view(8, 1, 1),
    "a curve": lambda x: functional.gelu(x) + torch.tanh(x) - functional.silu(x, inplace=False),
    "padded": lambda x: functional.pad(x, (1, 0, 2, 1, 0, 0)),
}


@pytest.mark.parametrize("name", TAKEN)
def test_operations_between_layers(name):
    """`make_graph` compares every node with torch itself; the result once more."""
    network, net, images = graph_of(TAKEN[name])
    with torch.no_grad():
        wanted = net(images).double().numpy()
    made = network.graph.to_reals(network.graph(network.graph.input.to_integers(images.numpy())))
    assert np.abs(made - wanted).max() < 0.02 * np.abs(wanted).max()
    assert np.median(np.abs(made - wanted)) < 1e-4 * np.abs(wanted).max()


def test_only_what_moves_values_is_moved():
    """Axes that are permuted and permuted back cost nothing; rows in place of columns are a node."""
    assert not any(isinstance(node, Reshape) for node in graph_of(TAKEN["permuted"])[0].graph.nodes)
    assert any(isinstance(node, Reshape) for node in graph_of(TAKEN["columns and rows"])[0].graph.nodes)


@pytest.mark.parametrize("wrong", ["order", "bound", "offset"])
def test_a_wrong_translation_is_seen(wrong, monkeypatch):
    """A node that does not do what torch does stops the export, whatever it does to the result."""
    real = integer_graph.find_chains

    def mistake(traced):
        for operation in traced.operations:
            if wrong == "bound" and isinstance(operation, Bound):
                object.__setattr__(operation, "high", 0.1)
            if wrong == "offset" and isinstance(operation, Affine):
                operation.offset[:] += 0.5
            if wrong == "order" and isinstance(operation, Move):
                node = operation.node
                rows_kept = Reshape(name="", inputs=(), order=(0, 1, 2), shape=node.shape)
                object.__setattr__(operation, "node", rows_kept)
        return real(traced)

    monkeypatch.setattr(integer_graph, "find_chains", mistake)
    with pytest.raises(InputError, match=r"node \S+ differs from torch by"):
        graph_of(lambda x: functional.relu(x.transpose(2, 3) * 2 + 1))


def test_a_layer_that_stands_twice_has_two_nodes():
    torch.manual_seed(0)
    shared = nn.Conv2d(8, 8, 3, padding=1)
    images = torch.randn(8, 3, 8, 8)
    net = converted(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), shared, nn.ReLU(), shared, nn.Conv2d(8, 4, 1)), images)
    names = [node.name for node in make_graph(net, images).graph.nodes if isinstance(node, Convolution)]
    assert names == ["0", "2", "2:2", "5"]


def test_a_constant_padding_is_not_taken_for_zeros_in_a_mean():
    """A padded tensor's adapter sees the zeros too."""
    images = torch.rand(8, 3, 8, 8)
    net = converted(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.ZeroPad2d(2), nn.Conv2d(8, 8, 3)), images)
    parity = compare_network(net, images, torch.zeros(8, dtype=torch.long))
    assert all(layer.given_input > 0.999 * layer.codes for layer in parity.layers.values())


@pytest.mark.exhaustive
def test_resnet18():
    """ImageNet's form at 64 × 64 pixels: 21 layers, max pooling, projections."""
    torch.manual_seed(0)
    images = torch.randn(16, 3, 64, 64)
    net = converted(build_network("resnet18", 1000), images)
    parity = compare_network(net, images, torch.zeros(16, dtype=torch.long))
    assert len(parity.layers) == 21 and parity.same_class >= 10  # untrained: a thousand classes lie close together
    for name, layer in parity.layers.items():
        assert layer.given_input > 0.9998 * layer.codes, name
