"""Numbers side by side in one word, as ports carry them. A number that does not fit its place is refused."""

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Shape

from asq_model.common.errors import check_range
from asq_model.spec.fixed_point import bounds, checked_integers


def pack(*fields: tuple[int, Shape]) -> int:
    """Values and their shapes as one word, the first lowest. Raises InputError for a value that does not fit."""
    word = offset = 0
    for value, shape in fields:
        value = int(value)
        check_range(f"a value for {shape.width} bits", value, *bounds(shape.width, shape.signed))
        word |= (value & ((1 << shape.width) - 1)) << offset
        offset += shape.width
    return word


def packed(values: np.ndarray, shapes: Sequence[Shape]) -> list[int]:
    """Each row of int [N, K] as one word, the first value lowest. Raises InputError for a value that does not fit."""
    for shape in {*shapes}:
        columns = [index for index, other in enumerate(shapes) if other == shape]
        checked_integers(f"values for {shape.width} bits", values[:, columns], *bounds(shape.width, shape.signed))
    masks = [(1 << shape.width) - 1 for shape in shapes]
    places = np.cumsum([0, *(shape.width for shape in shapes)]).tolist()[:-1]
    return [
        sum((value & mask) << place for value, mask, place in zip(row, masks, places, strict=True))
        for row in values.tolist()
    ]


def unpacked(word: int, widths: list[int]) -> list[int]:
    """The signed numbers in a word, the first one lowest."""
    values = []
    for width in widths:
        field = word & (1 << width) - 1
        values.append(field - (field >> width - 1 << width))
        word >>= width
    return values
