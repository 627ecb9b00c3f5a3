"""A small network of every kind of layer, and images for it."""

import pytest
import torch
from torch import nn


class Net(nn.Module):
    """Defined in another order than it runs; grouped, depthwise and strided convolutions, and one that is not used."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(12, 3)
        self.unused = nn.Conv2d(1, 1, 1)
        self.body = nn.Sequential(
            nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False),
            nn.ReLU(),
            nn.Conv2d(8, 12, 3, stride=2, padding=2, dilation=2, groups=4, padding_mode="circular"),
            nn.Linear(4, 5),
        )
        self.first = nn.Conv2d(2, 8, 3)

    def forward(self, x):
        x = torch.relu(self.body[:3](self.first(x)))
        return self.last(self.body[3](x[..., :4]).mean((2, 3)) - 1)


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


@pytest.fixture
def images():
    return torch.rand(4, 2, 12, 12, generator=torch.Generator().manual_seed(1))
