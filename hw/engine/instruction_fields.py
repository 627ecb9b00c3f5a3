"""The fields of an engine's instructions, and how many bits each has; `hw.engine.program` makes words of them."""

from amaranth.hdl import Shape, signed, unsigned

from asq_model.spec.precision import SHIFT_BITS
from hw.asq.layouts import adapter_layout, index_shape
from hw.engine.engine_spec import MOST_PASSES, MOST_PIECES, EngineSpec

SLOT_BITS = 5  # of a value's number in a pixel, as far as words hold a pixel
AFTER_BITS = 9  # of how many instructions an instruction waits for
FUNCTION_SHIFT_BITS = 4
PIECE_BITS = (MOST_PIECES - 1).bit_length()


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
        "negates": unsigned(1),  # in every second pass, all places lie beyond the map
        "period": unsigned(spec.count_bits),  # cycles from one tile to the next, less 1
    } | ({"gathers": unsigned(1)} if spec.window_channels else {})  # words are picked of windows that lanes keep


def follow_fields(spec: EngineSpec) -> dict[str, Shape]:
    """What follows a sum or a value, and where it goes."""
    code, value = index_shape(spec.depths.codes), index_shape(spec.depths.values)
    function = {
        "applies": unsigned(1),  # a function: the piece of a value has the scale and the bias
        "function": index_shape(max(spec.depths.functions, 2)),  # the piece of 0
        "function_shift": unsigned(FUNCTION_SHIFT_BITS),  # from a value to its piece
    }
    return (function if spec.functions else {}) | {
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
    """What the results are: values and words of a pixel, pixels, and whether they are wider than values."""
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


def array_control_fields(spec: EngineSpec) -> dict[str, Shape]:
    """What an instruction of the arrays' program says to its sequencer."""
    early = unsigned(spec.count_bits)  # cycles of the flush of the instruction before that need not be waited for
    return control_fields(spec) | {"early": early}


def value_control_fields(spec: EngineSpec) -> dict[str, Shape]:
    """What an instruction of the values' program says to its sequencer."""
    released = unsigned(spec.count_bits)  # cycles until the other program need not wait for it; 0: until it is done
    return control_fields(spec) | {"released": released}
