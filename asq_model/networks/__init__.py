"""The networks of the paper and the small one that `make sim` trains, in full precision; `convert` quantises them.

Parameter names are those of the public implementations, so that their state dicts load.
"""

from collections.abc import Callable

import torch
from torch import nn

from asq_model.common.errors import check_choice
from asq_model.networks.digits import DigitsNet
from asq_model.networks.mobilenet import MobileNetV2
from asq_model.networks.resnet import CifarResNet, ResNet8, resnet18, resnet34

NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "digits": DigitsNet,
    "resnet8": ResNet8,
    "resnet20": CifarResNet,
    "resnet18": resnet18,
    "resnet34": resnet34,
    "mobilenetv2": MobileNetV2,
}


def build_network(name: str, classes: int) -> nn.Module:
    """Build a freshly initialised network. Raises InputError for a name that is not in `NETWORKS`."""
    check_choice("network", name, tuple(NETWORKS))
    return NETWORKS[name](classes)


def put_channels_last(model: nn.Module) -> nn.Module:
    """Lay a model's parameters out in memory with channels last, in place: how oneDNN and cuDNN are fastest."""
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's own signature lacks it


__all__ = [
    "NETWORKS",
    "CifarResNet",
    "DigitsNet",
    "MobileNetV2",
    "ResNet8",
    "build_network",
    "put_channels_last",
    "resnet18",
    "resnet34",
]
