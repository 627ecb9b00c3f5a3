"""A residual network in integers only: stem, blocks, global pooling, classifier. Free of torch.

Between layers, activations are integers of `Precision.bits` bits with a binary point per tensor. Inside a layer: the
quantiser's codes q and step S (`adaptive_step.py`), the exact sum of products in Z[√2] rounded once (`post-exact`), and
the rescale (`rescale.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from asq_model.common.errors import InputError
from asq_model.spec.adaptive_step import IntegerQuantiser
from asq_model.spec.fixed_point import largest, round_shift
from asq_model.spec.rescale import Rescale
from asq_model.spec.sqrt2 import sqrt2_table


@dataclass(frozen=True)
class Products:
    """The weights of a layer as levels even + odd·√2: float64 [C, terms] integers, for exact products by BLAS.

    odd: None where no level has an odd part. largest: magnitude of the largest activation code. frac: fraction bits
    of the sums.
    """

    even: np.ndarray
    odd: np.ndarray | None
    largest: int
    frac: int

    @cached_property
    def rooted(self) -> np.ndarray:
        """round(√2 · x · 2^frac), int64, for every odd sum x that can be, from the smallest to the largest."""
        assert self.odd is not None
        reach = int(np.abs(self.odd).sum(1).max()) * self.largest
        table = sqrt2_table(np.arange(reach + 1), self.frac)
        return np.concatenate([-table[:0:-1], table])

    def sums(self, operands: np.ndarray) -> np.ndarray:
        """Each dot product with operands float64 [N, terms, positions], as int64 [N, C, positions].

        Exact but for one rounding of √2. Every partial sum stays far below 2^53, so floating point adds integers
        exactly.

        Raises InputError for operands larger than `largest`.
        """
        if (found := largest(operands)) > self.largest:
            raise InputError(f"activation codes have the magnitude {found}; allowed: {self.largest} or less")
        even = (self.even @ operands).astype(np.int64) << self.frac
        if self.odd is None:
            return even
        return even + self.rooted[(self.odd @ operands).astype(np.int64) + len(self.rooted) // 2]


@dataclass(frozen=True)
class Layer:
    """A convolution (or, 1×1 on a pooled map, a linear layer) with its quantiser and rescale."""

    name: str
    kernel: int
    stride: int
    padding: int
    quantiser: IntegerQuantiser
    products: Products
    rescale: Rescale

    def accumulate(self, x: np.ndarray, trace: "Trace") -> np.ndarray:
        """The scaled sums acc · K + B, int64 [N, C, H', W'], before the shift that `finish` does."""
        step = self.quantiser.step(x)
        codes = self.quantiser.codes(x, step)
        trace.keep_as(trace.inputs, self.name, x)
        trace.keep_as(trace.steps, self.name, step)
        trace.keep_as(trace.codes, self.name, codes)
        n, _, height, width = x.shape
        rows, columns = ((size + 2 * self.padding - self.kernel) // self.stride + 1 for size in (height, width))
        sums = self.products.sums(patches(codes, self.kernel, self.stride, self.padding))
        trace.keep_as(trace.sums, self.name, sums.reshape(n, -1, rows, columns))
        return self.rescale.total(sums, step).reshape(n, -1, rows, columns)

    def finish(self, total: np.ndarray, relu: bool, trace: "Trace") -> np.ndarray:
        """Shift and saturate to the output's bits and binary point."""
        y, outside = self.rescale.finish(total, relu)
        trace.saturated[self.name] = trace.saturated.get(self.name, 0) + outside
        trace.keep_as(trace.outputs, self.name, y)
        return y

    def __call__(self, x: np.ndarray, relu: bool, trace: "Trace") -> np.ndarray:
        return self.finish(self.accumulate(x, trace), relu, trace)


@dataclass(frozen=True)
class Block:
    """Two layers and a shortcut: a layer, or (stride, channels padded on each side) of the input itself.

    align: left shift that brings the shortcut's binary point to that of the second layer's accumulator.
    """

    first: Layer
    second: Layer
    shortcut: Layer | tuple[int, int]
    align: int

    def __call__(self, x: np.ndarray, trace: "Trace") -> np.ndarray:
        if isinstance(self.shortcut, Layer):
            beside = self.shortcut(x, False, trace)
        else:
            stride, padding = self.shortcut
            beside = np.pad(x[:, :, ::stride, ::stride], ((0, 0), (padding, padding), (0, 0), (0, 0)))
        total = self.second.accumulate(self.first(x, True, trace), trace)
        trace.keep_as(trace.sides, self.second.name, beside)
        return self.second.finish(total + round_shift(beside, -self.align), True, trace)


@dataclass
class Trace:
    """What a run of a network did, by layer.

    How many values were saturated, and if `keep`, inputs, steps, codes, sums of products, what a shortcut added, and
    outputs.
    """

    keep: bool = False
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    steps: dict[str, np.ndarray] = field(default_factory=dict)
    codes: dict[str, np.ndarray] = field(default_factory=dict)
    sums: dict[str, np.ndarray] = field(default_factory=dict)
    sides: dict[str, np.ndarray] = field(default_factory=dict)
    outputs: dict[str, np.ndarray] = field(default_factory=dict)
    saturated: dict[str, int] = field(default_factory=dict)

    def keep_as(self, what: dict[str, np.ndarray], name: str, values: np.ndarray) -> None:
        """Keep a layer's values in one of the dictionaries, if any are to be kept."""
        if self.keep:
            what[name] = values


@dataclass(frozen=True)
class IntegerNetwork:
    """A network in integers only, from the bytes of an image to class scores.

    pixels: int64 [C, 256], what each byte means at the stem's binary point. positions: pixels of the last map, whose
    sums are the classifier's input.
    """

    pixels: np.ndarray
    positions: int
    stem: Layer
    blocks: tuple[Block, ...]
    classifier: Layer

    def layers(self) -> Iterator[Layer]:
        """All of them, in order of execution."""
        yield self.stem
        for block in self.blocks:
            yield from (layer for layer in (block.first, block.second, block.shortcut) if isinstance(layer, Layer))
        yield self.classifier

    def gain(self, layer: Layer) -> int:
        """How many times larger a layer's input is than the real network's: the classifier sees sums, not means."""
        return self.positions if layer is self.classifier else 1

    def __call__(self, images: np.ndarray, trace: Trace | None = None) -> np.ndarray:
        """Logits int64 [N, classes], up to one positive factor, of images uint8 [N, C, H, W]."""
        trace = trace or Trace()
        if images.dtype != np.uint8:
            raise InputError(f"images are of type {images.dtype}; allowed: uint8")
        channels = np.arange(images.shape[1])[:, None, None]
        x = self.stem(self.pixels[channels, images], True, trace)
        for block in self.blocks:
            x = block(x, trace)
        sums = x.sum((2, 3), keepdims=True, dtype=np.int64)
        return self.classifier.accumulate(sums, trace)[:, :, 0, 0]


def patches(x: np.ndarray, kernel: int, stride: int, padding: int) -> np.ndarray:
    """The operands of every dot product, float64 [N, C · kernel², positions], of integers [N, C, H, W]."""
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), (2, 3))[:, :, ::stride, ::stride]
    n, channels, rows, columns = windows.shape[:4]
    return windows.transpose(0, 1, 4, 5, 2, 3).reshape(n, channels * kernel * kernel, rows * columns)
