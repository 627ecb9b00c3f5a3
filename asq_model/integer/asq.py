"""ASQ in integers: from a layer's 16-bit input to its step and its codes. `docs/integer-spec.md` is this in prose.

The input r has binary point f: it means r · 2^-f. The step is an integer S with binary point f + `GUARD`, so that
quantising compares r · 2^GUARD with S and nothing is divided by anything but S.
"""

from dataclasses import dataclass

import numpy as np

from asq_model.integer.fixed import mantissas, round_shift, saturate

ACTIVATION_BITS = 16  # of a layer's input before it is quantised
WEIGHT_BITS = 16  # of the adapter's weights
HIDDEN_BITS = 20  # of the adapter's hidden units
BETA_POINT = 16  # β means β · 2^-16
BETA_CEILING = 1 << BETA_POINT + 4  # 16, where β saturates
STEP_BITS = 16  # of the mantissa of s, and of S at β = 1


def channel_sums(x: np.ndarray) -> np.ndarray:
    """int64 [N, C]: sums over all positions of int [N, C, ...]."""
    return x.reshape(x.shape[0], x.shape[1], -1).sum(2, dtype=np.int64)


@dataclass(frozen=True)
class Dense:
    """A dense layer: round_shift(Σ weights · x + bias, shift). weights int [O, I], bias int [O] at the sum's point."""

    weights: np.ndarray
    bias: np.ndarray
    shift: int

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return round_shift(x @ self.weights.T + self.bias, self.shift)


def dense(weights: np.ndarray, bias: np.ndarray, point: int, out_point: int) -> Dense:
    """A dense layer from real weights [O, I] and bias [O]: input with binary point `point`, output `out_point`."""
    codes, weight_point = mantissas(weights, WEIGHT_BITS)
    total = weight_point + point
    return Dense(codes, np.rint(np.asarray(bias, np.float64) * 2.0**total).astype(np.int64), total - out_point)


@dataclass(frozen=True)
class Adapter:
    """β from channel sums: one or two dense layers, ReLU, floor and ceiling.

    The mean's division is in the first layer's weights. `floor` is at `BETA_POINT`.
    """

    hidden: Dense | None
    output: Dense
    floor: int

    def __call__(self, sums: np.ndarray) -> np.ndarray:
        """int64 [N], at `BETA_POINT`, from int64 [N, C]."""
        if self.hidden is not None:
            sums, _ = saturate(np.maximum(self.hidden(sums), 0), HIDDEN_BITS, signed=False)
        return np.clip(self.output(sums)[:, 0], self.floor, BETA_CEILING)


def adapter(parameters: dict[str, np.ndarray], floor: float, positions: int, point: int, hidden_point: int) -> Adapter:
    """An adapter from its real parameters (`hidden.weight` …), for maps of `positions` pixels and binary point `point`.

    hidden_point: of the hidden units, from calibration.
    """
    names = ["hidden", "output"] if "hidden.weight" in parameters else ["output"]
    layers = []
    for name in names:
        weights, bias = parameters[f"{name}.weight"].astype(np.float64), parameters[f"{name}.bias"]
        if name == names[0]:
            weights = weights / positions
        out_point = BETA_POINT if name == "output" else hidden_point
        layers.append(dense(weights, bias, point, out_point))
        point = out_point
    hidden = layers[0] if len(layers) == 2 else None
    return Adapter(hidden, layers[-1], max(1, round(floor * 2**BETA_POINT)))


@dataclass(frozen=True)
class Quantiser:
    """The activation quantiser of one layer: b bits, its learned step as mantissa, and the guard bits of S.

    S = round_shift(mantissa · β, BETA_POINT) with binary point f + guard; without an adapter S is the mantissa.
    `point` is f, that of the layer's input.
    """

    bits: int
    signed: bool
    mantissa: int
    point: int
    guard: int
    adapter: Adapter | None

    def step(self, x: np.ndarray) -> np.ndarray:
        """S of each sample, int64 [N], at least 1."""
        if self.adapter is None:
            return np.full(len(x), self.mantissa, np.int64)
        return np.maximum(round_shift(self.mantissa * self.adapter(channel_sums(x)), BETA_POINT), 1)

    def division(self, x: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(dividend, divisor) of (r + s/2) / s, in integers: (r · 2^(guard + 1) + S) / 2S."""
        step = step.reshape(-1, *(1,) * (x.ndim - 1))
        return round_shift(x, -(self.guard + 1)) + step, 2 * step

    def codes(self, x: np.ndarray, step: np.ndarray) -> np.ndarray:
        """q = clamp(floor((r + s/2) / s), n, p), int64 shaped as x; ties round up."""
        low, high = (-(1 << self.bits - 1), (1 << self.bits - 1) - 1) if self.signed else (0, (1 << self.bits) - 1)
        dividend, divisor = self.division(x, step)
        return np.clip(dividend // divisor, low, high)

    def ties(self, x: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Which values lie exactly between two codes: rounded up here, to even in torch."""
        dividend, divisor = self.division(x, step)
        return dividend % divisor == 0


def quantiser(bits: int, signed: bool, step: float, point: int, adapter: Adapter | None) -> Quantiser:
    """From the real step s of a layer whose input has binary point `point`."""
    mantissa, exponent = mantissas(np.array(step), STEP_BITS + 1)  # one bit is the sign, which a step does not need
    return Quantiser(bits, signed, int(mantissa), point, exponent - point, adapter)
