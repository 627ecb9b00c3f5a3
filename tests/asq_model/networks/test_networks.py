import pytest
import torch
from conftest import some
from torch import nn

from asq_model.common.errors import InputError
from asq_model.config.layer_config import LayerConfig, QuantConfig
from asq_model.config.recipe import NETWORKS as NAMES
from asq_model.config.recipe import SCHEDULES
from asq_model.networks import NETWORKS, build_network
from asq_model.quantisation.convert import convert, layer_configs, quantised_layers

# Parameters as published: torchvision's documentation for the ImageNet networks, Idelbayev's table for ResNet-20
# (0.27 M), MLPerf Tiny's reference model for ResNet-8 (78,666 with batch norm's running statistics).
PARAMETERS = {"resnet18": 11_689_512, "resnet34": 21_797_672, "mobilenetv2": 3_504_872, "resnet20": 269_722}
# Names and shapes of torchvision's published state dicts, some of each kind.
PUBLISHED = {
    "resnet18": {
        "conv1.weight": (64, 3, 7, 7),
        "bn1.running_mean": (64,),
        "layer1.0.conv1.weight": (64, 64, 3, 3),
        "layer2.0.downsample.0.weight": (128, 64, 1, 1),
        "layer2.0.downsample.1.num_batches_tracked": (),
        "layer4.1.bn2.bias": (512,),
        "fc.weight": (1000, 512),
    },
    "resnet34": {"layer3.5.conv2.weight": (256, 256, 3, 3), "layer2.3.bn1.weight": (128,), "fc.bias": (1000,)},
    "mobilenetv2": {
        "features.0.0.weight": (32, 3, 3, 3),
        "features.0.1.running_var": (32,),
        "features.1.conv.0.0.weight": (32, 1, 3, 3),
        "features.1.conv.1.weight": (16, 32, 1, 1),
        "features.1.conv.2.weight": (16,),
        "features.2.conv.0.0.weight": (96, 16, 1, 1),
        "features.2.conv.1.0.weight": (96, 1, 3, 3),
        "features.17.conv.2.weight": (320, 960, 1, 1),
        "features.18.0.weight": (1280, 320, 1, 1),
        "classifier.1.weight": (1000, 1280),
    },
    "resnet20": {"conv1.weight": (16, 3, 3, 3), "layer3.2.bn2.weight": (64,), "linear.weight": (10, 64)},
}
ENTRIES = {"resnet18": 122, "resnet34": 218, "mobilenetv2": 314}  # of a state dict


def made(name):
    return build_network(name, 1000 if name in ENTRIES else 10)


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_those_of_the_published_networks(name):
    model = made(name)
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS[name]
    state = model.state_dict()
    assert len(state) == ENTRIES.get(name, len(state))
    for key, shape in PUBLISHED[name].items():
        assert tuple(state[key].shape) == shape, key


def test_resnet8_is_mlperf_tiny_s():
    model = build_network("resnet8", 10)
    assert sum(tensor.numel() for key, tensor in model.state_dict().items() if "tracked" not in key) == 78_666
    layers = [(name, type(module)) for name, module in model.named_modules() if isinstance(module, nn.Conv2d)]
    assert len(layers) == 9 and model.block2.downsample.bias is not None


@pytest.mark.parametrize("name", [some(name, set(NAMES) - {"resnet34"}, name) for name in NAMES])
def test_every_network_runs_quantised_and_backwards(name):
    torch.manual_seed(0)
    model = build_network(name, 7)
    images = torch.randn(2, 1, 8, 8) if name == "digits" else torch.randn(2, 3, 32, 32)
    convert(model, QuantConfig(inner=LayerConfig(weight_bits=3, activation_bits=3)), images)
    logits = model.train()(images)
    assert logits.shape == (2, 7)
    logits.square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    outer = [key for key, config in layer_configs(model).items() if config.weight_bits == 8]
    assert outer == [quantised_layers(model)[0][0], quantised_layers(model)[-1][0]]


def test_mobilenet_s_linear_bottlenecks_are_signed():
    model = build_network("mobilenetv2", 10)
    convert(model, example=torch.randn(2, 3, 32, 32))
    configs = layer_configs(model)
    assert configs["features.2.conv.0.0"].signed and not configs["features.2.conv.1.0"].signed
    assert not configs["features.2.conv.2"].signed


def test_option_a_shortcut_pads_with_zeros():
    block = build_network("resnet20", 10).layer2[0]
    x = torch.rand(1, 16, 4, 4)
    out = block.downsample(x)
    assert out.shape == (1, 32, 2, 2)
    assert torch.equal(out[:, 8:24], x[:, :, ::2, ::2]) and not out[:, :8].any() and not out[:, 24:].any()


def test_names_are_known_in_one_place():
    assert tuple(NETWORKS) == NAMES == tuple(SCHEDULES)
    with pytest.raises(InputError, match="network is 'lenet'; allowed: digits, resnet8"):
        build_network("lenet", 10)
