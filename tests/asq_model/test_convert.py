"""A user's own network, converted: what is replaced, what is kept, what is refused."""

from dataclasses import asdict

import pytest
import torch
from torch import nn

from asq_model.config import OUTER, LayerConfig, QuantConfig, layer_config
from asq_model.convert import convert, inner_layers, layer_configs, quantised_layers
from asq_model.files import InputError
from asq_model.layers import QuantConv2d, QuantLinear


class Net(nn.Module):
    """Defined in another order than it runs; grouped, depthwise and strided convolutions, and one that is not used."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(12, 3)
        self.unused = nn.Conv2d(1, 1, 1)
        self.body = nn.Sequential(
            nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False),
            nn.ReLU(),
            nn.Conv2d(8, 12, 3, stride=2, padding=2, dilation=2, groups=4, padding_mode="circular"),
            nn.Linear(4, 5),
        )
        self.first = nn.Conv2d(2, 8, 3)

    def forward(self, x):
        x = torch.relu(self.body[:3](self.first(x)))
        return self.last(self.body[3](x[..., :4]).mean((2, 3)) - 1)


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


@pytest.fixture
def images():
    return torch.rand(4, 2, 12, 12, generator=torch.Generator().manual_seed(1))


def test_order_sign_and_unused_layers_come_from_the_example(net, images):
    body = net.body[2]
    assert convert(net, example=images) is net
    assert isinstance(net.first, QuantConv2d) and isinstance(net.last, QuantLinear)
    assert type(net.unused) is nn.Conv2d and type(net.body[1]) is nn.ReLU
    configs = layer_configs(net)
    assert list(configs) == ["last", "body.0", "body.2", "body.3", "first"]
    assert configs["first"] == OUTER
    assert configs["last"].weights == "uniform" and configs["last"].signed
    assert configs["body.0"].signed and not configs["body.2"].signed and not configs["body.3"].signed
    assert net.body[2].weight is body.weight and net.body[2].bias is body.bias
    assert [name for name, _ in inner_layers(net)] == ["body.0", "body.2", "body.3"]


def test_without_an_example_the_order_is_that_of_definition(net):
    configs = layer_configs(convert(net))
    assert configs["last"] == OUTER and configs["first"] == OUTER and configs["unused"] == LayerConfig()


def test_a_converted_network_computes_the_layer_s_operation_on_quantised_operands(net, images):
    convert(net, example=images)
    net.train()(images)
    for _, layer in quantised_layers(net):
        x = torch.rand(3, 8, 7, 7) if isinstance(layer, nn.Conv2d) else torch.rand(3, layer.in_features)
        if isinstance(layer, nn.Conv2d):
            x = x[:, : layer.in_channels]
        layer.eval()
        wanted = layer.operation(layer.activation_quantiser(x), layer.weight_quantiser(layer.weight), layer.bias)
        torch.testing.assert_close(layer(x), wanted)


def test_backward_is_that_of_the_plain_composition(net, images):
    """What `recomputed` leaves out of memory comes back the same."""
    convert(net, example=images)
    net.train()(images)
    for name, layer in quantised_layers(net):
        shape = (3, layer.in_channels, 7, 7) if isinstance(layer, nn.Conv2d) else (3, layer.in_features)
        x = torch.randn(shape, requires_grad=True)
        plain = layer.operation(layer.activation_quantiser(x), layer.weight_quantiser(layer.weight), layer.bias)
        weights = torch.randn_like(plain)
        inputs = [x, *layer.parameters()]
        for got, wanted in zip(
            torch.autograd.grad((layer(x) * weights).sum(), inputs),
            torch.autograd.grad((plain * weights).sum(), inputs),
            strict=True,
        ):
            torch.testing.assert_close(got, wanted, msg=name)


def test_overrides_by_name(net, images):
    other = LayerConfig("pot", 5, activations="lsq", activation_bits=6)
    convert(net, QuantConfig(overrides={"body.2": other, "first": None}), images)
    assert layer_configs(net)["body.2"] == other and type(net.first) is nn.Conv2d


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


def test_a_layer_under_two_names_stays_one(images):
    shared = nn.Conv2d(2, 2, 3, padding=1)
    net = convert(nn.Sequential(shared, nn.Sequential(nn.ReLU(), shared)))
    assert net[0] is net[1][1] and isinstance(net[0], QuantConv2d)


def test_one_channel_and_all_zero_weights_train():
    """The smallest layers there are: nothing divides by zero, and the zeros learn to be something else."""
    torch.manual_seed(0)
    net = nn.Sequential(*[nn.Conv2d(1, 1, 1, bias=False) for _ in range(3)], nn.Flatten(), nn.Linear(4, 2))
    nn.init.zeros_(net[1].weight)
    images = torch.rand(8, 1, 2, 2)
    convert(net, QuantConfig(inner=LayerConfig(weight_bits=2, activation_bits=2)), images)
    assert isinstance(net[1].activation_quantiser.adapter.output, nn.Linear)
    for _ in range(2):
        loss = net.train()(images).square().sum()
        loss.backward()
        assert all(torch.isfinite(parameter.grad).all() for parameter in net.parameters())


def test_subclasses_keep_their_own_computation():
    class Mine(nn.Linear):
        pass

    net = convert(nn.Sequential(nn.Linear(2, 2), Mine(2, 2)))
    assert isinstance(net[0], QuantLinear) and type(net[1]) is Mine


def test_modes_and_devices_survive(net, images):
    net.train()
    net.body.eval()
    convert(net, example=images)
    assert net.training and net.first.training and not net.body.training and not net.body[0].training


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"weights": "int"}, "weights is 'int'; allowed: post, pot"),
        ({"activations": "none"}, "activations is 'none'; allowed: asq"),
        ({"weight_bits": 1}, "BITS is 1 for post weights; allowed: 2 to 6"),
        ({"weights": "uniform", "weight_bits": 9}, "BITS is 9 for uniform weights; allowed: 2 to 8"),
        ({"weights": "dorefa", "weight_bits": 9}, "weight_bits is 9; allowed: 2 to 8"),
        ({"weights": "dorefa", "kind": "extended"}, "dorefa weights have only one level set"),
        ({"activation_bits": 9}, "activation_bits is 9; allowed: 2 to 8"),
        ({"kind": "wide"}, "LEVELS is 'wide'"),
        ({"beta_floor": 0.0}, "beta_floor is 0.0; allowed: more than 0"),
        ({"adapter_ratio": 0}, "adapter_ratio is 0"),
        ({"product_frac": -2}, "product_frac is -2; allowed: -1 to 12"),
        (
            {"product_frac": 0, "weights": "pot"},
            "product_frac is 0 with pot weights and asq activations; it is for post",
        ),
        ({"adapter_layers": 3}, "adapter_layers is 3; allowed: 0, 1, 2"),
        ({"step_gradient": "batch"}, "step_gradient is 'batch'; allowed: numel, features"),
    ],
)
def test_impossible_configurations_are_refused_by_name(fields, said):
    with pytest.raises(InputError, match=said):
        LayerConfig(**fields)


def test_a_stored_configuration_comes_back():
    config = LayerConfig("pot", 3, "extended", signed=True)
    assert layer_config(asdict(config)) == config
    with pytest.raises(InputError, match="unknown fields"):
        layer_config({"weights": "post", "colour": 1})


def test_stored_bits():
    assert LayerConfig("post", 3, "extended").stored_bits == 4
    assert LayerConfig("dorefa", 3).stored_bits == LayerConfig("post", 3).stored_bits == 3
