"""Nodes that compute each value on its own: inputs, scaling, sums of tensors, activation functions."""

from collections.abc import Sequence

import numpy as np

from asq_model.common.errors import InputError
from asq_model.spec.fixed_point import bounds, check_room, largest, round_shift
from asq_model.spec.formats import WIDEST, Bits, Int64, Point, Shift
from asq_model.spec.graph.tensor import Node, Side, Tensor, Trace, check_vector

SEGMENT_BITS = 10  # a table of a function has 2^10 pieces


def broadcast_channels(values: np.ndarray) -> np.ndarray:
    """Reshape a number for each channel so that it is broadcast over maps [N, C, H, W]."""
    return values[:, None, None]


class Input(Node, frozen=True, kw_only=True, tag="input"):
    """What the network is given: integers, or bytes that a table turns into integers.

    table: int64 [C, 256], what each byte of an image means at binary point `point`, or None.
    """

    shape: tuple[Side, Side, Side]
    bits: Bits
    point: Point
    table: np.ndarray | None

    def output_format(self, inputs: Sequence[Tensor]) -> Tensor:
        """The format that the network is given. Raises InputError for nodes before it, or a table that does not fit."""
        if inputs:
            raise InputError(f"it has {len(inputs)} inputs; allowed: none")
        if self.table is not None and (self.table.dtype != np.int64 or self.table.shape != (self.shape[0], 256)):
            raise InputError(f"its table is {self.table.dtype} {list(self.table.shape)}; allowed: int64 [C, 256]")
        if self.table is not None:
            check_values("its table's numbers", self.table, self.bits)
        return Tensor(self.shape, self.bits, self.point)

    def run(self, inputs: Sequence[np.ndarray], trace: Trace) -> np.ndarray:
        """Look bytes up in the table, or pass integers on. Raises InputError for other shapes, types or values."""
        (x,) = inputs
        if x.shape[1:] != self.shape:
            raise InputError(f"input has shape {list(x.shape)}; allowed: [N, {', '.join(map(str, self.shape))}]")
        if self.table is not None and x.dtype == np.uint8:
            return self.table[np.arange(self.shape[0])[:, None, None], x]
        if x.dtype != np.int64:
            raise InputError(
                f"input is of type {x.dtype}; allowed: int64" + (", or uint8 images" * (self.table is not None))
            )
        check_values("the input's numbers", x, self.bits)
        return x

    def to_integers(self, reals: np.ndarray) -> np.ndarray:
        """Turn real values [N, C, H, W] into the integers of this input, rounded and saturated."""
        low, high = bounds(self.bits, True)
        return np.clip(np.rint(np.ldexp(np.asarray(reals, np.float64), self.point)), low, high).astype(np.int64)


def check_values(what: str, values: np.ndarray, bits: int) -> None:
    """Raises InputError for integers that do not fit into `bits` bits, signed."""
    low, high = bounds(bits, True)
    if values.size and (int(values.min()) < low or int(values.max()) > high):
        raise InputError(f"{what} are {values.min()} to {values.max()}; allowed: {low} to {high}")


class Scale(Node, frozen=True, kw_only=True, tag="scale"):
    """A factor and an offset for each channel, as of batch norm: y = saturate(max(round_shift(M·x + B, n), 0), bits).

    multiplier: int64 [C], M; bias: int64 [C], B; relu: whether there is the max. point: of the output.
    """

    multiplier: np.ndarray
    bias: np.ndarray
    shift: Shift
    relu: bool
    bits: Bits
    point: Point

    def output_format(self, inputs: Sequence[Tensor]) -> Tensor:
        """The format after the factors. Raises InputError unless each channel has one factor and one offset."""
        x = self.check_one_input(inputs)
        check_vector("multipliers", self.multiplier, x.shape[0])
        check_vector("biases", self.bias, x.shape[0])
        return Tensor(x.shape, self.bits, self.point)

    def run(self, inputs: Sequence[np.ndarray], trace: Trace) -> np.ndarray:
        """Multiply by the factors, add the offsets, shift, and cut to `bits` bits."""
        (x,) = inputs
        check_room("a value times its factor", largest(x) * largest(self.multiplier) + largest(self.bias))
        y = round_shift(x * broadcast_channels(self.multiplier) + broadcast_channels(self.bias), self.shift)
        return trace.cut(self.name, np.maximum(y, 0) if self.relu else y, self.bits)


class Add(Node, frozen=True, kw_only=True, tag="add"):
    """The sum of tensors whose binary points differ: y = saturate(max(round_shift(Σ ± x_i · 2^a_i, n), 0), bits).

    signs: 1 or -1 for each input. aligns: a, the left shift of each. relu: whether there is the max.
    """

    signs: tuple[Int64, ...]
    aligns: tuple[Shift, ...]
    shift: Shift
    relu: bool
    bits: Bits
    point: Point

    def output_format(self, inputs: Sequence[Tensor]) -> Tensor:
        """The format of the sum. Raises InputError unless there are two inputs or more, all of one shape."""
        inputs = self.check_without_gain(inputs)
        if len(inputs) < 2 or not len(inputs) == len(self.signs) == len(self.aligns):
            raise InputError(f"it has {len(inputs)} inputs; allowed: 2 or more, each with a sign and a shift")
        if set(self.signs) - {1, -1} or min(self.aligns) < 0:
            raise InputError(f"it has signs {self.signs} and shifts {self.aligns}; allowed: 1 and -1, 0 or more")
        shapes = {x.shape for x in inputs}
        if len(shapes) > 1:
            raise InputError(f"its inputs have the shapes {sorted(shapes)}; allowed: one for all")
        return Tensor(inputs[0].shape, self.bits, self.point)

    def run(self, inputs: Sequence[np.ndarray], trace: Trace) -> np.ndarray:
        """Shift the inputs to one binary point, add them with their signs, and cut the sum to `bits` bits."""
        check_room("a sum", sum(largest(x) << align for x, align in zip(inputs, self.aligns, strict=True)))
        total = sum(sign * (x << align) for x, sign, align in zip(inputs, self.signs, self.aligns, strict=True))
        y = round_shift(np.asarray(total), self.shift)
        return trace.cut(self.name, np.maximum(y, 0) if self.relu else y, self.bits)


class Clip(Node, frozen=True, kw_only=True, tag="clip"):
    """Values kept between two bounds, as ReLU and ReLU6 keep them."""

    low: Int64
    high: Int64

    def output_format(self, inputs: Sequence[Tensor]) -> Tensor:
        """The format of the input, which stays. Raises InputError for bounds that leave none of its values."""
        (x,) = self.check_without_gain([self.check_one_input(inputs)])
        if self.low > self.high:
            raise InputError(f"its bounds are {self.low} and {self.high}; allowed: the lower first")
        least, most = bounds(x.bits, True)
        if self.low > most or self.high < least:
            raise InputError(
                f"its bounds are {self.low} and {self.high}; allowed: some of its input's {least} to {most}"
            )
        return x

    def run(self, inputs: Sequence[np.ndarray], trace: Trace) -> np.ndarray:
        """Replace values outside the bounds by the nearest bound."""
        return np.clip(inputs[0], self.low, self.high)


class LeakyRelu(Node, frozen=True, kw_only=True, tag="leaky_relu"):
    """Negative values times a slope, as LeakyReLU and PReLU have it: y = x, or saturate(round_shift(M·x, n)) below 0.

    multiplier: int64 [C], M.
    """

    multiplier: np.ndarray
    shift: Shift
    bits: Bits

    def output_format(self, inputs: Sequence[Tensor]) -> Tensor:
        """The input's format in `bits` bits. Raises InputError unless there is one slope for each channel."""
        x = self.check_one_input(inputs)
        check_vector("slopes", self.multiplier, x.shape[0])
        return Tensor(x.shape, self.bits, x.point, x.gain)

    def run(self, inputs: Sequence[np.ndarray], trace: Trace) -> np.ndarray:
        """Multiply negative values by their channel's slope, and cut all to `bits` bits."""
        (x,) = inputs
        check_room("a value times its slope", largest(x) * largest(self.multiplier))
        y = np.where(x >= 0, x, round_shift(x * broadcast_channels(self.multiplier), self.shift))
        return trace.cut(self.name, y, self.bits)


class Function(Node, frozen=True, kw_only=True, tag="function"):
    """A smooth function as straight pieces: y = saturate(base[i] + round_shift(slope[i] · d, width), bits).

    The input is saturated to `in_bits` bits; i is its upper `SEGMENT_BITS` bits as an unsigned number (the most
    negative value has i = 0), d the other `width` = in_bits − SEGMENT_BITS bits. base: int64 [2^SEGMENT_BITS], the
    function where each piece begins. slope: int64, by how much it rises to where the next one begins.
    """

    in_bits: Bits
    base: np.ndarray
    slope: np.ndarray
    bits: Bits
    point: Point

    def output_format(self, inputs: Sequence[Tensor]) -> Tensor:
        """The format of the function's values. Raises InputError for a table of another size."""
        (x,) = self.check_without_gain([self.check_one_input(inputs)])
        check_vector("pieces", self.base, 1 << SEGMENT_BITS)
        check_vector("slopes", self.slope, 1 << SEGMENT_BITS)
        if not SEGMENT_BITS <= self.in_bits < WIDEST:
            raise InputError(f"its input has {self.in_bits} bits; allowed: {SEGMENT_BITS} to {WIDEST - 1}")
        return Tensor(x.shape, self.bits, self.point)

    def run(self, inputs: Sequence[np.ndarray], trace: Trace) -> np.ndarray:
        """Look up each value's piece, and add how far the function rises on it."""
        width = self.in_bits - SEGMENT_BITS
        x = trace.cut(self.name, inputs[0], self.in_bits) + (1 << self.in_bits - 1)
        check_room(
            "a piece of the function", max(largest(self.slope) << width, largest(self.base) + largest(self.slope))
        )
        piece, distance = x >> width, x & (1 << width) - 1
        y = self.base[piece] + round_shift(self.slope[piece] * distance, width)
        return trace.cut(self.name, y, self.bits)
