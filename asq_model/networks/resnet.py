"""Residual networks: ResNet-18 and -34 for ImageNet, ResNet-20 for CIFAR, and MLPerf Tiny's ResNet-8.

ResNet-18 and -34 (He 2016) are named as torchvision names them, ResNet-20 (He 2016, section 4.2) as Idelbayev does.
"""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional


class BasicBlock(nn.Module):
    """Two 3×3 convolutions with batch norm, and a shortcut: input [N, C, H, W], output [N, C', H/stride, W/stride]."""

    def __init__(self, channels: int, out_channels: int, stride: int, downsample: nn.Module | None, bias: bool = False):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out_channels, 3, stride, padding=1, bias=bias)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=bias)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(x)) + shortcut)


def make_projection(channels: int, out_channels: int, stride: int) -> nn.Module:
    """Make the 1×1 convolution with batch norm of a shortcut that changes shape (He's option B)."""
    return nn.Sequential(nn.Conv2d(channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels))


class PaddedIdentity(nn.Module):
    """A shortcut without parameters (He's option A): every stride-th pixel, new channels of zeros on both sides."""

    def __init__(self, channels: int, out_channels: int, stride: int):
        super().__init__()
        self.stride, self.padding = stride, (out_channels - channels) // 2

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, :, :: self.stride, :: self.stride]
        return functional.pad(x, (0, 0, 0, 0, self.padding, self.padding))


def make_stage(
    channels: int, out_channels: int, blocks: int, stride: int, shortcut: Callable[[int, int, int], nn.Module]
) -> nn.Sequential:
    """Make a row of blocks, the first of which changes the shape."""
    changes = stride != 1 or channels != out_channels
    first = BasicBlock(channels, out_channels, stride, shortcut(channels, out_channels, stride) if changes else None)
    return nn.Sequential(first, *[BasicBlock(out_channels, out_channels, 1, None) for _ in range(blocks - 1)])


class ResNet(nn.Module):
    """A residual network for ImageNet: input [N, 3, 224, 224] (any size from 32 on), output [N, classes] logits."""

    def __init__(self, blocks: tuple[int, ...], classes: int = 1000):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = make_stage(64, 64, blocks[0], 1, make_projection)
        self.layer2 = make_stage(64, 128, blocks[1], 2, make_projection)
        self.layer3 = make_stage(128, 256, blocks[2], 2, make_projection)
        self.layer4 = make_stage(256, 512, blocks[3], 2, make_projection)
        self.fc = nn.Linear(512, classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(self.bn1(self.conv1(x))), 3, 2, padding=1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


def resnet18(classes: int = 1000) -> ResNet:
    """ResNet-18, freshly initialised."""
    return ResNet((2, 2, 2, 2), classes)


def resnet34(classes: int = 1000) -> ResNet:
    """ResNet-34, freshly initialised."""
    return ResNet((3, 4, 6, 3), classes)


class CifarResNet(nn.Module):
    """A residual network for CIFAR with 6n + 2 layers: input [N, 3, 32, 32], output [N, classes] logits.

    n = 3 is ResNet-20.
    """

    def __init__(self, classes: int = 10, blocks: int = 3):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = make_stage(16, 16, blocks, 1, PaddedIdentity)
        self.layer2 = make_stage(16, 32, blocks, 2, PaddedIdentity)
        self.layer3 = make_stage(32, 64, blocks, 2, PaddedIdentity)
        self.linear = nn.Linear(64, classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


class ResNet8(nn.Module):
    """MLPerf Tiny's image classification model: input [N, 3, 32, 32], output [N, classes] logits.

    As the reference has it, convolutions have biases and the shortcut's 1×1 convolution has no batch norm.
    """

    def __init__(self, classes: int = 10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(16)
        self.block1 = BasicBlock(16, 16, 1, None, bias=True)
        self.block2 = BasicBlock(16, 32, 2, nn.Conv2d(16, 32, 1, 2), bias=True)
        self.block3 = BasicBlock(32, 64, 2, nn.Conv2d(32, 64, 1, 2), bias=True)
        self.fc = nn.Linear(64, classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.block3(self.block2(self.block1(x)))
        return self.fc(x.mean((2, 3)))


def initialise(model: nn.Module) -> None:
    """Initialise convolutions as He does, their biases with zero; other layers stay as torch has them."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
