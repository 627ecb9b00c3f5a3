"""ASQ in integers: from a layer's input to its step and its codes. `docs/integer-spec.md` says the same in prose.

The input r has binary point f: it means r · 2^-f. The step is an integer S with binary point f + `GUARD`, so that
quantising compares r · 2^GUARD with S, and S is the only divisor.
"""

from dataclasses import dataclass
from math import frexp
from typing import Annotated

import numpy as np
from msgspec import Meta

from asq_model.common.errors import InputError
from asq_model.common.records import Width
from asq_model.spec.fixed_point import bounds, check_room, find_mantissas, largest, round_shift, saturate
from asq_model.spec.formats import Bits, Point, Positive64, Shift
from asq_model.spec.precision import BETA_LIMIT, GUARD, SHIFT_BITS, WORKING_BITS, Precision, accumulator_bits

BetaPoint = Annotated[int, Meta(ge=0, le=WORKING_BITS - BETA_LIMIT.bit_length())]  # β's limit then fits 64 bits


def sum_channels(x: np.ndarray) -> np.ndarray:
    """Sum int [N, C, ...] over all positions, int64 [N, C]."""
    return x.reshape(x.shape[0], x.shape[1], -1).sum(2, dtype=np.int64)


@dataclass(frozen=True)
class IntegerDense:
    """A dense layer: round_shift(Σ weights · x + bias, shift).

    weights: int [O, I]. bias: int [O], at the sum's binary point. Raises InputError, when called, where a sum may need
    more than 64 bits.
    """

    weights: np.ndarray
    bias: np.ndarray
    shift: Shift

    @classmethod
    def from_real(
        cls, weights: np.ndarray, bias: np.ndarray, point: int, out_point: int, bits: int, reach: int, bias_bits: int
    ) -> tuple["IntegerDense", int]:
        """The layer of real weights [O, I] and bias [O], and the binary point of its output.

        point: binary point of the input, whose magnitude is at most `reach`. out_point: the output's, or less where the
        weights do not give so many bits. Weights are stored in `bits` bits, in fewer where the bias (`bias_bits` bits),
        the sum or the shift would not fit otherwise: weights so small hardly matter.
        """
        codes, weight_point = find_mantissas(weights, bits)
        bias = np.asarray(bias, np.float64)
        largest_bias = float(np.abs(bias).max())
        largest_sum = float(np.abs(weights).max()) * weights.shape[1] * reach + largest_bias * 2.0**point
        most = min(
            bias_bits - point - frexp(largest_bias)[1],
            WORKING_BITS - frexp(largest_sum)[1],
            (1 << SHIFT_BITS) - 1 + out_point - point,
        )
        if weight_point > most:
            codes, weight_point = np.rint(np.ldexp(weights, most)).astype(np.int64), most
        total = weight_point + point
        out_point = min(out_point, total)
        return cls(codes, np.rint(np.ldexp(bias, total)).astype(np.int64), total - out_point), out_point

    def __call__(self, x: np.ndarray) -> np.ndarray:
        check_room("a sum of the adapter", largest(x) * largest(self.weights) * x.shape[-1] + largest(self.bias))
        return round_shift(x @ self.weights.T + self.bias, self.shift)


@dataclass(frozen=True)
class IntegerAdapter:
    """β from channel sums: one or two dense layers, ReLU, floor and ceiling.

    The mean's division is in the first layer's weights. hidden: the layer of hidden neurons, which saturate at
    `hidden_bits` bits, unsigned. point: β's binary point. floor: the least β, at that point.
    """

    hidden: IntegerDense | None
    output: IntegerDense
    floor: Positive64
    point: BetaPoint
    hidden_bits: Bits

    @classmethod
    def from_real(
        cls,
        parameters: dict[str, np.ndarray],
        floor: float,
        positions: int,
        point: int,
        hidden_point: int,
        precision: Precision,
    ) -> "IntegerAdapter":
        """The adapter of real parameters (`hidden.weight` …), for maps of `positions` pixels and binary point `point`.

        hidden_point: binary point of the hidden neurons, from calibration. Raises InputError for weights so large that
        β would be far beyond what it may be.
        """
        neurons, channels = parameters.get("hidden.weight", parameters["output.weight"]).shape
        bits = precision.bits
        bias_bits = accumulator_bits(channels, positions, neurons, bits) - 2
        reach, scale, hidden = positions << bits - 1, 1 / positions, None
        if "hidden.weight" in parameters:
            weights = parameters["hidden.weight"].astype(np.float64) * scale
            bias = parameters["hidden.bias"]
            hidden, point = IntegerDense.from_real(weights, bias, point, hidden_point, bits, reach, bias_bits)
            reach, scale = 1 << precision.hidden_bits, 1
        weights = parameters["output.weight"].astype(np.float64) * scale
        output, point = IntegerDense.from_real(weights, parameters["output.bias"], point, bits, bits, reach, bias_bits)
        if point < bits:
            most = max(float(np.abs(values).max()) for values in parameters.values())
            raise InputError(f"its adapter has parameters up to {most:.3g}, which leave β {point} fraction bits")
        return cls(hidden, output, max(1, round(floor * 2**bits)), bits, precision.hidden_bits)

    def check(self, channels: int) -> None:
        """Raises InputError unless the layers are for so many channels, fit each other, and give one β."""
        size = channels
        for dense in (self.hidden, self.output):
            if dense is not None:
                outputs = len(dense.bias) if dense.bias.ndim == 1 else 0
                if dense.weights.shape != (outputs, size) or {dense.weights.dtype, dense.bias.dtype} != {
                    np.dtype(np.int64)
                }:
                    raise InputError(
                        f"its adapter has weights {dense.weights.dtype} {list(dense.weights.shape)} and biases"
                        f" {list(dense.bias.shape)}; allowed: int64 [neurons, {size}] and [neurons]"
                    )
                size = outputs
        if size != 1:
            raise InputError(f"its adapter has {size} outputs; allowed: 1")

    @property
    def ceiling(self) -> int:
        """The largest β, at its binary point."""
        return BETA_LIMIT << self.point

    def __call__(self, sums: np.ndarray) -> np.ndarray:
        """β int64 [N], at `point`, from channel sums int64 [N, C]."""
        if self.hidden is not None:
            sums, _ = saturate(np.maximum(self.hidden(sums), 0), self.hidden_bits, signed=False)
        return np.clip(self.output(sums)[:, 0], self.floor, self.ceiling)


@dataclass(frozen=True)
class IntegerQuantiser:
    """The activation quantiser of one layer: b bits, and its learned step as an integer with binary point f + `GUARD`.

    S = round_shift(mantissa · β, β's point); without an adapter S is the mantissa. `point` is f, that of the layer's
    input.
    """

    bits: Width
    signed: bool
    mantissa: Positive64
    point: Point
    adapter: IntegerAdapter | None

    @classmethod
    def from_real(
        cls,
        bits: int,
        signed: bool,
        step: float,
        point: int,
        adapter: IntegerAdapter | None,
        precision: Precision,
        gain: int = 1,
    ) -> "IntegerQuantiser":
        """The quantiser of the real step s of a layer whose input has binary point `point`.

        gain: how many times larger than real the input is.
        """
        mantissa = min(max(round(step * gain * 2.0 ** (point + GUARD)), 1), (gain << precision.mantissa_bits) - 1)
        return cls(bits, signed, mantissa, point, adapter)

    def compute_step(self, x: np.ndarray) -> np.ndarray:
        """Compute S of each sample, int64 [N], at least 1."""
        if self.adapter is None:
            return np.full(len(x), self.mantissa, np.int64)
        beta = self.adapter(sum_channels(x))
        check_room("the step times β", self.mantissa * largest(beta))
        return np.maximum(round_shift(self.mantissa * beta, self.adapter.point), 1)

    def make_division(self, x: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Make dividend and divisor of (r + s/2) / s in integers, (r · 2^(GUARD + 1) + S) / 2S.

        Raises InputError for a step below 1 and for more than 64 bits.
        """
        if step.size and int(step.min()) < 1:
            raise InputError(f"a step is {int(step.min())}; allowed: 1 or more")
        check_room("an input and a step", (largest(x) << GUARD + 1) + 2 * largest(step))
        step = step.reshape(-1, *(1,) * (x.ndim - 1))
        return (np.asarray(x, np.int64) << GUARD + 1) + step, 2 * step

    def encode(self, x: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Compute the codes q = clamp(floor((r + s/2) / s), n, p), int64 shaped as x; ties round up."""
        dividend, divisor = self.make_division(x, step)
        return np.clip(dividend // divisor, *bounds(self.bits, self.signed))

    def find_ties(self, x: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Find which values lie exactly between two codes: rounded up here, to even in torch."""
        dividend, divisor = self.make_division(x, step)
        return dividend % divisor == 0
