"""The shapes of MLPerf Tiny's networks beside ResNet-8, and of ResNet-20, taught for a moment on made-up data."""

from functools import cache

import numpy as np
import torch
from torch import nn

from asq_model.config.layer_config import LayerConfig, QuantConfig
from asq_model.export.integer_graph import make_graph
from asq_model.networks import build_network
from asq_model.quantisation.convert import convert
from asq_model.spec.graph.graph import Graph
from asq_model.spec.precision import Precision

PRECISION = Precision(16)
LAYER = LayerConfig("post", 4, activations="asq", activation_bits=4)
IMAGES = 8


def unit(
    channels: int, out: int, kernel: int | tuple[int, int] = 3, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    """A convolution, batch norm and ReLU."""
    padding = kernel // 2 if isinstance(kernel, int) else (kernel[0] // 2, kernel[1] // 2)
    convolution = nn.Conv2d(channels, out, kernel, stride, padding, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(out), nn.ReLU()]


def separable(channels: int, out: int, stride: int = 1) -> list[nn.Module]:
    """A depthwise convolution and a pointwise one."""
    return [*unit(channels, channels, 3, stride, channels), *unit(channels, out, 1)]


def keyword_spotting() -> nn.Module:
    """DS-CNN: 49 frames of 10 coefficients, 12 words."""
    blocks = [layer for _ in range(4) for layer in separable(64, 64)]
    first = [nn.Conv2d(1, 64, (10, 4), 2, (5, 1), bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    return nn.Sequential(*first, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 12))


def visual_wake_words() -> nn.Module:
    """MobileNetV1, a quarter of its channels: 96 × 96 pixels, a person or none."""
    sizes = [(8, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 128, 2)]
    sizes += [(128, 128, 1)] * 5 + [(128, 256, 2), (256, 256, 1)]
    blocks = [layer for channels, out, stride in sizes for layer in separable(channels, out, stride)]
    return nn.Sequential(*unit(3, 8, 3, 2), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 2))


def anomaly_detection() -> nn.Module:
    """An autoencoder of 640 numbers."""
    sizes = [(640, 128), *[(128, 128)] * 3, (128, 8), (8, 128), *[(128, 128)] * 3]
    layers = [layer for size in sizes for layer in (nn.Linear(*size), nn.BatchNorm1d(size[1]), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(128, 640))


# By the name of the task: the network, and the shape of its input.
NETWORKS = {
    "keyword spotting": (keyword_spotting, (1, 49, 10)),
    "visual wake words": (visual_wake_words, (3, 96, 96)),
    "anomaly detection": (anomaly_detection, (640,)),
    "ResNet-20": (lambda: build_network("resnet20", 10), (3, 32, 32)),
}


@cache
def tiny_graph(name: str) -> tuple[Graph, np.ndarray]:
    """A network as a graph of integers, and images for it, int64 [N, C, H, W]."""
    torch.manual_seed(0)
    make, shape = NETWORKS[name]
    net, images = make(), torch.randn(IMAGES, *shape)
    convert(net, QuantConfig(LAYER), images)
    optimiser = torch.optim.SGD(net.parameters(), 0.02)
    for _ in range(3):  # batch norm's averages, and adapters that are not as they began
        optimiser.zero_grad()
        net(images).square().mean().backward()
        optimiser.step()
    graph = make_graph(net.eval(), images, PRECISION).graph
    return graph, graph.input.to_integers(images.reshape(len(images), *graph.input.shape).numpy())
