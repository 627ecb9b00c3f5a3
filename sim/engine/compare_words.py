"""Comparing the words that an instruction wrote with those that the graph says it has to write."""

from collections.abc import Iterable, Sequence

from amaranth.hdl import Shape
from amaranth.lib import data

from hw.engine.compiler.compiled import Compiled
from hw.engine.engine_layouts import written_layout
from hw.engine.finisher import totals_layout
from sim.engine.expected_words import WrittenNumber


def read_words(layout: data.StructLayout, words: Sequence[int], needs_stored: bool) -> tuple[dict[int, int], int]:
    """Read an instruction's words: by address, and how many were written over another.

    needs_stored: leave out those that are not stored.
    """
    address, word, stored = layout["address"], layout["word"], layout["stored"]
    mask = (1 << Shape.cast(address.shape).width) - 1
    found: dict[int, int] = {}
    again = 0
    for bits in words:
        if needs_stored and not bits >> stored.offset & 1:
            continue
        place = bits >> address.offset & mask
        again += place in found
        found[place] = bits >> word.offset
    return found, again


def lane_number(word: int, lane: int, bits: int, signed: bool) -> int:
    """The number in a lane of a word."""
    number = word >> lane * bits & (1 << bits) - 1
    return number - (number >> bits - 1 << bits) if signed else number


def compare_numbers(
    what: str, found: dict[int, int], wanted: Iterable[WrittenNumber], bits: int, signed: bool
) -> list[str]:
    """Compare words with the numbers wanted: a line for those that differ, one for words where none belongs.

    found: words by address. bits, signed: of a number. what: begins each line.
    """
    differ, count, first, addresses = 0, 0, "", set()
    for number in wanted:
        addresses.add(number.address)
        if number.number is None:
            continue
        count += 1
        word = found.get(number.address)
        seen = None if word is None else lane_number(word, number.lane, bits, signed)
        if seen != number.number:
            differ += 1
            first = first or describe(number, seen)
    lines = [f"{what} {first} ({differ} of {count} differ)"] if differ else []
    foreign = sorted(set(found) - addresses)
    if foreign:
        lines.append(f"{what} {len(foreign)} words were written where none belongs, the first at address {foreign[0]}")
    return lines


def describe(number: WrittenNumber, seen: int | None) -> str:
    """A number that differs, in words."""
    channel, row, column = number.place
    piece = f", piece {number.piece}" if number.piece else ""
    place = f"channel {channel}, row {row}, column {column}{piece}"
    return f"{place} is {'not written' if seen is None else seen}, in the graph {number.number}"


def compare_values(
    compiled: Compiled, what: str, words: Sequence[int], wanted: Iterable[WrittenNumber], kept: bool
) -> list[str]:
    """Compare an instruction's values. kept: they are results, which go into no memory of values."""
    spec = compiled.spec
    layout = written_layout(spec, totals_layout(spec).size)
    found, again = read_words(layout, words, not kept)
    lines = [f"{what} {again} words were written twice"] if again else []
    return lines + compare_numbers(what, found, wanted, spec.total_bits, True)


def compare_codes(compiled: Compiled, what: str, words: Sequence[int], wanted: Iterable[WrittenNumber]) -> list[str]:
    """Compare the codes that an instruction wrote."""
    spec = compiled.spec
    found, again = read_words(written_layout(spec, spec.code_word), words, True)
    lines = [f"{what} {again} words were written twice"] if again else []
    return lines + compare_numbers(what, found, wanted, spec.mac.activation_bits, False)
