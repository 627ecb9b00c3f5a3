"""A user's own network, converted: what is replaced, in which order, and what is kept."""

import torch
from torch import nn

from asq_model.config.layer_config import OUTER, LayerConfig, QuantConfig
from asq_model.quantisation.convert import convert, inner_layers, layer_configs
from asq_model.quantisation.layers import QuantConv2d, QuantLinear


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


def test_overrides_by_name(net, images):
    other = LayerConfig("pot", 5, activations="lsq", activation_bits=6)
    convert(net, QuantConfig(overrides={"body.2": other, "first": None}), images)
    assert layer_configs(net)["body.2"] == other and type(net.first) is nn.Conv2d


def test_what_overrides_leave_is_listed_in_one_order():
    """Not in that of a set, which changes from run to run."""
    net = nn.Sequential(nn.Linear(4, 4), *(nn.ReLU() for _ in range(8)))
    left = [str(index) for index in range(8, 0, -1)]
    done = convert(net, QuantConfig(overrides=dict.fromkeys(left)), torch.rand(3, 4))
    assert list(done.left) == sorted(left)


def test_a_layer_under_two_names_stays_one(images):
    shared = nn.Conv2d(2, 2, 3, padding=1)
    net = nn.Sequential(shared, nn.Sequential(nn.ReLU(), shared), shared)
    assert list(convert(net).quantised) == ["0"]
    assert net[0] is net[1][1] is net[2] and isinstance(net[0], QuantConv2d)


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


def test_a_network_that_checks_its_batch_is_converted():
    """Adapters are looked at with one sample more, which such a network refuses by whatever error it likes."""

    class FixedBatch(nn.Sequential):
        def forward(self, x):
            assert len(x) == 4, "the batch is 4"
            return super().forward(x)

    done = convert(FixedBatch(nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 2)), example=torch.rand(4, 8))
    assert list(done.quantised) == ["0", "1", "2"]
