"""The words that load a network into an engine that is there."""

import base64
import zlib
from collections.abc import Collection, Iterator
from dataclasses import asdict

import numpy as np
from msgspec import Struct

from asq_model.common.files import JSON_MB, fingerprint
from asq_model.common.records import Count, Line, Schema
from hw.asq.memories import row_layouts
from hw.engine.compiler import cycles
from hw.engine.compiler.compiled import Compiled
from hw.engine.engine_spec import EngineSpec
from hw.engine.finisher import scales_layout, totals_layout
from hw.engine.image import Image
from hw.engine.memory_loader import END, ROW_COUNT_BITS
from hw.engine.program import array_layout, value_layout
from hw.engine.registers import LOAD_BIT, REGISTERS
from hw.engine.row_layouts import piece_layout
from hw.engine.row_writer import LOAD_BITS, Section, find_sizes


def make_memory_rows(spec: EngineSpec, image: Image) -> dict[Section, list[int]]:
    """Make the rows of a network in each memory, as bit patterns."""
    rows = {
        Section.ARRAY_PROGRAM: list(image.array_program),
        Section.VALUE_PROGRAM: list(image.value_program),
        Section.WEIGHTS: list(image.weights),
        Section.SCALES: [scales_layout(spec).const(row).as_bits() for row in image.scales],
        Section.BIASES: [totals_layout(spec).const(row).as_bits() for row in image.biases],
    }
    if spec.adapter:
        layouts = row_layouts(spec.adapter_block)
        rows[Section.MULTIPLIERS] = [number & (1 << spec.precision) - 1 for number in image.multipliers]
        rows[Section.NEURONS] = [layouts["units"].const(row).as_bits() for row in image.neurons["units"]]
        rows[Section.NEURON_WEIGHTS] = [layouts["weights"].const(row).as_bits() for row in image.neurons["weights"]]
    if spec.functions:
        rows[Section.FUNCTIONS] = [piece_layout(spec).const(row).as_bits() for row in image.functions]
    if spec.byte_input:
        rows[Section.BYTES] = [number & (1 << spec.value_bits) - 1 for number in image.tables]
    return rows


def compute_engine_number(spec: EngineSpec, radix_bits: int, piece_bits: int) -> int:
    """Compute the 32 bits by which an engine knows what was compiled for it, of all that a program depends on."""
    layouts = [[name, field.offset, field.width] for part in (array_layout, value_layout) for name, field in part(spec)]
    return int(fingerprint([asdict(spec), radix_bits, piece_bits, layouts, cycles.list_delays(spec)])[:8], 16)


def split_row(row: int, words: int) -> Iterator[int]:
    """The words of a row, the lowest bits first."""
    return (row >> LOAD_BITS * word & (1 << LOAD_BITS) - 1 for word in range(words))


def make_load_words(
    spec: EngineSpec, image: Image, number: int, sections: Collection[Section] = tuple(Section)
) -> np.ndarray:
    """Make the words that load a network into an engine, uint32: the engine's number, a section a memory, the end.

    A section is a word (its number · 2^24 + its rows) and the words of its rows; the end is the word 0 and the CRC-32
    of all words before, as bytes, the lowest first. number: the engine's. sections: those that are loaded.
    """
    sizes = find_sizes(spec, len(image.tables))
    words = [number]
    for section, rows in make_memory_rows(spec, image).items():
        if section not in sections:
            continue
        words.append(section << ROW_COUNT_BITS | len(rows))
        for row in rows:
            words += split_row(row, sizes[section].words)
    return add_checksum(np.array([*words, END], "<u4"))


def add_checksum(words: np.ndarray) -> np.ndarray:
    """Add to words their CRC-32, behind them."""
    return np.append(words, np.array([zlib.crc32(words.tobytes())], "<u4"))


class LoadFile(Struct, frozen=True):
    """The words that load a network, in a file. words: as base64 of bytes, the lowest of each word first.

    network: its name. engine: the number of the engine that takes it. register: the address to which the words go, one
    after the other, once bit `begin` of the register at `control` is set.
    """

    network: Line
    engine: Count
    control: Count
    begin: Count
    register: Count
    words: str


LOAD_FILE: Schema[LoadFile] = Schema("words that load a network", LoadFile, megabytes=JSON_MB)


def make_load_file(network: str, compiled: Compiled) -> LoadFile:
    """Make the file of a compiled network."""
    number = compute_engine_number(compiled.spec, compiled.radix_bits, compiled.piece_bits)
    words = make_load_words(compiled.spec, compiled.image, number)
    text = base64.b64encode(words.tobytes()).decode()
    return LoadFile(network, number, REGISTERS["control"], LOAD_BIT, REGISTERS["load"], text)
