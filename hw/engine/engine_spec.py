"""What an engine is made of: its products, the widths of its numbers, and the sizes of its memories."""

from dataclasses import dataclass, replace
from functools import cached_property

from asq_model.common.errors import InputError, check_choice, check_flag, check_range
from asq_model.spec.array import ArraySpec
from asq_model.spec.asq_blocks import BETA_BITS, MAX_CHANNELS, MAX_PIXELS, BlockSpec
from asq_model.spec.fixed_point import signed_width
from asq_model.spec.mac import MacSpec
from asq_model.spec.mac_parameters import MAX_DEPTH
from asq_model.spec.mapping import GENERIC, check_mapped
from asq_model.spec.precision import GUARD, LEAST_PRECISION, MOST_PRECISION

ENGINE_UNITS = ("post", "post-three-halves", "pot", "apot", "e2m1", "uniform-sign", "uniform-adders", "uniform-shared")
WIDEST_CODE = 8  # bits of an activation code, in pieces where the products take fewer
MOST_PIECES = 4  # of a code
MOST_PASSES = 16  # of a layer over its operands
MOST_PLACES = 16  # of a kernel whose window is kept
WORD_BITS = (32, 64, 128, 256, 512)  # of a program's word


@dataclass(frozen=True)
class Depths:
    """How many rows each memory of an engine has; `docs/engine.md` says what a row holds."""

    codes: int
    values: int
    weights: int
    constants: int
    multipliers: int
    neurons: int
    neuron_weights: int
    program: int
    inputs: int
    results: int
    functions: int = 0


@dataclass(frozen=True)
class EngineSpec:
    """An engine with all its parameters. Raises InputError for a combination that cannot be.

    mac: what each product is.
    channels: G, a power of two: channels of a word of codes, rows and columns of an array.
    pixels: P, arrays, each with a pixel of its own.
    lanes: L, a power of two up to G: values that are read, finished and quantised a cycle; a word of values.
    depths: words of each memory.
    precision: bits of a layer's input (`Precision.bits`).
    value_bits: of a stored value, at least those.
    pool_bits: bits that a pooling's sums have more.
    least_shift, shift_bits: the shifts of totals are the least to 2^shift_bits − 1 more, or none.
    least_align, align_bits: the same of side branches.
    accumulator_bits, total_bits, scale_bits: of a sum acc, of acc · K + B, and of K.
    map_channels, map_pixels: the most of a map whose step adapts.
    hidden: the most hidden neurons of an adapter.
    adapter: whether there is one.
    byte_input: whether images are bytes that a table turns into values.
    fpga_family: whose own cells the arrays are made of.
    word_bits: of a program's word, of which a few are an instruction.
    size_bits: of the sides of maps and of a pixel's words.
    count_bits: of the pixels of a map, and of the cycles of a tile.
    stored_array, stored_value: of each bit of an instruction, the stored bit that it is (`hw.engine.stored_bits`);
        empty: itself.
    window_channels: channels of an image whose windows each lane keeps, so that a word can be put together of several
        of its places (`hw.engine.window_buffer`); 0: none.
    functions: whether values can go through smooth functions, in straight pieces.
    reads_ahead: whether an instruction is read while the one before is at work, and layers may start early; without, an
        engine has fewer flip-flops.
    radix_bits: bits by which sums of wide weights are shifted between passes; 0: those that suit any image's first
        layer best.
    """

    mac: MacSpec
    channels: int
    pixels: int
    lanes: int
    depths: Depths
    precision: int = 16
    value_bits: int = 16
    pool_bits: int = 8
    least_shift: int = 8
    shift_bits: int = 4
    least_align: int = 8
    align_bits: int = 4
    accumulator_bits: int = 24
    total_bits: int = 48
    scale_bits: int = 24
    map_channels: int = 64
    map_pixels: int = 1024
    hidden: int = 16
    adapter: bool = True
    byte_input: bool = True
    fpga_family: str = GENERIC
    word_bits: int = 64
    size_bits: int = 12
    count_bits: int = 20
    stored_array: tuple[int, ...] = ()
    stored_value: tuple[int, ...] = ()
    window_channels: int = 0
    functions: bool = False
    reads_ahead: bool = True
    radix_bits: int = 0

    def __post_init__(self) -> None:
        check_choice("unit", self.mac.unit, ENGINE_UNITS)
        check_choice("channels", self.channels, (2, 4, 8, 16, 32))
        check_range("pixels", self.pixels, 1, 64)
        check_choice("lanes", self.lanes, tuple(1 << n for n in range(self.channels.bit_length())))
        check_range("pool_bits", self.pool_bits, 0, 16)
        check_range("least_shift", self.least_shift, 0, 40)
        check_range("shift_bits", self.shift_bits, 0, 6)
        check_range("least_align", self.least_align, 0, 40)
        check_range("align_bits", self.align_bits, 0, 6)
        check_range("precision", self.precision, LEAST_PRECISION, MOST_PRECISION)
        check_range("value_bits", self.value_bits, self.precision, 32)
        check_range("accumulator_bits", self.accumulator_bits, 8, 32)
        check_range("total_bits", self.total_bits, 32, 64)
        check_range("scale_bits", self.scale_bits, 12, 32)
        check_range("size_bits", self.size_bits, 4, 12)
        check_range("count_bits", self.count_bits, self.size_bits, 20)
        check_choice("word_bits", self.word_bits, WORD_BITS)
        check_range("window_channels", self.window_channels, 0, self.channels)
        check_range("radix_bits", self.radix_bits, 0, self.mac.activation_bits)
        check_mapped(self.fpga_family, self.mac, 1)
        if self.mac.signed_activation:
            raise InputError(
                "signed_activation is 1; allowed: 0, as an engine moves signed codes to unsigned ones",
                "signed_activation",
            )
        if (1 << self.accumulator_bits - 1) <= self.largest_product:
            raise InputError(
                f"accumulator_bits is {self.accumulator_bits}, fewer than a product of"
                f" {self.largest_product} has; allowed: more",
                "accumulator_bits",
            )
        check_range("map_channels", self.map_channels, 1, MAX_CHANNELS)
        check_range("map_pixels", self.map_pixels, 1, MAX_PIXELS)
        check_range("hidden", self.hidden, 1, MAX_CHANNELS)
        check_flag("adapter", self.adapter)

    @cached_property
    def largest_product(self) -> int:
        """The largest magnitude of a product."""
        return int(abs(self.mac.products).max())

    @cached_property
    def sum_bits(self) -> int:
        """Bits of a lane's sums: `accumulator_bits`, or fewer where the most terms do not reach them."""
        (bits,) = self.array.sum_widths.values()
        return bits

    @property
    def code_word(self) -> int:
        """Bits of a word of codes, one for each channel."""
        return self.channels * self.mac.activation_bits

    @property
    def picks(self) -> int:
        """Places of a window that a word is put together of."""
        return self.channels // self.window_channels if self.window_channels else 0

    @property
    def operand_bits(self) -> int:
        """Bits of what is finished: a sum of products, or a value that a pooling added up."""
        return max(self.sum_bits, self.pooled_bits)

    @property
    def pooled_bits(self) -> int:
        """Bits of a value that a pooling added up."""
        return self.value_bits + self.pool_bits

    @property
    def beats(self) -> int:
        """Words of values that a word of codes is made of."""
        return self.channels // self.lanes

    @property
    def step_bits(self) -> int:
        """Bits of the step S, unsigned."""
        return max(self.precision + GUARD + BETA_BITS, self.pooled_bits + GUARD)

    @cached_property
    def adapter_block(self) -> BlockSpec:
        """The adapter, with a memory for the neurons of all layers."""
        return BlockSpec(
            unit="adapter",
            channels=-(-self.map_channels // self.channels) * self.channels,
            pixels=self.map_pixels,
            precision=self.precision,
            lanes=self.lanes,
            hidden=self.hidden,
        )

    @property
    def sum_words(self) -> int:
        """Words of channel sums, those of the widest map."""
        return self.adapter_block.words

    @cached_property
    def array(self) -> ArraySpec:
        """What a lane's columns are: of a depth that gives sums the accumulators' bits."""
        depth = min(((1 << self.accumulator_bits - 1) - 1) // self.largest_product, MAX_DEPTH)
        return ArraySpec(replace(self.mac, depth=depth), self.channels, self.channels, fpga_family=self.fpga_family)

    @property
    def banks(self) -> int:
        """Images under way at the same time, each with values and channel sums of its own."""
        return 2 if self.adapter else 1

    @property
    def products(self) -> int:
        """Products a cycle."""
        return self.pixels * self.channels**2

    def holds_sums(self, reach: int) -> bool:
        """Whether the accumulators hold sums from −reach to reach."""
        return signed_width(-reach, reach) <= self.sum_bits
