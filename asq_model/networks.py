"""The network of the main job, in full precision until `quantise` is called."""

from torch import Tensor, nn
from torch.nn import functional

from asq_model.codes import LevelSet
from asq_model.layers import QuantConv2d, Quantised, QuantLinear

OUTER_BITS = 8  # of the first and the last layer, as in the paper


class Block(nn.Module):
    """Basic residual block: two 3×3 convolutions, and a 1×1 convolution on the shortcut where the shape changes."""

    def __init__(self, channels: int, out_channels: int, stride: int):
        super().__init__()
        self.conv1 = QuantConv2d(channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = QuantConv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.downsample = None
        if stride != 1 or channels != out_channels:
            convolution = QuantConv2d(channels, out_channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(convolution, nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(x)) + shortcut)


class DigitsNet(nn.Module):
    """A residual network of three blocks for 8×8 grey images: input [N, 1, 8, 8], output [N, 10] logits."""

    WIDTHS = (16, 32, 64)

    def __init__(self):
        super().__init__()
        first, second, third = self.WIDTHS
        self.conv = QuantConv2d(1, first, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(first)
        self.block1 = Block(first, first, 1)
        self.block2 = Block(first, second, 2)
        self.block3 = Block(second, third, 2)
        self.fc = QuantLinear(third, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.bn(self.conv(x)))
        x = self.block3(self.block2(self.block1(x)))
        return self.fc(x.mean((2, 3)))

    def quantise(self, level_set: LevelSet, activation_bits: int) -> None:
        """ASQ activations and `level_set` weights in every layer but the first and the last, which get 8-bit LSQ."""
        for layer in (self.conv, self.fc):
            layer.quantise(LevelSet("uniform", OUTER_BITS), OUTER_BITS, adaptive=False)
        for _, layer in self.inner_layers():
            layer.quantise(level_set, activation_bits, adaptive=True)

    def quantised_layers(self) -> list[tuple[str, Quantised]]:
        return [(name, module) for name, module in self.named_modules() if isinstance(module, Quantised)]

    def inner_layers(self) -> list[tuple[str, Quantised]]:
        """All quantised layers but the first and the last."""
        return [(name, layer) for name, layer in self.quantised_layers() if layer not in (self.conv, self.fc)]
