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
`after` more instructions than those before it have waited for. A layer may start while the sums of another still
leave (`early`), or while its codes are still made (`released`).
"""

from collections.abc import Mapping
from enum import IntEnum

from amaranth.hdl import Shape
from amaranth.lib import data

from asq_model.common.errors import InputError
from asq_model.spec.fixed_point import bounds
from hw.engine.engine_spec import EngineSpec
from hw.engine.instruction_fields import (
    adapt_fields,
    array_control_fields,
    collect_fields,
    convolve_fields,
    finish_fields,
    follow_fields,
    load_fields,
    value_control_fields,
    window_fields,
)
from hw.engine.stored_bits import condense, count_stored_bits, find_lost_fields

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


def array_layout(spec: EngineSpec) -> data.StructLayout:
    """The fields of an instruction for the arrays."""
    fields = array_control_fields(spec) | window_fields(spec) | convolve_fields(spec) | follow_fields(spec)
    return data.StructLayout(fields | finish_fields(spec))


def value_layout(spec: EngineSpec) -> data.StructLayout:
    """The fields of an instruction for all else."""
    fields = value_control_fields(spec) | window_fields(spec) | collect_fields(spec) | follow_fields(spec)
    return data.StructLayout(fields | load_fields(spec) | (adapt_fields(spec) if spec.adapter else {}))


def program_words(spec: EngineSpec, layout: data.StructLayout) -> int:
    """Words of an instruction; a checksum follows them."""
    return -(-count_stored_bits(spec, layout) // spec.word_bits)


def compute_checksum(spec: EngineSpec, words: list[int]) -> int:
    """Compute the checksum of words: each is xored to what was before, rotated. Every changed bit changes it."""
    size, ones = spec.word_bits, (1 << spec.word_bits) - 1
    total = START * (1 << 64 | 1) & ones
    for word in words:
        total = (total << 1 | total >> size - 1) & ones ^ word
    return total


def pack(spec: EngineSpec, layout: data.StructLayout, fields: Mapping[str, int]) -> list[int]:
    """The words of an instruction, the lowest bits first, with their checksum. Fields that are not given are 0.

    Raises InputError for a number that its field does not hold.
    """
    for name, number in fields.items():
        shape = Shape.cast(layout[name].shape)
        low, high = bounds(shape.width, shape.signed)
        if not low <= number <= high:
            raise InputError(f"{name} is {number}; allowed: {low} to {high}")
    whole = layout.const(fields).as_bits()
    bits = condense(spec, layout, whole)
    wrong = find_lost_fields(spec, layout, fields, bits)
    if wrong:
        raise InputError(f"{wrong[0]} is {fields[wrong[0]]}; the engine is for another network")
    size = spec.word_bits
    words = [bits >> size * place & (1 << size) - 1 for place in range(program_words(spec, layout))]
    return [*words, compute_checksum(spec, words)]
