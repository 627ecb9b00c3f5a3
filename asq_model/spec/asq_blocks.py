"""The hardware blocks of ASQ around the multipliers: their parameters, widths, and cycles.

| block | what it does with a stream |
|---|---|
| channel-sums | a feature map in, the sum of each channel out |
| adapter | channel sums in, β and the step S = s·β out |
| quantiser | values and steps in, codes out |
| rescale | exact sums of products in, the layer's output out |
| adapter-step | a feature map in, its codes out: the first three together, maps buffered |

What each computes is in `adaptive_step.py` and `rescale.py`. Parameters are maxima; the sizes of a layer, its shifts
and constants are inputs of the block, so that one block serves all layers of a network (and shrinks to one layer's
where a design ties them to constants).
"""

from dataclasses import dataclass, fields

from asq_model.common.effective import settle
from asq_model.common.errors import InputError, check_choice, check_flag, check_range
from asq_model.spec.precision import BETA_LIMIT, GUARD, HIDDEN_BITS, SCALE_BITS, Precision, accumulator_bits

# The parameters that each block depends on.
PARAMETERS = {
    "channel-sums": ("channels", "pixels", "precision", "lanes"),
    "adapter": ("channels", "pixels", "precision", "lanes", "hidden"),
    "quantiser": ("activation_bits", "signed_activation", "precision", "lanes"),
    "rescale": ("channels", "pixels", "precision", "total_bits"),
    "adapter-step": (
        *("channels", "pixels", "activation_bits", "signed_activation", "precision", "lanes", "hidden"),
        "buffer",
    ),
}
BLOCKS = tuple(PARAMETERS)
BETA_BITS = BETA_LIMIT.bit_length() - 1  # a number times β has so many bits more
MAX_LANES = 64
MAX_CHANNELS = 4096
MAX_PIXELS = 1 << 16
QUANTISER_STAGES = 1  # registers of the quantiser before those of its division


@dataclass(frozen=True)
class BlockSpec:
    """A block with all its parameters. Raises InputError for a combination that cannot be.

    unit: the block's name. channels, pixels: the most of a feature map. activation_bits, signed_activation: form of the
    codes. precision: P, the bits of the map's values (`Precision.bits`). lanes: values a beat, consecutive channels of
    a pixel. total_bits: width of the sums of products that `rescale` takes. hidden: the most hidden neurons of the
    adapter; 0 for a quarter of the channels, at least 1. buffer: beats that `adapter-step` holds; 0 for two of the
    largest maps. What a block does not depend on (`PARAMETERS`) is set to its default.
    """

    unit: str = "adapter-step"
    channels: int = 64
    pixels: int = 64
    activation_bits: int = 3
    signed_activation: bool = False
    precision: int = Precision().bits
    lanes: int = 1
    total_bits: int = 32
    hidden: int = 0
    buffer: int = 0

    def __post_init__(self) -> None:
        check_choice("unit", self.unit, BLOCKS)
        used = ("unit", *PARAMETERS[self.unit])
        settle(self, **{field.name: field.default for field in fields(self) if field.name not in used})
        check_range("channels", self.channels, 1, MAX_CHANNELS)
        check_range("pixels", self.pixels, 1, MAX_PIXELS)
        check_range("activation_bits", self.activation_bits, 1, 8)
        # The specification computes in 64 bits; what has no products can be wider.
        check_range("precision", self.precision, 8, 32 if self.unit in ("quantiser", "channel-sums") else 20)
        check_range("lanes", self.lanes, 1, MAX_LANES)
        check_range("total_bits", self.total_bits, 8, 48)
        check_flag("signed_activation", self.signed_activation)
        if "channels" in PARAMETERS[self.unit] and self.channels % self.lanes:
            has = f"channels is {self.channels} and lanes is {self.lanes}"
            raise InputError(f"{has}; allowed: lanes that divide them", "channels", "lanes")
        settle(self, hidden=self.quarter if self.hidden == 0 else self.hidden)
        check_range("hidden", self.hidden, 1, MAX_CHANNELS)
        if self.unit == "adapter-step":
            settle(self, buffer=self.two_maps if self.buffer == 0 else self.buffer)
            check_range("buffer", self.buffer, 4, 1 << 24)

    @property
    def name(self) -> str:
        """Name of the module and of its files; choices other than the defaults show in it."""
        used = PARAMETERS[self.unit]
        parts = [self.unit.replace("-", "_")]
        parts += [f"c{self.channels}p{self.pixels}"] if "channels" in used else []
        parts += [f"a{self.activation_bits}"] if "activation_bits" in used else []
        parts += [f"r{self.precision}"] if self.precision != Precision().bits else []
        parts += [f"l{self.lanes}"] if self.lanes != 1 else []
        parts += [f"t{self.total_bits}"] if self.total_bits != BlockSpec.total_bits else []
        parts += [f"h{self.hidden}"] if "hidden" in used and self.hidden != self.quarter else []
        parts += [f"b{self.buffer}"] if "buffer" in used and self.buffer != self.two_maps else []
        parts += ["sa"] if self.signed_activation else []
        return "_".join(parts)

    @property
    def quarter(self) -> int:
        """Hidden neurons that an adapter has unless it was given another ratio."""
        return max(self.channels // 4, 1)

    @property
    def words(self) -> int:
        """Beats of `lanes` values that a pixel has."""
        return self.channels // self.lanes

    @property
    def map_words(self) -> int:
        """Beats of the largest map."""
        return self.words * self.pixels

    @property
    def two_maps(self) -> int:
        """Beats of two of the largest maps, but no fewer than the buffer's least."""
        return max(2 * self.map_words, 4)

    @property
    def sum_bits(self) -> int:
        """Bits of a channel's sum, signed."""
        return self.precision + (self.pixels - 1).bit_length()

    @property
    def hidden_bits(self) -> int:
        """Bits of a hidden neuron, unsigned."""
        return self.precision + HIDDEN_BITS

    @property
    def accumulator_bits(self) -> int:
        """Bits of the adapter's sums, signed."""
        return accumulator_bits(self.channels, self.pixels, self.hidden, self.precision)

    @property
    def beta_bits(self) -> int:
        """Bits of β, unsigned, `precision` of them fraction bits."""
        return (BETA_LIMIT << self.precision).bit_length()

    @property
    def mantissa_bits(self) -> int:
        """Bits of a learned step, unsigned."""
        return self.precision + GUARD

    @property
    def step_bits(self) -> int:
        """Bits of the step S = s·β, unsigned."""
        return self.mantissa_bits + BETA_BITS

    @property
    def scale_bits(self) -> int:
        """Bits of K = M·S, signed."""
        return self.precision + SCALE_BITS + BETA_BITS

    @property
    def bias_bits(self) -> int:
        """Bits of the rescale's bias and of its sum, signed."""
        return self.total_bits + self.scale_bits

    def adapter_latency(self, words: int, hidden: int) -> int:
        """Cycles from the last beat of sums to β and the step: a hidden neuron takes its beats and seven cycles more.

        hidden: neurons, 0 for the one-layer form.
        """
        return (hidden * (words + 7) if hidden else words + 3) + self.beta_bits + 4

    def adapter_period(self, words: int, hidden: int) -> int:
        """Cycles from one map's sums to the next map's, where no map takes longer than the adapter to come in."""
        return self.adapter_latency(words, hidden) + words - 1

    def step_offered(self, adapter: int) -> int:
        """Cycles of `adapter-step` from a map's last beat to its step, with an adapter that takes `adapter` cycles."""
        return 1 + adapter + 1

    def step_latency(self, adapter: int) -> int:
        """Cycles of `adapter-step` from a map's last beat to its first code, with an adapter of `adapter` cycles."""
        return self.step_offered(adapter) + QUANTISER_STAGES + self.activation_bits

    @property
    def latency(self) -> int:
        """Cycles from a beat to the output that it leads to.

        channel-sums: from a map's last pixel. adapter: in its one-layer form, with one beat of sums. adapter-step: from
        the last beat of a map of one beat to its codes.
        """
        quantiser = QUANTISER_STAGES + self.activation_bits
        adapter = self.adapter_latency(1, 0)
        return {
            "channel-sums": 1,
            "adapter": adapter,
            "quantiser": quantiser,
            "rescale": 7,
            "adapter-step": self.step_latency(adapter),
        }[self.unit]

    @property
    def interval(self) -> int:
        """Cycles between beats at full rate (adapter: the latency of its sums comes on top, once a map)."""
        return 1
