"""The small network for handwritten digits that `make sim` trains."""

from torch import Tensor, nn
from torch.nn import functional

from asq_model.networks.resnet import BasicBlock, make_projection


class DigitsNet(nn.Module):
    """A residual network of three blocks for 8×8 grey images: input [N, 1, 8, 8], output [N, classes] logits."""

    WIDTHS = (16, 32, 64)

    def __init__(self, classes: int = 10):
        super().__init__()
        first, second, third = self.WIDTHS
        self.conv = nn.Conv2d(1, first, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(first)
        self.block1 = BasicBlock(first, first, 1, None)
        self.block2 = BasicBlock(first, second, 2, make_projection(first, second, 2))
        self.block3 = BasicBlock(second, third, 2, make_projection(second, third, 2))
        self.fc = nn.Linear(third, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.bn(self.conv(x)))
        x = self.block3(self.block2(self.block1(x)))
        return self.fc(x.mean((2, 3)))
