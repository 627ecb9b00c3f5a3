"""Networks as people bring them, small ones of every kind of structure."""

import torch
from torch import nn

from asq_model.networks.resnet import CifarResNet

CLASSES = 4
AUTOENCODER = ((640, 128), *((128, 128),) * 3, (128, 8), (8, 128), *((128, 128),) * 3)


def conv(channels: int, out: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(out)]


def pooled(channels: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, CLASSES)]


class Residual(nn.Module):
    """The sum of a body and its input."""

    def __init__(self, *body: nn.Module):
        super().__init__()
        self.body = nn.Sequential(*body)

    def forward(self, x):
        return x + self.body(x)


class Dense(nn.Module):
    """Every layer's output is appended to its input, as in DenseNet."""

    def __init__(self, channels: int, growth: int, layers: int):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.ReLU(), *conv(channels + growth * index, growth)) for index in range(layers)
        )

    def forward(self, x):
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        return x


class SqueezeExcite(nn.Module):
    """Channels scaled by a gate that two linear layers compute from their averages."""

    def __init__(self, channels: int):
        super().__init__()
        self.down, self.up = nn.Linear(channels, channels // 2), nn.Linear(channels // 2, channels)

    def forward(self, x):
        gate = torch.sigmoid(self.up(torch.relu(self.down(x.mean((2, 3))))))
        return x * gate[:, :, None, None]


class Attention(nn.Module):
    """Self-attention over the positions of an image, from separate linear layers [N, T, C]."""

    def __init__(self, channels: int):
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(channels, channels) for _ in range(4))

    def forward(self, x):
        tokens = x.flatten(2).transpose(1, 2)
        weights = torch.softmax(self.query(tokens) @ self.key(tokens).transpose(1, 2), -1)
        return self.out(weights @ self.value(tokens)).mean(1)


class Branches(nn.Module):
    """Two branches and a skip connection that is used twice, by function calls."""

    def __init__(self):
        super().__init__()
        self.stem, self.left, self.right = nn.Conv2d(3, 8, 3, 1, 1), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3, 1, 1)
        self.fc = nn.Linear(8, CLASSES)

    def forward(self, x):
        x = nn.functional.relu(self.stem(x))
        x = x + self.left(x) * 0.5 + nn.functional.max_pool2d(self.right(x), 3, 1, 1)
        return self.fc(nn.functional.adaptive_avg_pool2d(nn.functional.relu(x), 1).flatten(1))


class Shared(nn.Module):
    """One convolution at three places."""

    def __init__(self):
        super().__init__()
        self.stem, self.shared, self.fc = nn.Conv2d(3, 8, 3, 1, 1), nn.Conv2d(8, 8, 3, 1, 1), nn.Linear(8, CLASSES)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        for _ in range(3):
            x = torch.relu(self.shared(x))
        return self.fc(x.mean((2, 3)))


def plain(activation: nn.Module) -> nn.Module:
    return nn.Sequential(
        *conv(3, 8), activation, *conv(8, 8, stride=2), activation, nn.Flatten(), nn.Linear(128, CLASSES)
    )


def depthwise(channels: int, out: int, stride: int = 1) -> list[nn.Module]:
    return [*conv(channels, channels, 3, stride, channels), nn.ReLU(), *conv(channels, out, 1), nn.ReLU()]


NETWORKS = {
    "conv conv fc": lambda: plain(nn.ReLU()),
    "VGG": lambda: nn.Sequential(
        *(nn.Conv2d(3, 8, 3, 1, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 16, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, CLASSES)),
    ),
    "MobileNetV1": lambda: nn.Sequential(
        *conv(3, 8, 3, 2), nn.ReLU(), *depthwise(8, 16), *depthwise(16, 16), *pooled(16)
    ),
    "MobileNetV2": lambda: nn.Sequential(
        *conv(3, 8),
        Residual(*conv(8, 16, 1), nn.ReLU6(), *conv(16, 16, 3, 1, 16), nn.ReLU6(), *conv(16, 8, 1)),
        *(nn.ReLU6(), *pooled(8)),
    ),
    "DenseNet": lambda: nn.Sequential(*conv(3, 8), Dense(8, 4, 3), nn.ReLU(), *pooled(20)),
    "ResNet": lambda: nn.Sequential(
        *conv(3, 8), nn.ReLU(), Residual(*conv(8, 8), nn.ReLU(), *conv(8, 8)), nn.ReLU(), *pooled(8)
    ),
    "autoencoder": lambda: nn.Sequential(
        *(nn.Flatten(), nn.Linear(192, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 8), nn.ReLU()),
        *(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 192)),
    ),
    "squeeze and excite": lambda: nn.Sequential(
        *conv(3, 8), nn.ReLU(), SqueezeExcite(8), *conv(8, 8), nn.ReLU(), *pooled(8)
    ),
    "attention": lambda: nn.Sequential(*conv(3, 8, 3, 2), nn.ReLU(), Attention(8), nn.Linear(8, CLASSES)),
    "branches": Branches,
    "shared layer": Shared,
    "1-D": lambda: nn.Sequential(
        *(nn.Flatten(2), nn.Conv1d(3, 8, 5, 2, padding=2), nn.ReLU(), nn.Conv1d(8, 8, 3, dilation=2, padding="same")),
        *(nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(8, CLASSES)),
    ),
    "paddings": lambda: nn.Sequential(
        *(nn.Conv2d(3, 8, 3, padding="same", padding_mode="reflect"), nn.ReLU()),
        *(nn.Conv2d(8, 8, 4, padding="same"), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1, padding_mode="circular")),
        *(nn.ReLU(), *pooled(8)),
    ),
    "GELU": lambda: plain(nn.GELU()),
    "SiLU": lambda: plain(nn.SiLU()),
    "LeakyReLU": lambda: plain(nn.LeakyReLU(0.125)),
    "PReLU": lambda: plain(nn.PReLU()),
    "Hardswish": lambda: plain(nn.Hardswish()),
    "option A": lambda: CifarResNet(CLASSES, blocks=1),
    "DS-CNN": lambda: nn.Sequential(
        *(nn.Conv2d(1, 16, (10, 4), 2, (5, 1), bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.Dropout(0.2)),
        *(*depthwise(16, 16), *depthwise(16, 16), nn.Dropout(0.4)),
        *(nn.AvgPool2d((25, 5)), nn.Flatten(), nn.Linear(16, 12)),
    ),
    "MLPerf's autoencoder": lambda: nn.Sequential(
        *(layer for sizes in AUTOENCODER for layer in (nn.Linear(*sizes), nn.BatchNorm1d(sizes[1]), nn.ReLU())),
        nn.Linear(128, 640),
    ),
    "group norm": lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), *pooled(8)
    ),
}
INPUTS = {"DS-CNN": (1, 49, 10), "MLPerf's autoencoder": (640,)}  # where they are not 3 × 8 × 8
