"""The adapter of ASQ: the small module that looks at a layer's input and says how large the step should be."""

from torch import Tensor, nn
from torch.nn import functional

ONE_LAYER_BELOW = 8  # input channels, by the paper's rule
RATIO = 4  # input channels per hidden unit


class Adapter(nn.Module):
    """β of each sample from its un-quantised input (Eq. 4): average over positions, one or two linear layers, ReLU.

    Input [N, C, ...] (or [N, ..., C] with `channel_axis` −1), output [N], at least `floor`: an output that ReLU made 0
    would give a step of 0 and no gradient.
    Two layers are C → max(C // ratio, 1) → 1. The last one starts at weights N(0, 0.01²) and bias 1, so β ≈ 1.
    `layers`: 1 or 2; 0 takes one for fewer than 8 channels, otherwise two.
    """

    def __init__(
        self, channels: int, layers: int = 0, ratio: int = RATIO, floor: float = 2.0**-4, channel_axis: int = 1
    ):
        super().__init__()
        self.floor, self.channel_axis = floor, channel_axis
        hidden = max(channels // ratio, 1)
        two = layers == 2 or (layers == 0 and channels >= ONE_LAYER_BELOW)
        self.hidden = nn.Linear(channels, hidden) if two else None
        self.output = nn.Linear(hidden if two else channels, 1)
        nn.init.normal_(self.output.weight, std=0.01)
        nn.init.ones_(self.output.bias)

    def forward(self, x: Tensor) -> Tensor:
        positions = tuple(set(range(1, x.dim())) - {self.channel_axis % x.dim()})
        pooled = x.mean(positions) if positions else x
        if self.hidden is not None:
            pooled = functional.relu(self.hidden(pooled))
        return functional.relu(self.output(pooled)).clamp_min(self.floor).squeeze(1)
