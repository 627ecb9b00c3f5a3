"""A user's own network, converted: what is replaced, what is kept, what is refused."""

import warnings
from collections import OrderedDict
from copy import deepcopy
from dataclasses import asdict

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from asq_model.common.errors import InputError
from asq_model.config.layer_config import OUTER, LayerConfig, QuantConfig, layer_config
from asq_model.quantisation.convert import convert, inner_layers, layer_configs, quantised_layers
from asq_model.quantisation.layers import QuantConv2d, QuantLinear


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
    done = convert(net, example=images)
    assert list(done.quantised) == ["first", "body.0", "body.2", "body.3", "last"]
    assert done.left == {"unused": "not used on the example"} and "unused (not used on the example)" in str(done)
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
    convert(net)
    configs = layer_configs(net)
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
    net = nn.Sequential(shared, nn.Sequential(nn.ReLU(), shared), shared)
    assert list(convert(net).quantised) == ["0"]
    assert net[0] is net[1][1] is net[2] and isinstance(net[0], QuantConv2d)


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
    assert done.left == {name: "told to"} and isinstance(net[0], QuantLinear)


def test_what_is_left_is_listed():
    net = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4), nn.Conv3d(1, 1, 1)), nn.Embedding(3, 4))
    done = convert(net, QuantConfig(overrides={"1": None}))
    assert done.left == {"1": "told to", "2": "a table that is looked up, nothing is multiplied"}
    assert list(done.quantised) == ["0"] and type(net[1][0]) is nn.Linear
    assert "left in full precision: 1 (told to)" in str(done)


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


def test_two_layers_may_share_a_weight():
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    net[1].weight = net[0].weight
    convert(net, example=torch.rand(3, 4))
    assert net[0].weight is net[1].weight


def test_the_sign_is_that_of_every_call():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.shared, self.last = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            return self.last(self.shared(torch.relu(self.shared(self.first(x)))))

    torch.manual_seed(0)
    net = Twice()
    convert(net, example=torch.randn(8, 4))
    assert net.shared.config.signed


def test_layers_may_be_called_by_keyword_and_networks_with_several_inputs():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right, self.last = nn.Linear(4, 4), nn.Linear(3, 4), nn.Linear(4, 2)

        def forward(self, a, b, *, scale=1.0):
            return self.last(input=self.left(input=a) * scale + self.right(b))

    a, b = torch.rand(5, 4), torch.rand(5, 3)
    for example in ((a, b), {"a": a, "b": b, "scale": 2.0}):
        net = Two()
        assert list(convert(net, example=example).quantised) == ["left", "right", "last"]
        net.eval()(a, b)


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


def test_a_double_network_stays_double(net, images):
    convert(net.double(), example=images.double())
    assert all(parameter.dtype == torch.float64 for parameter in net.parameters())
    net.train()(images.double()).sum().backward()


def test_parameters_made_half_after_conversion_are_refused(net, images):
    convert(net, example=images)
    with pytest.raises(InputError, match=r"layer first: its parameters are torch.bfloat16; allowed: torch.float32"):
        net.bfloat16()(images.bfloat16())


def test_hooks_move_to_the_twins(net, images):
    seen = []
    net.first.register_forward_hook(lambda module, *_: seen.append(type(module)))
    convert(net)
    net.train()(images)
    assert seen == [QuantConv2d]


def test_evaluation_starts_from_the_example_and_training_from_its_first_batch():
    """A converted network is not far from the one that it came from, before any training."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(128, 5))
    images = 100 * torch.rand(16, 3, 8, 8)
    wanted = net(images)
    convert(net, QuantConfig(LayerConfig("uniform", 8, activations="asq", activation_bits=8)), images)
    assert (net.eval()(images) - wanted).norm() / wanted.norm() < 0.2  # 1 without a start
    before = net[2].activation_quantiser.step.item()
    net.train()(images * 2)
    assert net[2].activation_quantiser.step.item() > 1.5 * before
    started = net[2].activation_quantiser.step.item()
    net(images * 4)
    assert net[2].activation_quantiser.step.item() == started


def test_evaluation_without_a_start_is_refused(net, images):
    convert(net)
    with pytest.raises(InputError, match="layer first: its step has no start yet: give convert\\(\\) an example"):
        net.eval()(images)
    net.train()(images)
    net.eval()(images)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_first_batch_that_is_not_finite_is_refused(net, images, value):
    convert(net)
    images[1, 0, 3, 3] = value
    with pytest.raises(InputError, match="layer first: the first input, which its step starts from, has values"):
        net.train()(images)
    assert net.first.activation_quantiser.step == 1


def test_the_conversion_is_part_of_the_state(net, images):
    state = net.state_dict()
    convert(net, example=images)
    state = net.state_dict()
    other = Net()
    convert(other, QuantConfig(LayerConfig(weight_bits=3)), images)
    with pytest.raises(InputError, match=r"layer body\.0 is quantised otherwise .*: weight_bits is 3 here and 4 there"):
        other.load_state_dict(state)
    unsigned = Net()
    convert(unsigned)
    with pytest.raises(InputError, match="signed is False here and True there"):
        unsigned.load_state_dict({name: value for name, value in state.items() if "unused" not in name}, strict=False)
    same = Net()
    convert(same, QuantConfig(overrides=layer_configs(net) | {"unused": None}))
    same.load_state_dict(state)
    torch.testing.assert_close(same.eval()(images), net.eval()(images), rtol=0, atol=0)
    damaged = state | {"first._extra_state": torch.zeros(3, dtype=torch.uint8)}
    with pytest.raises(InputError, match=r"layer first: the state.s quantiser configuration is damaged"):
        same.load_state_dict(damaged)


def test_averages_of_networks(net, images):
    """EMA and SWA, buffers too: `torch.optim.swa_utils` subtracts them."""
    convert(net, example=images)
    for average in (None, torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)):
        averaged = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=average, use_buffers=True)
        for _ in range(3):
            averaged.update_parameters(net)
        torch.testing.assert_close(averaged.eval()(images), net.eval()(images))


def test_an_input_that_was_written_to_is_an_error_in_the_backward_pass(net, images):
    convert(net, example=images)
    layer = net.body[0].train()
    for parameter in layer.activation_quantiser.parameters():
        parameter.requires_grad_(False)
    x = torch.rand(2, 8, 5, 5)
    loss = layer(x).sum()
    x.zero_()
    with pytest.raises(RuntimeError, match="was modified in place before the backward pass"):
        loss.backward()


def test_an_empty_batch_gives_an_empty_output(images):
    net = nn.Sequential(nn.Conv2d(2, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3))
    convert(net, example=images)
    assert net.eval()(images[:0]).shape == net.train()(images[:0]).shape == (0, 2, 6, 6)


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
        ({"weight_bits": 1}, "weight_bits is 1 for post weights; allowed: 2 to 6"),
        ({"weights": "uniform", "weight_bits": 9}, "weight_bits is 9 for uniform weights; allowed: 2 to 8"),
        ({"weights": "dorefa", "weight_bits": 9}, "weight_bits is 9; allowed: 2 to 8"),
        ({"weights": "dorefa", "kind": "extended"}, "dorefa weights have only one level set"),
        ({"activation_bits": 9}, "activation_bits is 9; allowed: 2 to 8"),
        ({"kind": "wide"}, "kind is 'wide'"),
        ({"beta_floor": 0.0}, "beta_floor is 0.0; allowed: more than 0"),
        ({"adapter_ratio": 0}, "adapter_ratio is 0"),
        ({"product_frac": -2}, "product_frac is -2; allowed: -1 to 12"),
        (
            {"product_frac": 0, "weights": "pot"},
            "product_frac is 0 with pot weights and asq activations; it is for post",
        ),
        ({"adapter_layers": 3}, "adapter_layers is 3; allowed: 0, 1, 2"),
        ({"adapter_start": "alive"}, "adapter_start is 'alive'; allowed: active, authors"),
        ({"step_gradient": "batch"}, "step_gradient is 'batch'; allowed: numel, features, unscaled"),
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
