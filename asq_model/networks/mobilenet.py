"""MobileNetV2 (Sandler 2018), named as torchvision names it. Its linear bottlenecks pass negative values on."""

from torch import Tensor, nn

from asq_model.networks.resnet import initialise

# Expansion, output channels, blocks, stride of the first: Table 2 of the paper.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
FIRST, LAST = 32, 1280


def make_convolution(channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Make a convolution followed by batch norm and ReLU6."""
    return nn.Sequential(
        nn.Conv2d(channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    """A block of 1×1 expansion, 3×3 depthwise and 1×1 linear projection; the input is added where shapes agree."""

    def __init__(self, channels: int, out_channels: int, stride: int, expansion: int):
        super().__init__()
        hidden = channels * expansion
        expand = [] if expansion == 1 else [make_convolution(channels, hidden, 1)]
        self.conv = nn.Sequential(
            *expand,
            make_convolution(hidden, hidden, 3, stride, groups=hidden),
            nn.Conv2d(hidden, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.residual = stride == 1 and channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetV2(nn.Module):
    """MobileNetV2 of width 1.0: input [N, 3, 224, 224] (any size from 32 on), output [N, classes] logits."""

    def __init__(self, classes: int = 1000):
        super().__init__()
        layers: list[nn.Module] = [make_convolution(3, FIRST, 3, stride=2)]
        channels = FIRST
        for expansion, out_channels, blocks, stride in STAGES:
            for block in range(blocks):
                layers.append(InvertedResidual(channels, out_channels, stride if block == 0 else 1, expansion))
                channels = out_channels
        self.features = nn.Sequential(*layers, make_convolution(channels, LAST, 1))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(LAST, classes))
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))
