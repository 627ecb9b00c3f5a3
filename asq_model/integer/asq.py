"""ASQ in integers: from a layer's input to its step and its codes. `docs/integer-spec.md` is this in prose.

The input r has binary point f: it means r · 2^-f. The step is an integer S with binary point f + `GUARD`, so that
quantising compares r · 2^GUARD with S and nothing is divided by anything but S.
"""

from dataclasses import dataclass

import numpy as np

from asq_model.files import InputError
from asq_model.integer.fixed import check_room, checked_range, largest, mantissas, round_shift, saturate

BETA_LIMIT = 16  # β saturates there
GUARD = 8  # bits of a step below the input's last: the same for all layers, so that hardware shifts by wiring


@dataclass(frozen=True)
class Precision:
    """Widths of the integer network, all from one number. Raises InputError for `bits` outside 12 to 20.

    bits: of a layer's input, the adapter's weights, the fraction of β and the channels' multipliers.
    """

    bits: int = 20

    def __post_init__(self):
        checked_range("PRECISION", self.bits, 12, 20)

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


def dense(weights: np.ndarray, bias: np.ndarray, point: int, out_point: int, bits: int) -> Dense:
    """A dense layer from real weights [O, I], stored in `bits` bits, and bias [O]: input with binary point `point`,
    output `out_point`."""
    codes, weight_point = mantissas(weights, bits)
    if np.abs(bias).max(initial=0) * 2.0 ** (weight_point + point) >= 2.0**62:
        # Weights so small that they hardly matter: fewer bits of them leave room for the bias.
        room = 61 - point - max(0, int(np.ceil(np.log2(np.abs(bias).max()))))
        codes, weight_point = np.rint(np.ldexp(weights, room)).astype(np.int64), room
    total = weight_point + point
    return Dense(codes, np.rint(np.asarray(bias, np.float64) * 2.0**total).astype(np.int64), total - out_point)


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

    hidden_point: of the hidden units, from calibration.
    """
    names = ["hidden", "output"] if "hidden.weight" in parameters else ["output"]
    beta_point = precision.bits
    layers = []
    for name in names:
        weights, bias = parameters[f"{name}.weight"].astype(np.float64), parameters[f"{name}.bias"]
        if name == names[0]:
            weights = weights / positions
        out_point = beta_point if name == "output" else hidden_point
        layers.append(dense(weights, bias, point, out_point, precision.bits))
        point = out_point
    hidden = layers[0] if len(layers) == 2 else None
    return Adapter(hidden, layers[-1], max(1, round(floor * 2**beta_point)), beta_point, precision.hidden)


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
