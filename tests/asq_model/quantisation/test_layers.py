"""A converted network's layers at work: forward, backward, types, state, and what they refuse then."""

import pytest
import torch
from torch import nn

from asq_model.common.errors import InputError
from asq_model.config.layer_config import LayerConfig, QuantConfig
from asq_model.quantisation.convert import convert, layer_configs, quantised_layers
from asq_model.quantisation.layers import QuantConv2d


def test_a_converted_network_computes_the_layer_s_operation_on_quantised_operands(net, images):
    convert(net, example=images)
    net.train()(images)
    for _, layer in quantised_layers(net):
        x = torch.rand(3, 8, 7, 7) if isinstance(layer, nn.Conv2d) else torch.rand(3, layer.in_features)
        if isinstance(layer, nn.Conv2d):
            x = x[:, : layer.in_channels]
        layer.eval()
        wanted = layer.apply_operation(layer.activation_quantiser(x), layer.weight_quantiser(layer.weight), layer.bias)
        torch.testing.assert_close(layer(x), wanted)


def test_backward_is_that_of_the_plain_composition(net, images):
    """What `recomputed` leaves out of memory comes back the same."""
    convert(net, example=images)
    net.train()(images)
    for name, layer in quantised_layers(net):
        shape = (3, layer.in_channels, 7, 7) if isinstance(layer, nn.Conv2d) else (3, layer.in_features)
        x = torch.randn(shape, requires_grad=True)
        plain = layer.apply_operation(layer.activation_quantiser(x), layer.weight_quantiser(layer.weight), layer.bias)
        weights = torch.randn_like(plain)
        inputs = [x, *layer.parameters()]
        for got, wanted in zip(
            torch.autograd.grad((layer(x) * weights).sum(), inputs),
            torch.autograd.grad((plain * weights).sum(), inputs),
            strict=True,
        ):
            torch.testing.assert_close(got, wanted, msg=name)


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
    other = type(net)()
    convert(other, QuantConfig(LayerConfig(weight_bits=3)), images)
    with pytest.raises(InputError, match=r"layer body\.0 is quantised otherwise .*: weight_bits is 3 here and 4 there"):
        other.load_state_dict(state)
    unsigned = type(net)()
    convert(unsigned)
    with pytest.raises(InputError, match="signed is False here and True there"):
        unsigned.load_state_dict({name: value for name, value in state.items() if "unused" not in name}, strict=False)
    same = type(net)()
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
