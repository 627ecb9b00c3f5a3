"""Quantisers of a layer's input: LSQ, ASQ (LSQ with an adapter), and the baselines PACT, DoReFa, LSQ+ and POT."""

from math import sqrt

import torch
from torch import Tensor, nn

from asq_model.common.errors import InputError
from asq_model.config.layer_config import LayerConfig
from asq_model.distributed import world_size
from asq_model.quantisation.activation_base import ActivationQuantiser, InputStatistics
from asq_model.quantisation.adapter import Adapter
from asq_model.quantisation.straight_through import (
    SMALLEST_STEP,
    NearestLevel,
    Round,
    ScaleGradient,
    call,
    exporting,
    keep_positive,
)
from asq_model.spec.levels import LevelSet

# What a learned step was started from; a later one replaces an earlier one.
NOT_STARTED, FROM_EXAMPLE, FROM_BATCH = 0, 1, 2


class LsqActivation(ActivationQuantiser):
    """A quantiser with a learned step (LSQ), or with an adapter a step per sample s_a = s·β (ASQ, Eq. 4-9).

    The step starts at 2·mean|x|/√p of the first batch that it sees in training, of all processes together; a batch of
    zeros says nothing, so the next one is waited for. Until then it has the start that an example gave it (`start`);
    without either, evaluation raises InputError. `step_gradient`, `scale_beta_gradient`: see `LayerConfig`.
    """

    started: Tensor

    def __init__(
        self,
        bits: int,
        signed: bool = False,
        adapter: Adapter | None = None,
        step_gradient: str = "numel",
        scale_beta_gradient: bool = False,
    ):
        super().__init__(bits, signed)
        self.adapter = adapter
        self.step_gradient, self.scale_beta_gradient = step_gradient, scale_beta_gradient
        self.settled = False  # whether the start is final, so that nobody need look at `started`
        self.step = nn.Parameter(torch.ones(()))
        # A number, not a flag: averages of networks (EMA, SWA) subtract buffers.
        self.register_buffer("started", torch.tensor(float(NOT_STARTED)))

    @torch.no_grad()
    def start(self, statistics: InputStatistics, source: int) -> None:
        """Start the step from 2·mean|x|/√p, unless the input is all zeros. Raises InputError unless it is finite."""
        if not statistics.finite:
            raise InputError("the first input, which its step starts from, has values that are not finite")
        if self.tells(statistics):
            self.start_from(statistics)
            self.started.fill_(source)

    def tells(self, statistics: InputStatistics) -> bool:
        """Whether an input says how large the step should be: zeros do not."""
        return bool(statistics.mean_magnitude > 0)

    def start_from(self, statistics: InputStatistics) -> None:
        """Set the step from an input's statistics."""
        self.step.copy_((2 * statistics.mean_magnitude / sqrt(self.high)).clamp_min(SMALLEST_STEP))

    def start_if_needed(self, x: Tensor) -> None:
        """Start from a batch in training. Raises InputError in evaluation where nothing was started."""
        if self.settled or exporting() or not x.numel():
            return
        if self.training:
            if self.started < FROM_BATCH:
                self.start(InputStatistics.of(x), FROM_BATCH)
        elif self.started == NOT_STARTED and x.any():
            raise InputError("its step has no start yet: give convert() an example, or train on a batch first")

    def settle(self) -> None:
        """Take the step's start as final: later batches are not waited for to see whether it is.

        Raises InputError unless a batch started it.
        """
        if self.started < FROM_BATCH:
            raise InputError("its step was not started by the first batch")
        self.settled = True

    def scale_gradient(self, parameter: Tensor, x: Tensor) -> Tensor:
        """Multiply a parameter's gradient by g = 1/√(N·p), N counted in the input x; by 1 if `unscaled`."""
        if self.step_gradient == "unscaled" or not torch.is_grad_enabled() or exporting():
            return parameter  # and in an export the batch is a symbol
        count = x.numel() * world_size() if self.step_gradient == "numel" else x.shape[1:].numel()
        return ScaleGradient.apply(parameter, 1 / sqrt(max(count, 1) * self.high))

    def compute_grid(self, x: Tensor) -> tuple[Tensor, Tensor | float]:
        """Compute the learned step, times β(x) of each sample where there is an adapter; no offset."""
        self.start_if_needed(x)
        step = keep_positive(self.scale_gradient(self.step, x))
        if self.adapter is not None:
            beta = self.adapter(x)
            if self.scale_beta_gradient:
                beta = self.scale_gradient(beta, x)
            step = step * beta.view(-1, *(1,) * (x.dim() - 1))
        return step, 0.0


class LsqPlusActivation(LsqActivation):
    """LSQ+ (Bhalgat 2020): x̂ = q·s + β with a learned offset β, for inputs that are somewhat negative.

    Starts from the first batch: the codes span its smallest to its largest value.
    """

    def __init__(self, bits: int, signed: bool = False, step_gradient: str = "numel"):
        super().__init__(bits, signed, None, step_gradient)
        self.offset = nn.Parameter(torch.zeros(()))

    def tells(self, statistics: InputStatistics) -> bool:
        """Whether an input says how large the step should be: values that are all the same do not."""
        return bool(statistics.largest > statistics.smallest)

    def start_from(self, statistics: InputStatistics) -> None:
        """Set step and offset so that the codes span the input from its smallest to its largest value."""
        span = statistics.largest - statistics.smallest
        self.step.copy_((span / (self.high - self.low)).clamp_min(SMALLEST_STEP))
        self.offset.copy_(statistics.smallest - self.low * self.step)

    def compute_grid(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the learned step and the learned offset."""
        step, _ = super().compute_grid(x)
        return step, self.scale_gradient(self.offset, x)


class PotActivation(LsqActivation):
    """POT for activations (Eq. 3): the levels are zero and powers of two up to p·s, the largest of LSQ with step s.

    b bits without a sign have 2^b − 1 powers of two, with one 2^(b−1) − 1 of either sign. The step starts, and its
    gradient is scaled, as LSQ's is. A product with a weight is the weight's level shifted; units here take none.
    """

    levels: Tensor
    midpoints: Tensor

    def __init__(self, bits: int, signed: bool = False, step_gradient: str = "numel"):
        super().__init__(bits, signed, None, step_gradient)
        level_set = LevelSet("pot", bits + (not signed), "symmetric")
        first = 0 if signed else len(level_set.levels) // 2  # zero is in the middle
        self.register_buffer("levels", self.step.new_tensor(level_set.levels[first:]), persistent=False)
        self.register_buffer("midpoints", self.step.new_tensor(level_set.midpoints[first:]), persistent=False)

    def round_to_grid(self, x: Tensor, step: Tensor, offset: Tensor | float) -> Tensor:
        """Round the input to the nearest level between 0 and p·s; with a sign, between ±p·s."""
        if not self.signed:
            x = x.clamp_min(0)  # below it nothing learns
        return call(NearestLevel, x, step * self.high, self.levels, self.midpoints)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Raises InputError: powers of two are no multiples q·s with q in the range of the bits."""
        raise InputError("pot activations have no integers of one step")


class PactActivation(ActivationQuantiser):
    """PACT (Choi 2018): clip to a learned [0, α], then uniform. ∂x̂/∂α = 1[x ≥ α]; α starts at 10, as published."""

    def __init__(self, bits: int):
        super().__init__(bits)
        self.clip = nn.Parameter(torch.tensor(10.0))

    def compute_grid(self, x: Tensor) -> tuple[Tensor, float]:
        """Compute the step α/p of the learned bound α; no offset."""
        return keep_positive(self.clip) / self.high, 0.0

    def round_to_grid(self, x: Tensor, step: Tensor, offset: Tensor | float) -> Tensor:
        """Clip the input to [0, α] and round it; only values at the bound move α."""
        clipped = torch.minimum(x.clamp_min(0), step * self.high)
        # Rounded on a grid that is a constant for the gradient: the clip alone moves α.
        step = step.detach()
        return Round.apply(clipped / step) * step


class DorefaActivation(ActivationQuantiser):
    """DoReFa-Net (Zhou 2016): clip to [0, 1], then uniform; nothing is learned."""

    def __init__(self, bits: int):
        super().__init__(bits)
        self.register_buffer("step", torch.tensor(1 / self.high), persistent=False)

    def compute_grid(self, x: Tensor) -> tuple[Tensor, float]:
        """Return the fixed step 1/p; no offset."""
        return self.step, 0.0


def make_activation_quantiser(config: LayerConfig, channels: int, channel_axis: int = 1) -> ActivationQuantiser:
    """Make the quantiser of a layer's input with that many channels along that axis."""
    if config.activations == "pact":
        return PactActivation(config.activation_bits)
    if config.activations == "dorefa":
        return DorefaActivation(config.activation_bits)
    if config.activations == "pot":
        return PotActivation(config.activation_bits, config.signed, config.step_gradient)
    if config.activations == "lsq+":
        return LsqPlusActivation(config.activation_bits, config.signed, config.step_gradient)
    adapter = None
    if config.activations == "asq":
        adapter = Adapter(
            channels,
            config.adapter_layers,
            config.adapter_ratio,
            config.beta_floor,
            channel_axis,
            config.adapter_start,
            config.signed,
        )
    return LsqActivation(
        config.activation_bits, config.signed, adapter, config.step_gradient, config.scale_beta_gradient
    )
