"""Nodes that move values, pool them, or put tensors side by side."""

from collections.abc import Sequence
from math import prod

import numpy as np

from asq_model.common.errors import InputError
from asq_model.spec.fixed_point import round_shift
from asq_model.spec.formats import Bits, Point, Shift
from asq_model.spec.graph.tensor import (
    LARGEST_SIDE,
    Margin,
    Margins,
    Node,
    Pair,
    Side,
    Tensor,
    Trace,
    pad,
    view_windows,
    window_size,
)


class MaxPool(Node, frozen=True, kw_only=True, tag="max_pool"):
    """The largest value of each window; margins hold nothing, and no window is wholly in them."""

    kernel: Pair
    stride: Pair
    padding: Margins
    dilation: Pair

    def output_format(self, inputs: Sequence[Tensor]) -> Tensor:
        """The format with one value for each window. Raises InputError for a window wholly in the margins."""
        x = self.check_one_input(inputs)
        channels, rows, columns = x.shape
        above, below, left, right = self.padding
        reach = [d * (k - 1) for d, k in zip(self.dilation, self.kernel, strict=True)]
        if max(above, below) > reach[0] or max(left, right) > reach[1]:
            raise InputError(f"its padding is {self.padding}; allowed: less than its window")
        rows = window_size(rows, self.kernel[0], self.stride[0], self.dilation[0], above + below)
        columns = window_size(columns, self.kernel[1], self.stride[1], self.dilation[1], left + right)
        for size, places, margin, axis in ((x.shape[1], rows, above, 0), (x.shape[2], columns, left, 1)):
            starts = np.arange(places) * self.stride[axis] - margin
            # A window takes every `dilation`-th value: the first that is not in the margin before the values.
            first = np.where(starts < 0, starts % self.dilation[axis], starts)
            if ((first >= size) | (first > starts + reach[axis])).any():
                raise InputError(f"its padding is {self.padding}; allowed: windows that are not wholly in the margins")
        return Tensor((channels, rows, columns), x.bits, x.point, x.gain)

    def run(self, inputs: Sequence[np.ndarray], trace: Trace) -> np.ndarray:
        """Take the largest value of each window."""
        padded = pad(inputs[0], self.padding, np.iinfo(np.int64).min)
        return np.asarray(view_windows(padded, self.kernel, self.stride, self.dilation).max((4, 5)))


class SumPool(Node, frozen=True, kw_only=True, tag="sum_pool"):
    """The sum of each window, which stands for the mean: the output's gain says by how many it would be divided."""

    kernel: Pair
    stride: Pair
    padding: Margins

    def output_format(self, inputs: Sequence[Tensor]) -> Tensor:
        """The format with one sum for each window; its gain grows by the size of the window."""
        x = self.check_one_input(inputs)
        channels, rows, columns = x.shape
        above, below, left, right = self.padding
        rows = window_size(rows, self.kernel[0], self.stride[0], 1, above + below)
        columns = window_size(columns, self.kernel[1], self.stride[1], 1, left + right)
        count = prod(self.kernel)
        return Tensor((channels, rows, columns), x.bits + (count - 1).bit_length(), x.point, x.gain * count)

    def run(self, inputs: Sequence[np.ndarray], trace: Trace) -> np.ndarray:
        """Add up the values of each window; margins count as zeros."""
        padded = pad(inputs[0], self.padding)
        return np.asarray(view_windows(padded, self.kernel, self.stride, (1, 1)).sum((4, 5), dtype=np.int64))


class Concatenate(Node, frozen=True, kw_only=True, tag="concatenate"):
    """Tensors one behind the other along the channels, each rounded to one binary point: round_shift(x_i, n_i)."""

    shifts: tuple[Shift, ...]
    bits: Bits
    point: Point

    def output_format(self, inputs: Sequence[Tensor]) -> Tensor:
        """The format with all channels. Raises InputError unless there are two inputs or more, of one map size."""
        inputs = self.check_without_gain(inputs)
        if len(inputs) < 2 or len(inputs) != len(self.shifts):
            raise InputError(f"it has {len(inputs)} inputs; allowed: 2 or more, each with a shift")
        sizes = {x.shape[1:] for x in inputs}
        if len(sizes) > 1:
            raise InputError(f"its inputs have the sizes {sorted(sizes)}; allowed: one for all")
        return Tensor((sum(x.shape[0] for x in inputs), *inputs[0].shape[1:]), self.bits, self.point)

    def run(self, inputs: Sequence[np.ndarray], trace: Trace) -> np.ndarray:
        """Shift the inputs to one binary point, and join their channels."""
        aligned = [round_shift(x, shift) for x, shift in zip(inputs, self.shifts, strict=True)]
        return trace.cut(self.name, np.concatenate(aligned, 1), self.bits)


class Reshape(Node, frozen=True, kw_only=True, tag="reshape"):
    """The same values in another shape: the axes (channels, rows, columns) put in an order, then read into `shape`."""

    order: tuple[Margin, Margin, Margin]
    shape: tuple[Side, Side, Side]

    def output_format(self, inputs: Sequence[Tensor]) -> Tensor:
        """The format in the new shape. Raises InputError for a shape with another number of values."""
        x = self.check_one_input(inputs)
        if sorted(self.order) != [0, 1, 2] or prod(self.shape) != prod(x.shape):
            raise InputError(f"it reads {x.shape} in order {self.order} into {self.shape}; allowed: as many values")
        return Tensor(self.shape, x.bits, x.point, x.gain)

    def run(self, inputs: Sequence[np.ndarray], trace: Trace) -> np.ndarray:
        """Put the axes in order, and read the values into the shape."""
        (x,) = inputs
        return x.transpose(0, *(axis + 1 for axis in self.order)).reshape(len(x), *self.shape)


class Pad(Node, frozen=True, kw_only=True, tag="pad"):
    """Zeros around a tensor: in front of its channels and behind them, and at the margins of each map."""

    channels: tuple[Margin, Margin]
    margins: Margins

    def output_format(self, inputs: Sequence[Tensor]) -> Tensor:
        """The format with the zeros around it. Raises InputError for a side over `LARGEST_SIDE`."""
        x = self.check_one_input(inputs)
        (before, after), (above, below, left, right) = self.channels, self.margins
        shape = (x.shape[0] + before + after, x.shape[1] + above + below, x.shape[2] + left + right)
        if max(shape) > LARGEST_SIDE:
            raise InputError(f"its output has shape {shape}; allowed: up to {LARGEST_SIDE} along each axis")
        return Tensor(shape, x.bits, x.point, x.gain)

    def run(self, inputs: Sequence[np.ndarray], trace: Trace) -> np.ndarray:
        """Put zeros around the channels and around each map."""
        return pad(np.pad(inputs[0], ((0, 0), self.channels, (0, 0), (0, 0))), self.margins)


class Slice(Node, frozen=True, kw_only=True, tag="slice"):
    """A part of a tensor: of each axis (channels, rows, columns) every `steps`-th value from `starts` to before
    `stops`.
    """

    starts: tuple[Margin, Margin, Margin]
    stops: tuple[Side, Side, Side]
    steps: tuple[Side, Side, Side]

    def output_format(self, inputs: Sequence[Tensor]) -> Tensor:
        """The format of the part. Raises InputError for a part that the input does not have, or an empty one."""
        x = self.check_one_input(inputs)
        sizes = [len(range(size)[cut]) for size, cut in zip(x.shape, self.cuts, strict=True)]
        if min(sizes) < 1 or any(stop > size for stop, size in zip(self.stops, x.shape, strict=True)):
            raise InputError(f"it takes {self.starts} to {self.stops} of {x.shape}; allowed: parts that are there")
        return Tensor((sizes[0], sizes[1], sizes[2]), x.bits, x.point, x.gain)

    @property
    def cuts(self) -> tuple[slice, ...]:
        """The slice that is taken of each axis."""
        return tuple(slice(*cut) for cut in zip(self.starts, self.stops, self.steps, strict=True))

    def run(self, inputs: Sequence[np.ndarray], trace: Trace) -> np.ndarray:
        """Take every `steps`-th value from `starts` to before `stops` along each axis."""
        return inputs[0][:, *self.cuts]
