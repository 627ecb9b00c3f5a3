"""ASQ in integers: from a layer's input to its step and its codes. `docs/integer-spec.md` is this in prose.

The input r has binary point f: it means r · 2^-f. The step is an integer S with binary point f + `GUARD`, so that
quantising compares r · 2^GUARD with S and nothing is divided by anything but S.
"""

from dataclasses import dataclass
from math import frexp

import numpy as np

from asq_model.common.errors import InputError, check_range
from asq_model.spec.fixed_point import check_room, largest, mantissas, round_shift, saturate

BETA_LIMIT = 16  # β saturates there
BIAS_BITS = 8  # of an adapter's bias above the products' sum
SHIFT_BITS = 6  # of every shift that is an input of a hardware block
WORKING_BITS = 62  # of a sum's magnitude: numpy computes in int64
GUARD = 8  # bits of a step below the input's last: the same for all layers, so that hardware shifts by wiring


@dataclass(frozen=True)
class Precision:
    """Widths of the integer network, all from one number. Raises InputError for `bits` outside 12 to 20.

    bits: of a layer's input, the adapter's weights, the fraction of β and the channels' multipliers.
    """

    bits: int = 20

    def __post_init__(self):
        check_range("PRECISION", self.bits, 12, 20)

    @property
    def hidden(self) -> int:
        """Of the adapter's hidden units, unsigned."""
        return self.bits + 4

    @property
    def scale(self) -> int:
        """Of a channel's multiplier times the step at β = 1, signed."""
        return self.bits + 4

    @property
    def mantissa(self) -> int:
        """Of a learned step, unsigned: the step may be as large as the largest input."""
        return self.bits + GUARD

    @property
    def frac(self) -> int:
        """Fraction bits of a sum in Z[√2]: the rounding of √2 is then no larger than the others."""
        return self.bits - 8


def channel_sums(x: np.ndarray) -> np.ndarray:
    """int64 [N, C]: sums over all positions of int [N, C, ...]."""
    return x.reshape(x.shape[0], x.shape[1], -1).sum(2, dtype=np.int64)


@dataclass(frozen=True)
class Dense:
    """A dense layer: round_shift(Σ weights · x + bias, shift). weights int [O, I], bias int [O] at the sum's point.
    Raises InputError where a sum may need more than 64 bits."""

    weights: np.ndarray
    bias: np.ndarray
    shift: int

    def __call__(self, x: np.ndarray) -> np.ndarray:
        check_room("a sum of the adapter", largest(x) * largest(self.weights) * x.shape[-1] + largest(self.bias))
        return round_shift(x @ self.weights.T + self.bias, self.shift)


def accumulator_bits(channels: int, positions: int, hidden: int, bits: int) -> int:
    """Bits of an adapter's signed sums: those over all channels' sums or over all hidden neurons, times weights, and a
    bias 2^`BIAS_BITS` times as large."""
    of_channels = bits + (positions - 1).bit_length() + (channels - 1).bit_length()
    of_neurons = bits + 4 + 1 + (hidden - 1).bit_length()
    return max(of_channels, of_neurons) + bits + BIAS_BITS


def dense(
    weights: np.ndarray, bias: np.ndarray, point: int, out_point: int, bits: int, reach: int, room: int
) -> tuple[Dense, int]:
    """(a dense layer from real weights [O, I] and bias [O], the binary point of its output).

    point: binary point of the input, whose magnitude is at most `reach`. out_point: the output's, or less where the
    weights do not give so many bits. Weights are stored in `bits` bits, in fewer where the bias (`room` bits), the sum
    or the shift would not fit otherwise: weights so small hardly matter.
    """
    codes, weight_point = mantissas(weights, bits)
    bias = np.asarray(bias, np.float64)
    largest_bias = float(np.abs(bias).max())
    largest_sum = float(np.abs(weights).max()) * weights.shape[1] * reach + largest_bias * 2.0**point
    most = min(
        room - point - frexp(largest_bias)[1],
        WORKING_BITS - frexp(largest_sum)[1],
        (1 << SHIFT_BITS) - 1 + out_point - point,
    )
    if weight_point > most:
        codes, weight_point = np.rint(np.ldexp(weights, most)).astype(np.int64), most
    total = weight_point + point
    out_point = min(out_point, total)
    return Dense(codes, np.rint(np.ldexp(bias, total)).astype(np.int64), total - out_point), out_point


@dataclass(frozen=True)
class Adapter:
    """β from channel sums: one or two dense layers, ReLU, floor and ceiling.

    The mean's division is in the first layer's weights. floor: at β's binary point, `point`. hidden_bits: of the
    hidden units, unsigned, saturating.
    """

    hidden: Dense | None
    output: Dense
    floor: int
    point: int
    hidden_bits: int

    @property
    def ceiling(self) -> int:
        return BETA_LIMIT << self.point

    def __call__(self, sums: np.ndarray) -> np.ndarray:
        """int64 [N], at `point`, from int64 [N, C]."""
        if self.hidden is not None:
            sums, _ = saturate(np.maximum(self.hidden(sums), 0), self.hidden_bits, signed=False)
        return np.clip(self.output(sums)[:, 0], self.floor, self.ceiling)


def adapter(
    parameters: dict[str, np.ndarray],
    floor: float,
    positions: int,
    point: int,
    hidden_point: int,
    precision: Precision,
) -> Adapter:
    """An adapter from its real parameters (`hidden.weight` …), for maps of `positions` pixels and binary point `point`.

    hidden_point: of the hidden neurons, from calibration. Raises InputError for weights so large that β would be far
    beyond what it may be.
    """
    neurons, channels = parameters.get("hidden.weight", parameters["output.weight"]).shape
    room = accumulator_bits(channels, positions, neurons, precision.bits) - 2
    reach, scale, hidden = positions << precision.bits - 1, 1 / positions, None
    if "hidden.weight" in parameters:
        weights = parameters["hidden.weight"].astype(np.float64) * scale
        hidden, point = dense(weights, parameters["hidden.bias"], point, hidden_point, precision.bits, reach, room)
        reach, scale = 1 << precision.hidden, 1
    weights = parameters["output.weight"].astype(np.float64) * scale
    output, point = dense(weights, parameters["output.bias"], point, precision.bits, precision.bits, reach, room)
    if point < precision.bits:
        most = max(float(np.abs(values).max()) for values in parameters.values())
        raise InputError(f"its adapter has parameters up to {most:.3g}, which leave β {point} fraction bits")
    return Adapter(hidden, output, max(1, round(floor * 2**precision.bits)), precision.bits, precision.hidden)


@dataclass(frozen=True)
class Quantiser:
    """The activation quantiser of one layer: b bits, and its learned step as an integer with binary point f + `GUARD`.

    S = round_shift(mantissa · β, β's point); without an adapter S is the mantissa. `point` is f, that of the layer's
    input.
    """

    bits: int
    signed: bool
    mantissa: int
    point: int
    adapter: Adapter | None

    def step(self, x: np.ndarray) -> np.ndarray:
        """S of each sample, int64 [N], at least 1."""
        if self.adapter is None:
            return np.full(len(x), self.mantissa, np.int64)
        beta = self.adapter(channel_sums(x))
        check_room("the step times β", self.mantissa * largest(beta))
        return np.maximum(round_shift(self.mantissa * beta, self.adapter.point), 1)

    def division(self, x: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(dividend, divisor) of (r + s/2) / s, in integers: (r · 2^(GUARD + 1) + S) / 2S. Raises InputError for a step
        below 1 and for more than 64 bits."""
        if step.size and int(step.min()) < 1:
            raise InputError(f"a step is {int(step.min())}; allowed: 1 or more")
        check_room("an input and a step", (largest(x) << GUARD + 1) + 2 * largest(step))
        step = step.reshape(-1, *(1,) * (x.ndim - 1))
        return (np.asarray(x, np.int64) << GUARD + 1) + step, 2 * step

    def codes(self, x: np.ndarray, step: np.ndarray) -> np.ndarray:
        """q = clamp(floor((r + s/2) / s), n, p), int64 shaped as x; ties round up."""
        low, high = (-(1 << self.bits - 1), (1 << self.bits - 1) - 1) if self.signed else (0, (1 << self.bits) - 1)
        dividend, divisor = self.division(x, step)
        return np.clip(dividend // divisor, low, high)

    def ties(self, x: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Which values lie exactly between two codes: rounded up here, to even in torch."""
        dividend, divisor = self.division(x, step)
        return dividend % divisor == 0


def quantiser(
    bits: int, signed: bool, step: float, point: int, adapter: Adapter | None, precision: Precision
) -> Quantiser:
    """From the real step s of a layer whose input has binary point `point`."""
    mantissa = min(max(round(step * 2.0 ** (point + GUARD)), 1), (1 << precision.mantissa) - 1)
    return Quantiser(bits, signed, mantissa, point, adapter)
