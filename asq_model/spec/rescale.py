"""From a layer's exact sum to its output: the dynamic step, batch norm, the shortcut, ReLU and saturation, in integers.

    K_c = round_shift(M_c · S, m)                                  once per image and channel
    y   = saturate(max(round_shift(acc · K_c + B_c + side · 2^align, n), 0), bits)

`acc` is the sum of products, S the image's step. M_c is the scale of channel c's weights times batch norm's factor, B_c
batch norm's bias at the point of acc · K. `side` is the other branch of a residual block; max is left out without ReLU.
"""

from dataclasses import dataclass

import numpy as np

from asq_model.spec.fixed_point import check_room, largest, round_shift, saturate
from asq_model.spec.formats import Bits, Shift


@dataclass(frozen=True)
class Rescale:
    """What follows the sums of a layer.

    multiplier: int64 [C], M; bias: int64 [C], B; scale_shift: m; shift: n; bits: of the output, signed.
    """

    multiplier: np.ndarray
    bias: np.ndarray
    scale_shift: Shift
    shift: Shift
    bits: Bits

    def compute_scales(self, step: np.ndarray) -> np.ndarray:
        """Compute the scale K of each image and channel, int64 [N, C], from the image's step S."""
        check_room("a multiplier times the step", largest(self.multiplier) * largest(step))
        return round_shift(self.multiplier * np.asarray(step)[:, None], self.scale_shift)

    def scale_sums(self, sums: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Scale sums to acc · K + B: int64 [N, C, positions] from sums of that shape.

        Raises InputError for more than 64 bits.
        """
        scales = self.compute_scales(step)
        check_room("a sum times its scale", largest(sums) * largest(scales) + largest(self.bias))
        return sums * scales[:, :, None] + self.bias[:, None]

    def finish(self, total: np.ndarray, relu: bool) -> tuple[np.ndarray, int]:
        """Make the output y; return it, and how many values were outside `bits` bits."""
        y = round_shift(total, self.shift)
        return saturate(np.maximum(y, 0) if relu else y, self.bits)
