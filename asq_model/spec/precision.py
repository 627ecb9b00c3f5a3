"""The widths of ASQ in integers, all from the bits of a layer's input, and the limits that all layers share."""

from dataclasses import dataclass

from asq_model.common.errors import check_range

BETA_LIMIT = 16  # β saturates at this
BIAS_BITS = 8  # an adapter's bias may be 2^8 times as large as the sum of its products
HIDDEN_BITS = 4  # a hidden neuron is wider than a layer's input by this many bits
SCALE_BITS = 4  # a channel's multiplier times the step at β = 1 is wider than the multiplier by this many bits
SHIFT_BITS = 6  # width of every shift that is an input of a hardware block
LEAST_PRECISION, MOST_PRECISION = 12, 20  # of `Precision.bits`
WORKING_BITS = 62  # the magnitude of a sum has no more bits: numpy computes in int64
GUARD = 8  # fraction bits that a step has beyond its input's: the same in all layers, so that hardware shifts by wiring


@dataclass(frozen=True)
class Precision:
    """The widths of the integer network, all from one number. Raises InputError for `bits` outside 12 to 20.

    bits: width of a layer's input, of the adapter's weights, of β's fraction and of the channels' multipliers.
    """

    bits: int = 20

    def __post_init__(self) -> None:
        check_range("bits", self.bits, LEAST_PRECISION, MOST_PRECISION)

    @property
    def hidden_bits(self) -> int:
        """Bits of the adapter's hidden neurons, unsigned."""
        return self.bits + HIDDEN_BITS

    @property
    def scale_bits(self) -> int:
        """Bits of a channel's multiplier times the step at β = 1, signed."""
        return self.bits + SCALE_BITS

    @property
    def mantissa_bits(self) -> int:
        """Bits of a learned step, unsigned: the step may be as large as the largest input."""
        return self.bits + GUARD

    @property
    def sum_frac(self) -> int:
        """Fraction bits of a sum in Z[√2]: the rounding of √2 is then no larger than the others."""
        return self.bits - 8


def accumulator_bits(channels: int, positions: int, hidden: int, bits: int) -> int:
    """Bits of an adapter's signed sums.

    They sum over all channels' sums or over all hidden neurons, times weights, and have a bias 2^`BIAS_BITS` times as
    large.
    """
    sum_bits = bits + (positions - 1).bit_length() + (channels - 1).bit_length()
    neuron_bits = bits + HIDDEN_BITS + 1 + (hidden - 1).bit_length()
    return max(sum_bits, neuron_bits) + bits + BIAS_BITS
