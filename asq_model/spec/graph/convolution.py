"""The node that multiplies: a convolution or linear layer with its activation quantiser and what follows its sums."""

from collections.abc import Sequence

import numpy as np

from asq_model.common.errors import InputError
from asq_model.spec.adaptive_step import IntegerQuantiser
from asq_model.spec.fixed_point import bounds, check_room, largest, round_shift
from asq_model.spec.formats import Bits, Point, Shift
from asq_model.spec.graph.tensor import (
    Margins,
    Node,
    Pair,
    Side,
    Tensor,
    Trace,
    check_vector,
    pad,
    view_windows,
    window_size,
)
from asq_model.spec.precision import GUARD
from asq_model.spec.products import Products
from asq_model.spec.rescale import Rescale


def check_quantiser(quantiser: IntegerQuantiser, x: Tensor) -> None:
    """Raises InputError unless a quantiser is for tensors of this format."""
    if quantiser.point != x.point:
        raise InputError(f"its quantiser is for binary point {quantiser.point}; its input has {x.point}")
    if quantiser.adapter is not None:
        quantiser.adapter.check(x.shape[0])


class Convolution(Node, frozen=True, kw_only=True, dict=True, tag="convolution"):
    """A convolution of any kernel, stride, padding, dilation and groups; a linear layer is one of kernel 1 × 1.

        q = the codes of the input, S its step (adaptive_step.py)
        y = saturate(max(round_shift(acc · K + B + side · 2^align, n), 0), bits)      (rescale.py)

    inputs: the input, and the side branch of a residual block if there is one. relu: whether there is the max.
    point: of the output.
    """

    kernel: Pair
    stride: Pair
    padding: Margins
    dilation: Pair
    groups: Side
    quantiser: IntegerQuantiser
    products: Products
    rescale: Rescale
    relu: bool
    align: Shift
    point: Point

    def output_format(self, inputs: Sequence[Tensor]) -> Tensor:
        """The format of the rescaled sums. Raises InputError for weights, quantiser, side branch that do not fit."""
        if len(inputs) not in (1, 2):
            raise InputError(f"it has {len(inputs)} inputs; allowed: 1, or 2 with a side branch")
        channels, rows, columns = inputs[0].shape
        self.check_weights(channels)
        above, below, left, right = self.padding
        rows = window_size(rows, self.kernel[0], self.stride[0], self.dilation[0], above + below)
        columns = window_size(columns, self.kernel[1], self.stride[1], self.dilation[1], left + right)
        shape = (len(self.products.even), rows, columns)
        self.check_quantiser(inputs[0])
        if len(inputs) == 2 and (inputs[1].shape, inputs[1].gain) != (shape, 1):
            raise InputError(f"its side branch has shape {inputs[1].shape}; allowed: {shape}, and no gain")
        return Tensor(shape, self.rescale.bits, self.point)

    def check_weights(self, channels: int) -> None:
        """Raises InputError unless weights and rescale are for so many input channels and the kernel."""
        self.products.check()
        outputs, terms = self.products.even.shape
        expected = channels // self.groups * self.kernel[0] * self.kernel[1]
        if channels % self.groups or outputs % self.groups or terms != expected:
            raise InputError(
                f"it has weights [{outputs}, {terms}] in {self.groups} groups; allowed for {channels} channels and a"
                f" kernel of {self.kernel}: [a multiple of the groups, {expected}]"
            )
        check_vector("multipliers", self.rescale.multiplier, outputs)
        check_vector("biases", self.rescale.bias, outputs)

    def check_quantiser(self, x: Tensor) -> None:
        """Raises InputError unless the quantiser is for this input, and its codes are among those of the products."""
        quantiser = self.quantiser
        check_quantiser(quantiser, x)
        codes = max(abs(bound) for bound in bounds(quantiser.bits, quantiser.signed))
        if codes > self.products.largest:
            raise InputError(f"its codes reach {codes}; allowed: {self.products.largest}")

    def run(self, inputs: Sequence[np.ndarray], trace: Trace) -> np.ndarray:
        """Quantise the input, multiply it by the weights, and rescale the sums as above."""
        x = inputs[0]
        step = self.quantiser.compute_step(x)
        return self.multiply(self.quantiser.encode(x, step), step, inputs, trace)

    def multiply(self, codes: np.ndarray, step: np.ndarray, inputs: Sequence[np.ndarray], trace: Trace) -> np.ndarray:
        """Make the output from the codes of the input and its step."""
        x, sums = inputs[0], self.compute_sums(codes)
        for kept, values in ((trace.inputs, x), (trace.steps, step), (trace.codes, codes), (trace.sums, sums)):
            trace.keep_as(kept, self.name, values)
        flat = sums.reshape(*sums.shape[:2], sums.shape[2] * sums.shape[3])
        total = self.rescale.scale_sums(flat, step).reshape(sums.shape)
        if len(inputs) == 2:
            trace.keep_as(trace.sides, self.name, inputs[1])
            side = round_shift(inputs[1], -self.align)
            check_room("a sum with its side branch", largest(total) + largest(side))
            total = total + side
        y, outside = self.rescale.finish(total, self.relu)
        trace.saturated[self.name] = trace.saturated.get(self.name, 0) + outside
        return y

    def compute_sums(self, codes: np.ndarray) -> np.ndarray:
        """Compute the sums of products, int64 [N, C', H', W'], of codes [N, C, H, W]."""
        self.products.check_codes(codes)
        padded = pad(codes.astype(self.products.number_type), self.padding)
        fields = view_windows(padded, self.kernel, self.stride, self.dilation)
        n, channels, rows, columns = fields.shape[:4]
        if channels == self.groups and channels > 1:
            factors, odd_factors = self.products.factors
            even = self.sum_depthwise(factors, fields)
            odd = None if odd_factors is None else self.sum_depthwise(odd_factors, self.products.odd_operands(fields))
        else:
            terms = channels // self.groups * self.kernel[0] * self.kernel[1]
            operands = fields.transpose(0, 1, 4, 5, 2, 3).reshape(n, self.groups, terms, rows * columns)
            return self.products.compute_sums(operands).reshape(n, len(self.products.even), rows, columns)
        return self.products.combine(even, odd)

    def sum_depthwise(self, factors: np.ndarray, fields: np.ndarray) -> np.ndarray:
        """Sum products of a layer whose groups have one channel each: a term at a time, too little for BLAS."""
        n, channels, rows, columns = fields.shape[:4]
        weights = factors.reshape(channels, -1, *self.kernel)
        total = np.zeros((n, channels, weights.shape[1], rows, columns), factors.dtype)
        for i in range(self.kernel[0]):
            for j in range(self.kernel[1]):
                total += fields[:, :, None, :, :, i, j] * weights[None, :, :, i, j, None, None]
        return total.reshape(n, len(factors), rows, columns)


class Quantise(Node, frozen=True, kw_only=True, tag="quantise"):
    """Round a tensor to the values of a quantiser: y = saturate(round_shift(q · S, GUARD), bits)."""

    quantiser: IntegerQuantiser
    bits: Bits

    def output_format(self, inputs: Sequence[Tensor]) -> Tensor:
        """The format of the rounded tensor: the input's shape in `bits` bits. Raises InputError for another input."""
        (x,) = self.check_without_gain([self.check_one_input(inputs)])
        check_quantiser(self.quantiser, x)
        return Tensor(x.shape, self.bits, x.point)

    def run(self, inputs: Sequence[np.ndarray], trace: Trace) -> np.ndarray:
        """Round the input to codes, and the codes back to values."""
        (x,) = inputs
        step = self.quantiser.compute_step(x)
        return self.restore(self.quantiser.encode(x, step), step, trace)

    def restore(self, codes: np.ndarray, step: np.ndarray, trace: Trace) -> np.ndarray:
        """Make the values that codes stand for."""
        return trace.cut(self.name, round_shift(codes * step.reshape(-1, 1, 1, 1), GUARD), self.bits)
