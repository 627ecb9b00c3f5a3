"""The memory of smooth functions: of each straight piece, a scale and a bias."""

from dataclasses import dataclass, field

import numpy as np

from asq_model.common.errors import InputError
from asq_model.spec.fixed_point import largest
from asq_model.spec.graph.elementwise import SEGMENT_BITS, Function
from hw.asq.memories import MemoryRow
from hw.engine.compiler.rescaling import check_total, make_shift_fields
from hw.engine.engine_spec import EngineSpec


@dataclass
class Functions:
    """The pieces of all functions; nodes that have the same share them.

    In piece i a function is base + slope · (x − start), which is (slope · x + bias) · 2^−n for a bias that holds the
    rest.
    """

    spec: EngineSpec
    pieces: list[MemoryRow] = field(default_factory=list)
    places: dict[bytes, int] = field(default_factory=dict)

    def add(self, node: Function, input_bits: int) -> dict[str, int]:
        """Add a node's pieces; returns its instruction's fields. Raises InputError for what an engine has not."""
        spec, width = self.spec, node.in_bits - SEGMENT_BITS
        if not spec.functions:
            raise InputError("is a function; this engine has none")
        if input_bits > node.in_bits:
            raise InputError(f"takes values of {input_bits} bits; allowed: the {node.in_bits} bits of its pieces")
        more = max(0, spec.least_shift - width)
        middle = 1 << SEGMENT_BITS - 1  # the piece of 0
        starts = np.arange(-middle, middle) << width
        scales = node.slope << more
        biases = (node.base << width) - node.slope * starts << more
        for what, numbers, bits in (("slope", scales, spec.scale_bits), ("bias", biases, spec.total_bits)):
            if largest(numbers) >> bits - 1:
                raise InputError(f"has a {what} of {largest(numbers)}; allowed: {bits} bits")
        check_total(spec, largest(node.base) + largest(node.slope) << width + more)
        key = scales.tobytes() + biases.tobytes()
        if key not in self.places:
            self.places[key] = len(self.pieces)
            pairs = zip(scales.tolist(), biases.tolist(), strict=True)
            self.pieces += [{"scale": scale, "bias": bias} for scale, bias in pairs]
        about = {"applies": 1, "function": self.places[key] + middle, "function_shift": width}
        return about | make_shift_fields(spec, width + more)
