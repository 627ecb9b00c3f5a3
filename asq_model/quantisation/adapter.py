"""The adapter of ASQ: the small module that finds from a layer's input how large the step should be."""

from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional

from asq_model.quantisation.straight_through import exporting
from asq_model.spec.precision import BETA_LIMIT

ONE_LAYER_BELOW = 8  # input channels, by the paper's rule
RATIO = 4  # input channels per hidden neuron


def average(x: Tensor, positions: tuple[int, ...]) -> Tensor:
    """Take the mean over some axes, which are gone from the result.

    In training on a CPU it is a sum that is divided, as torch has the mean of float32 there, bit by bit: the gradient
    is divided before it is spread over the positions, not after, which saves a pass over memory.
    """
    divided = torch.is_grad_enabled() and not exporting() and not x.is_cuda and x.dtype == torch.float32
    return x.sum(positions) / prod(x.shape[axis] for axis in positions) if divided else x.mean(positions)


class Adapter(nn.Module):
    """The factor β of each sample from its un-quantised input (Eq. 4).

    Average over positions, one or two linear layers, ReLU.

    Input [N, C, ...] (or [N, ..., C] with `channel_axis` −1), output [N] from `floor`, which stands for the last ReLU
    (an output of 0 would give a step of 0), to `BETA_LIMIT`, where hardware saturates.
    Two layers are C → max(C // ratio, 1) → 1. The last one starts at weights N(0, 0.01²) and bias 1, so β ≈ 1.
    `layers`: 1 or 2; 0 takes one for fewer than 8 channels, otherwise two.

    start: how the hidden layer starts. `authors`: as `nn.Linear` does, with signs at random; every neuron may then be
    silent on all images, so that β is a constant without a gradient. `active`: the same magnitudes with signs that keep
    neurons awake, all positive for inputs ≥ 0; for `signed` inputs every other neuron is turned round, so that half
    of them are awake whichever sign the averages have.
    """

    def __init__(
        self,
        channels: int,
        layers: int = 0,
        ratio: int = RATIO,
        floor: float = 2.0**-4,
        channel_axis: int = 1,
        start: str = "active",
        signed: bool = False,
    ):
        super().__init__()
        self.floor, self.channel_axis = floor, channel_axis
        hidden = max(channels // ratio, 1)
        two = layers == 2 or (layers == 0 and channels >= ONE_LAYER_BELOW)
        self.hidden = nn.Linear(channels, hidden) if two else None
        self.output = nn.Linear(hidden if two else channels, 1)
        nn.init.normal_(self.output.weight, std=0.01)
        nn.init.ones_(self.output.bias)
        if start == "active" and self.hidden is not None:
            self.wake(signed)

    @torch.no_grad()
    def wake(self, signed: bool) -> None:
        """Turn the hidden neurons' signs so that they respond to the inputs that are to be expected."""
        assert self.hidden is not None
        self.hidden.weight.abs_()
        self.hidden.bias.abs_()
        if signed:
            self.hidden.weight[1::2].neg_()

    def pool(self, x: Tensor) -> Tensor:
        """Average over positions, [N, C]: that is what the adapter looks at."""
        positions = tuple(set(range(1, x.dim())) - {self.channel_axis % x.dim()})
        return average(x, positions) if positions else x

    def compute_neurons(self, pooled: Tensor) -> Tensor:
        """Compute the hidden neurons before ReLU, [N, hidden], of an adapter with two layers."""
        assert self.hidden is not None
        return self.hidden(pooled)

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.pool(x)
        if self.hidden is not None:
            pooled = functional.relu(self.compute_neurons(pooled))
        return self.output(pooled).clamp(self.floor, float(BETA_LIMIT)).squeeze(1)
