"""Which bits of its instructions an engine for one network stores: those that differ, once each.

Every bit of an instruction is a row of zeros and ones over the instructions of a program. A row that is all zeros or
all ones is no bit but a constant, and rows that agree are one stored bit. A field that a kind of instruction does not
use may be either: rows that differ only there agree.
"""

from collections.abc import Iterator, Mapping, Sequence

from amaranth.hdl import Const, Shape, Value
from amaranth.lib import data

from hw.engine.engine_spec import EngineSpec

ZERO, ONE = -1, -2  # the places of bits that are constants
BitValues = tuple[int | None, ...]  # of a bit: its value in each instruction; None: any


def places_of(spec: EngineSpec, layout: data.StructLayout) -> Sequence[int]:
    """Where each bit of an instruction comes from: the number of a stored bit, or a constant."""
    own = spec.stored_array if "weights" in layout.members else spec.stored_value
    return own or range(layout.size)


def count_stored_bits(spec: EngineSpec, layout: data.StructLayout) -> int:
    """Count how many bits of an instruction are stored."""
    return max(places_of(spec, layout)) + 1


def expand(spec: EngineSpec, layout: data.StructLayout, stored: Value) -> list[Value]:
    """The bits of an instruction from those that are stored."""
    constants = {ZERO: Const(0, 1), ONE: Const(1, 1)}
    return [constants[place] if place < 0 else stored[place] for place in places_of(spec, layout)]


def condense(spec: EngineSpec, layout: data.StructLayout, bits: int) -> int:
    """The stored bits of an instruction; a stored bit is 1 if any of the bits that it stands for is."""
    stored = 0
    for bit, place in enumerate(places_of(spec, layout)):
        if place >= 0:
            stored |= (bits >> bit & 1) << place
    return stored


def find_lost_fields(spec: EngineSpec, layout: data.StructLayout, fields: Mapping[str, int], stored: int) -> list[str]:
    """Find the fields of an instruction that its stored bits do not give again."""
    known = {ZERO: 0, ONE: 1}
    places = places_of(spec, layout)
    bits = sum((known[p] if p < 0 else stored >> p & 1) << bit for bit, p in enumerate(places))
    return [
        name
        for name, number in fields.items()
        if (bits >> layout[name].offset ^ number) & (1 << Shape.cast(layout[name].shape).width) - 1
    ]


def make_bit_rows(
    layout: data.StructLayout, program: Sequence[Mapping[str, int]], needs: Sequence[set[str]]
) -> Iterator[tuple[str, BitValues]]:
    """List the field and the row of each bit of an instruction. needs: the fields that each instruction uses."""
    for name, field in layout:
        for bit in range(Shape.cast(field.shape).width):
            yield (
                name,
                tuple(
                    fields.get(name, 0) >> bit & 1 if name in needed else None
                    for fields, needed in zip(program, needs, strict=True)
                ),
            )


def merge_rows(one: BitValues, other: BitValues) -> BitValues | None:
    """Merge two rows into one that agrees with both; None where they differ."""
    if any(None not in (a, b) and a != b for a, b in zip(one, other, strict=True)):
        return None
    return tuple(b if a is None else a for a, b in zip(one, other, strict=True))


def find_places(
    layout: data.StructLayout, program: Sequence[Mapping[str, int]], needs: Sequence[set[str]]
) -> tuple[int, ...]:
    """The places of a program's bits."""
    stored: list[BitValues] = []
    places = []
    for _, row in make_bit_rows(layout, program, needs):
        constant = ZERO if 1 not in row else ONE if 0 not in row else None
        places.append(store_row(stored, row) if constant is None else constant)
    return tuple(places)


def store_row(stored: list[BitValues], row: BitValues) -> int:
    """Store a row with the first that agrees with it, or as a new one; returns its place."""
    for place, other in enumerate(stored):
        if (both := merge_rows(other, row)) is not None:
            stored[place] = both
            return place
    stored.append(row)
    return len(stored) - 1
