"""Numbers side by side in one word, as ports carry them. A number that does not fit its place is refused."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from amaranth.hdl import Shape
from amaranth.lib import data

from asq_model.common.errors import InputError
from asq_model.spec.fixed_point import bounds, check_integers


def list_leaf_shapes(layout: data.Layout, prefix: str = "") -> Iterator[tuple[str, Shape]]:
    """List (name, shape) of every number in a layout, the lowest first; a field with fields as `field.name`."""
    for name, field in layout:
        if isinstance(field.shape, data.Layout):
            yield from list_leaf_shapes(field.shape, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", Shape.cast(field.shape)


class WordPacker:
    """Makes words of a layout from the values of its fields, as `layout.const(…)` does, and refuses what it would cut.

    names: the fields, the lowest first; those of nested fields as `field.name`.
    """

    def __init__(self, layout: data.StructLayout):
        names, self.shapes = zip(*list_leaf_shapes(layout), strict=True)
        self.names: tuple[str, ...] = names
        offsets = np.cumsum([0, *(shape.width for shape in self.shapes)]).tolist()
        assert offsets[-1] == layout.size, "a layout with gaps or overlapping fields"
        self.fields = [
            (name, offset, (1 << shape.width) - 1, *bounds(shape.width, shape.signed))
            for name, offset, shape in zip(names, offsets[:-1], self.shapes, strict=True)
        ]

    def pack_word(self, values: Mapping[str, int]) -> int:
        """Pack one word from a value for every field. Raises InputError for a value that does not fit its field."""
        if values.keys() != set(self.names):
            raise ValueError(f"values of {', '.join(values)} for fields {', '.join(self.names)}")
        word = 0
        for name, offset, mask, low, high in self.fields:
            value = int(values[name])
            if not low <= value <= high:
                raise InputError(f"{name} is {value}; allowed: {low} to {high}")
            word |= (value & mask) << offset
        return word

    def pack_words(self, rows: np.ndarray) -> list[int]:
        """Pack a word for each row of int [K, fields], in order. Raises InputError for a value that does not fit."""
        return pack_rows(rows, self.shapes)


def pack_rows(values: np.ndarray, shapes: Sequence[Shape]) -> list[int]:
    """Each row of int [N, K] as one word, the first value lowest. Raises InputError for a value that does not fit."""
    for shape in {*shapes}:
        columns = [index for index, other in enumerate(shapes) if other == shape]
        check_integers(f"values for {shape.width} bits", values[:, columns], *bounds(shape.width, shape.signed))
    masks = [(1 << shape.width) - 1 for shape in shapes]
    places = np.cumsum([0, *(shape.width for shape in shapes)]).tolist()[:-1]
    return [
        sum((value & mask) << place for value, mask, place in zip(row, masks, places, strict=True))
        for row in values.tolist()
    ]


def unpack_word(word: int, widths: list[int]) -> list[int]:
    """The signed numbers in a word, the first one lowest."""
    values = []
    for width in widths:
        field = word & (1 << width) - 1
        values.append(field - (field >> width - 1 << width))
        word >>= width
    return values
