"""What follows a step: scales and biases, a row for each word of values, and the shifts around them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from asq_model.common.errors import InputError
from asq_model.spec.fixed_point import bounds, largest
from asq_model.spec.graph.convolution import Convolution
from asq_model.spec.graph.elementwise import Add, Input, Scale
from asq_model.spec.graph.movement import MaxPool, SumPool
from asq_model.spec.precision import BETA_LIMIT
from hw.engine.compiler.steps import Step
from hw.engine.engine_spec import EngineSpec


def count_extra_bits(spec: EngineSpec, node: Convolution) -> int:
    """Fraction bits that the engine's sums have more than the graph's. Raises InputError where they have fewer."""
    extra = spec.mac.result_frac - node.products.frac
    if extra < 0:
        raise InputError(f"has sums of {node.products.frac} fraction bits; allowed: {spec.mac.result_frac}")
    return extra


def make_shift_fields(spec: EngineSpec, shift: int) -> dict[str, int]:
    """Make the fields of a total's shift. Raises InputError for one that the engine has not."""
    above = shift - spec.least_shift
    if shift and not 0 <= above < 1 << spec.shift_bits:
        most = spec.least_shift + (1 << spec.shift_bits) - 1
        raise InputError(f"shifts totals by {shift}; allowed: 0, or {spec.least_shift} to {most}")
    return {"shifts_total": 1, "shift": above} if shift else {}


def make_align_fields(spec: EngineSpec, align: int) -> dict[str, int]:
    """Make the fields of a side branch's shift. Raises InputError for one that the engine has not."""
    above = align - spec.least_align
    if not 0 <= above < 1 << spec.align_bits:
        most = spec.least_align + (1 << spec.align_bits) - 1
        raise InputError(f"shifts its side branch by {align}; allowed: {spec.least_align} to {most}")
    return {"align": above}


def make_bound_fields(spec: EngineSpec, step: Step, is_result: bool) -> dict[str, int]:
    """Make the bounds of a step's output: what a value holds, or of a wide result none, or 0 as the lower.

    Raises InputError for other ones.
    """
    lowest, highest = bounds(spec.value_bits, True)
    if lowest <= step.low and step.high <= highest:
        return {"low": step.low, "high": step.high}
    low, high = bounds(spec.total_bits, True)
    plain = isinstance(step.node, SumPool | MaxPool | Input)  # whose results are as wide as they can be
    if plain or (is_result and (step.low <= low or step.low == 0) and step.high >= high):
        return {"low": max(step.low, lowest), "high": highest, "is_wide": 1}
    allowed = f"{spec.value_bits} bits, or a result without bounds but 0"
    raise InputError(f"keeps its output between {step.low} and {step.high}; allowed: {allowed}")


def make_rescale_fields(spec: EngineSpec, step: Step, row: int) -> dict[str, int]:
    """Make the fields that say what a step does with the values that it reads. row: of its scales and biases."""
    node = step.node
    if isinstance(node, Scale):
        return {"scales": row, "biases": row} | make_shift_fields(spec, node.shift)
    if isinstance(node, Add):
        aligns = node.aligns[::-1] if node.signs[1] < 0 else node.aligns
        more = max(0, -node.shift)
        shifts = make_shift_fields(spec, node.shift + more) | make_align_fields(spec, aligns[1] + more)
        return {"scales": row, "biases": row} | shifts
    return {"scales": row, "biases": row}


def make_sum_scales(node: Add, channels: int) -> np.ndarray:
    """Make the scales of a sum's first tensor, the one that is subtracted if there is one: a power of two.

    Raises InputError for a sum that the engine does not make.
    """
    if len(node.inputs) != 2 or node.signs == (-1, -1):
        raise InputError("the engine adds two tensors, of which one may be subtracted")
    sign, align = (node.signs[1], node.aligns[1]) if node.signs[1] < 0 else (node.signs[0], node.aligns[0])
    return np.full(channels, sign << align + max(0, -node.shift))


def compute_sum_reach(node: Add, bits: Sequence[int]) -> int:
    """Compute the largest total of a sum, before it is shifted. bits: of each of its tensors."""
    more = max(0, -node.shift)
    return sum(1 << width - 1 + align + more for width, align in zip(bits, node.aligns, strict=True))


def check_total(spec: EngineSpec, reach: int) -> None:
    """Raises InputError for totals up to `reach` that a lane's have not the bits for: they would wrap around."""
    if reach >= 1 << spec.total_bits - 1:
        raise InputError(f"has totals of {reach.bit_length() + 1} bits; allowed: {spec.total_bits}")


def make_layer_constants(spec: EngineSpec, node: Convolution) -> tuple[np.ndarray, np.ndarray]:
    """Make a layer's scales K, zero where its step adapts, and its biases, both for the engine's sums."""
    rescale, quantiser = node.rescale, node.quantiser
    extra = count_extra_bits(spec, node)
    step = np.array([quantiser.mantissa * (BETA_LIMIT if quantiser.adapter else 1)])
    scales, biases = rescale.compute_scales(step)[0], rescale.bias << extra
    reach = (sum(node.products.reach) << node.products.frac) * largest(scales) + largest(rescale.bias)
    reach += (1 << spec.value_bits - 1 << node.align) if len(node.inputs) == 2 else 0
    if reach << extra >= 1 << spec.total_bits - 1 or largest(scales) >> spec.scale_bits - 1:
        bits = (reach << extra).bit_length() + 1, largest(scales).bit_length() + 1
        allowed = f"{spec.total_bits} and {spec.scale_bits}"
        raise InputError(f"has totals of {bits[0]} bits, scales of {bits[1]}; allowed: {allowed}")
    if quantiser.adapter:
        return np.zeros_like(scales), biases
    return scales, biases - compute_moved_sums(spec, node) * scales if quantiser.signed else biases


def compute_moved_sums(spec: EngineSpec, node: Convolution) -> np.ndarray:
    """What is added to a layer's sums when its signed codes are moved by half their range, int64 [C']."""
    middle = 1 << node.quantiser.bits - 1
    moved = node.products.even.astype(np.int64).sum(1) * middle << spec.mac.result_frac
    if node.products.odd is not None:
        root = spec.mac.multiples["root"][middle] << max(-spec.mac.frac_bits, 0)
        moved += node.products.odd.astype(np.int64).sum(1) * int(root)
    return moved


@dataclass
class Constants:
    """The rows of the memories of scales and biases: each has a number for each lane."""

    spec: EngineSpec
    scales: list[list[int]] = field(default_factory=list)
    biases: list[list[int]] = field(default_factory=list)
    ones: tuple[int, int] = (0, 0)  # the first row whose scales are 1, and how many follow

    def add(self, step: Step, channels: int, bits: Sequence[int]) -> int:
        """Add the rows of a step's scales and biases; returns the first. bits: of each tensor that the step takes.

        Raises InputError, naming the node, for what the memories or a lane's totals have not the bits for.
        """
        node, first = step.node, len(self.scales)
        try:
            if isinstance(node, Convolution):
                scales, biases = make_layer_constants(self.spec, node)
            elif isinstance(node, Scale):
                scales, biases = node.multiplier, node.bias
                check_total(self.spec, (largest(scales) << bits[0] - 1) + largest(biases))
            elif isinstance(node, Add):
                scales, biases = make_sum_scales(node, channels), np.zeros(channels, np.int64)
                check_total(self.spec, compute_sum_reach(node, bits))
            else:
                return self.add_ones(channels)
            self.check("scale", scales, self.spec.scale_bits)
            self.check("bias", biases, self.spec.total_bits)
        except InputError as error:
            raise InputError(f"node {node.name}: {error}") from error
        size, lanes = self.spec.channels, self.spec.lanes
        for rows, numbers in ((self.scales, scales), (self.biases, biases)):
            padded = [*np.asarray(numbers).tolist(), *[0] * (-channels % size)]
            rows += [padded[start : start + lanes] for start in range(0, len(padded), lanes)]
        return first

    def add_ones(self, channels: int) -> int:
        """The first of rows whose scales are 1 and whose biases are 0, which all steps that change nothing share."""
        size, lanes = self.spec.channels, self.spec.lanes
        first, rows = self.ones
        needed = -(-channels // size) * size // lanes
        if needed > rows:
            first = len(self.scales)
            self.scales += [[1] * lanes] * needed
            self.biases += [[0] * lanes] * needed
            self.ones = first, needed
        return first

    def check(self, what: str, numbers: np.ndarray, bits: int) -> None:
        """Raises InputError for numbers of more bits."""
        if largest(numbers) >> bits - 1:
            raise InputError(f"has a {what} of {largest(numbers)}; allowed: {bits} bits")
