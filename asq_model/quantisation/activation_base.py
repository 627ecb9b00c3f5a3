"""What all quantisers of a layer's input do, and what they start from.

All but POT are uniform: integers q in [n, p] that mean `q·step + offset`, the offset zero but in LSQ+.
"""

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from asq_model.common.errors import InputError
from asq_model.distributed import average_globally, find_global_extremes
from asq_model.quantisation.adapter import Adapter
from asq_model.quantisation.straight_through import FakeQuantise, call, exporting
from asq_model.spec.fixed_point import bounds


@dataclass(frozen=True)
class InputStatistics:
    """The statistics of an input that a quantiser starts from: smallest and largest value and mean magnitude.

    Each is a scalar tensor.
    """

    smallest: Tensor
    largest: Tensor
    mean_magnitude: Tensor

    @classmethod
    def of(cls, x: Tensor) -> "InputStatistics":
        """The statistics of a batch, the parts of all processes together."""
        return cls(*find_global_extremes(x), average_globally(x.abs()))

    @property
    def finite(self) -> bool:
        """Whether every value is a number (a NaN or an infinity shows in the mean)."""
        return bool(torch.isfinite(self.mean_magnitude))


class ActivationQuantiser(nn.Module):
    """The base of all activation quantisers: input and output [N, ...], one sample per row."""

    step: Tensor  # of all quantisers but PACT

    def __init__(self, bits: int, signed: bool = False):
        super().__init__()
        self.bits, self.signed = bits, signed
        self.adapter: Adapter | None = None
        self.low, self.high = bounds(bits, signed)  # (n, p) of Eq. 1

    def start(self, statistics: InputStatistics, source: int) -> None:
        """Set what is learned from an input's statistics, of an example or a batch (`FROM_…`). Raises InputError."""

    @abstractmethod
    def compute_grid(self, x: Tensor) -> tuple[Tensor, Tensor | float]:
        """Compute the step and the offset for an input, broadcastable against it."""

    def forward(self, x: Tensor) -> Tensor:
        return self.round_to_grid(x, *self.compute_grid(x))

    def round_to_grid(self, x: Tensor, step: Tensor, offset: Tensor | float) -> Tensor:
        """Quantise the input to x̂, given the step and the offset."""
        if isinstance(offset, float):
            return call(FakeQuantise, x, step, self.low, self.high)
        return call(FakeQuantise, x - offset, step, self.low, self.high) + offset

    @torch.no_grad()
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute integers q, shaped as x, and each sample's step [N]: forward(x) is q·step (LSQ+: plus its offset).

        Raises InputError for an input that is not finite, which no integer stands for.
        """
        if not exporting() and not torch.isfinite(x).all():
            raise InputError("its input has values that are not finite")
        step, offset = self.compute_grid(x)
        q = torch.clamp(torch.round((x - offset) / step), self.low, self.high).to(torch.int64)
        return q, step.reshape(-1).expand(x.shape[0])
