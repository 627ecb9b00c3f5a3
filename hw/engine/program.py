"""Programs: instructions of named fields, packed into words with a checksum.

A network is run by two programs at the same time, one for the arrays and one for all else:

=========  ========  ==============================================================================================
CONVOLVE   arrays    all products of a layer, and what follows its sums
FINISH     arrays    the results go out
LOAD       values    the next image may come in
COLLECT    values    values or the image, pooled if asked for, and what follows them: codes, or values again
ADAPT      values    channel sums → the step S, by a layer's adapter
SCALE      values    S → the scales K of a layer's channels
NOTHING    arrays    nothing: what the arrays' program begins with
=========  ========  ==============================================================================================

What follows a sum or a value: times K, plus B, plus the side branch, shifted, rounded, kept between two bounds; then
stored as a value, quantised to a code, added to its channel's sum, or kept as a result.

Where steps adapt, a layer's codes cannot be made before its input is whole. Two images are then under way: while the
arrays work on a layer of one, the other's next codes are made. An instruction waits until the other program has done
`after` more instructions than those before it have waited for.
"""

from collections.abc import Mapping
from enum import IntEnum

from amaranth.hdl import Shape, signed, unsigned
from amaranth.lib import data

from asq_model.spec.adaptive_step import SHIFT_BITS
from hw.asq.layouts import adapter_layout, index_shape
from hw.engine.engine_spec import MOST_PASSES, MOST_PIECES, EngineSpec
from hw.engine.stored_bits import condense, lost_fields, stored_count

SLOT_BITS = 5  # of a value's number in a pixel, as far as words hold a pixel
AFTER_BITS = 9  # of how many instructions an instruction waits for
PIECE_BITS = (MOST_PIECES - 1).bit_length()
START = 0x5EED0FA900DC0DE1  # the checksum of a program that has no words


class Kind(IntEnum):
    """What an instruction does. Zero is none, so that an empty memory is no program."""

    CONVOLVE = 1
    COLLECT = 2
    ADAPT = 3
    SCALE = 4
    FINISH = 5
    LOAD = 6
    NOTHING = 7


ARRAY_KINDS = (Kind.CONVOLVE, Kind.FINISH, Kind.NOTHING)
VALUE_KINDS = (Kind.COLLECT, Kind.ADAPT, Kind.SCALE, Kind.LOAD)


def window_fields(spec: EngineSpec) -> dict[str, Shape]:
    """Where a window lies and how it moves. Places are signed, since a window may begin before the map."""
    size, place = unsigned(spec.size_bits), signed(spec.size_bits + 2)
    step = index_shape(max(spec.depths.codes, spec.depths.values, spec.depths.inputs))
    return {
        "rows": size,  # of the map
        "columns": size,
        "last_column": size,  # of the output
        "pixels": unsigned(spec.count_bits),  # of the output
        "first_row": place,
        "first_column": place,
        "row_stride": size,
        "column_stride": size,
        "row_dilation": size,
        "column_dilation": size,
        "last_kernel_row": size,
        "last_kernel_column": size,
        "source": step,  # address of the first window's first place
        "column_step": step,  # from one window to the next
        "row_step": step,  # from one row of windows to the next
        "kernel_column_step": step,  # from a place's last word to the next place's first
        "kernel_row_step": step,
        "last_word": size,  # of a place
    }


def convolve_fields(spec: EngineSpec) -> dict[str, Shape]:
    """What a layer multiplies, in which order."""
    step = index_shape(max(spec.depths.codes, spec.depths.values, spec.depths.inputs))
    return {
        "weights": index_shape(spec.depths.weights),
        "last_group": unsigned(spec.size_bits),  # of output channels
        "last_repeat": unsigned(spec.size_bits),  # groups that see the same words
        "last_pass": unsigned((MOST_PASSES - 1).bit_length()),
        "shifts": unsigned(MOST_PASSES),  # passes before which the sum is shifted
        "pieces": unsigned(MOST_PASSES * PIECE_BITS),  # the piece that each pass multiplies
        "piece_step": step,
        "zero": unsigned(spec.code_word),  # codes that stand for zero, beyond the margins
        "zero_piece": unsigned(PIECE_BITS),  # the piece of them that is not 0
        "period": unsigned(spec.count_bits),  # cycles from one tile to the next, less 1
    }


def follow_fields(spec: EngineSpec) -> dict[str, Shape]:
    """What follows a sum or a value, and where it goes."""
    code, value = index_shape(spec.depths.codes), index_shape(spec.depths.values)
    return {
        "scales": index_shape(max(spec.depths.constants, 2) * spec.banks),
        "biases": index_shape(spec.depths.constants),
        "finishes": unsigned(1),  # values go through all of this; otherwise they are quantised as they are
        "shifts_total": unsigned(1),
        "shift": unsigned(spec.shift_bits),  # above the least
        "align": unsigned(spec.align_bits),
        "has_side": unsigned(1),
        "side": value,
        "low": signed(spec.value_bits),
        "high": signed(spec.value_bits),
        "is_wide": unsigned(1),  # a result that may be wider than values and has no bounds, or 0 as the lower
        "writes_values": unsigned(1),
        "value": value,
        "value_step": unsigned(spec.size_bits),
        "writes_codes": unsigned(1),
        "code": code,
        "code_step": unsigned(spec.size_bits),
        "last_piece": unsigned(PIECE_BITS),
        "piece_stride": code,
        "splits": unsigned(1),  # codes are wider than the products take
        "slot_pieces": unsigned(spec.channels * PIECE_BITS),  # the piece that each channel of a word takes, at least
        "code_bits": unsigned(4),
        "signed": unsigned(1),
        "adapted": unsigned(1),  # the step is that of the last ADAPT
        "step": unsigned(spec.step_bits),
        "adds_channels": unsigned(1),
        "map_pixels": unsigned(spec.count_bits),  # of the output
        "writes_results": unsigned(1),
        "result": index_shape(spec.depths.results),
        "result_step": unsigned(spec.size_bits),
    }


def collect_fields(spec: EngineSpec) -> dict[str, Shape]:
    """What is done with the places of a window."""
    return {
        "last_place_word": unsigned(spec.size_bits),  # of values
        "last_step": unsigned(PIECE_BITS),  # steps that a word takes at least, less 1
        "from_input": unsigned(1),
        "takes_largest": unsigned(1),
    }


def adapt_fields(spec: EngineSpec) -> dict[str, Shape]:
    """A layer's adapter, and what its step multiplies."""
    return {
        "adapter": adapter_layout(spec.adapter_block).size,
        "adapter_words": unsigned(spec.size_bits),
        "first_weight": index_shape(spec.depths.neuron_weights),
        "first_neuron": index_shape(spec.depths.neurons),
        "first_multiplier": index_shape(spec.depths.multipliers),
        "last_multiplier": index_shape(spec.depths.multipliers),
        "scale_shift": unsigned(SHIFT_BITS),
    }


def load_fields(spec: EngineSpec) -> dict[str, Shape]:
    """What an image is: values a pixel, pixels, and which of a pixel's values each channel of a word takes."""
    return {
        "last_input": unsigned(spec.size_bits),
        "input_pixels": unsigned(spec.count_bits),
        "slots": unsigned(spec.channels * SLOT_BITS),
    }


def finish_fields(spec: EngineSpec) -> dict[str, Shape]:
    """What the results are: values a pixel, pixels; and the instruction that the next image begins with."""
    return {
        "last_output": unsigned(spec.size_bits),
        "output_pixels": unsigned(spec.count_bits),
        "output_words": unsigned(spec.size_bits),  # of a pixel
        "wide_results": unsigned(1),  # all bits of a total count, not those of a value only
    }


def control_fields(spec: EngineSpec) -> dict[str, Shape]:
    """What every instruction says to its sequencer."""
    return {
        "kind": unsigned(3),
        "after": signed(AFTER_BITS),  # how many more of the other program's instructions have to be done
        "begins": unsigned(1),  # with a new image, if there is one; all others are for an image that is there
        "enters": unsigned(1),  # the first of its program that is for the image with which one began
        "bank": unsigned(1),  # which of the images
        "jumps": unsigned(1),
        "next": index_shape(spec.depths.program),
        "flush": unsigned(spec.count_bits),  # cycles until all is written
    }


def array_layout(spec: EngineSpec) -> data.StructLayout:
    """The fields of an instruction for the arrays."""
    fields = control_fields(spec) | window_fields(spec) | convolve_fields(spec) | follow_fields(spec)
    return data.StructLayout(fields | finish_fields(spec))


def value_layout(spec: EngineSpec) -> data.StructLayout:
    """The fields of an instruction for all else."""
    fields = control_fields(spec) | window_fields(spec) | collect_fields(spec) | follow_fields(spec)
    return data.StructLayout(fields | load_fields(spec) | (adapt_fields(spec) if spec.adapter else {}))


def program_words(spec: EngineSpec, layout: data.StructLayout) -> int:
    """Words of an instruction; a checksum follows them."""
    return -(-stored_count(spec, layout) // spec.word_bits)


def checksum(spec: EngineSpec, words: list[int]) -> int:
    """The checksum of words: each is xored to what was before, rotated. Every changed bit changes it."""
    size, ones = spec.word_bits, (1 << spec.word_bits) - 1
    total = START * (1 << 64 | 1) & ones
    for word in words:
        total = (total << 1 | total >> size - 1) & ones ^ word
    return total


def pack(spec: EngineSpec, layout: data.StructLayout, fields: Mapping[str, int]) -> list[int]:
    """The words of an instruction, the lowest bits first, with their checksum. Fields that are not given are 0.

    Raises ValueError for a number that its field does not hold.
    """
    for name, number in fields.items():
        shape = Shape.cast(layout[name].shape)
        low, high = (-(1 << shape.width - 1), 1 << shape.width - 1) if shape.signed else (0, 1 << shape.width)
        if not low <= number < high:
            raise ValueError(f"{name} is {number}; allowed: {low} to {high - 1}")
    whole = layout.const(fields).as_bits()
    bits = condense(spec, layout, whole)
    wrong = lost_fields(spec, layout, fields, bits)
    if wrong:
        raise ValueError(f"{wrong[0]} is {fields[wrong[0]]}; the engine is for another network")
    size = spec.word_bits
    words = [bits >> size * place & (1 << size) - 1 for place in range(program_words(spec, layout))]
    return [*words, checksum(spec, words)]
