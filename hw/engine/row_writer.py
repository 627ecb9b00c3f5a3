"""The memories of an engine that hold a network, and the ports by which their rows are written."""

from dataclasses import dataclass
from enum import IntEnum

from amaranth.hdl import Module, Signal, Value, unsigned
from amaranth.lib import data
from amaranth.lib.memory import Memory

from hw.asq.layouts import index_shape
from hw.asq.memories import row_layouts
from hw.engine.engine_spec import EngineSpec
from hw.engine.row_layouts import piece_layout, weight_row_layout

LOAD_BITS = 32  # of a word that loads
BYTE = 256  # entries of the table of a channel's bytes


class Section(IntEnum):
    """A memory that holds a part of a network, by its number in the words that load it."""

    ARRAY_PROGRAM = 1
    VALUE_PROGRAM = 2
    WEIGHTS = 3
    SCALES = 4
    BIASES = 5
    MULTIPLIERS = 6
    NEURONS = 7
    NEURON_WEIGHTS = 8
    BYTES = 9
    FUNCTIONS = 10


@dataclass(frozen=True)
class Size:
    """The bits of a memory's row, and how many rows it has."""

    bits: int
    rows: int

    @property
    def words(self) -> int:
        """Words that load a row, the lowest bits first."""
        return -(-self.bits // LOAD_BITS)


def find_sizes(spec: EngineSpec, tables: int) -> dict[Section, Size]:
    """Find the memories of an engine that hold a network. tables: the rows of the memory of what bytes mean."""
    depths, lanes = spec.depths, spec.lanes
    sizes = {
        Section.ARRAY_PROGRAM: Size(spec.word_bits, depths.program),
        Section.VALUE_PROGRAM: Size(spec.word_bits, depths.program),
        Section.WEIGHTS: Size(weight_row_layout(spec).size, depths.weights),
        Section.SCALES: Size(lanes * spec.scale_bits, depths.constants * spec.banks),
        Section.BIASES: Size(lanes * spec.total_bits, depths.constants),
    }
    if spec.adapter:
        rows = row_layouts(spec.adapter_block)
        sizes |= {
            Section.MULTIPLIERS: Size(spec.precision, depths.multipliers),
            Section.NEURONS: Size(rows["units"].size, depths.neurons),
            Section.NEURON_WEIGHTS: Size(rows["weights"].size, depths.neuron_weights),
        }
    if spec.byte_input:
        sizes[Section.BYTES] = Size(spec.value_bits, max(tables, BYTE))
    if spec.functions:
        sizes[Section.FUNCTIONS] = Size(piece_layout(spec).size, max(spec.depths.functions, 2))
    return sizes


def row_layout(sizes: dict[Section, Size]) -> data.StructLayout:
    """A row that is written to a memory: whether there is one, to which memory, at which address, and what.

    `row` has as many words as the widest row; a narrower one is in the uppermost words, from their lowest bit on.
    """
    return data.StructLayout(
        {
            "valid": 1,
            "section": unsigned(max(Section).bit_length()),
            "address": index_shape(max(size.rows for size in sizes.values())),
            "row": unsigned(LOAD_BITS * max(size.words for size in sizes.values())),
        }
    )


class RowWriter:
    """Gives memories a port by which their rows are loaded.

    row: a signal of `row_layout`, which the engine drives and each memory watches.
    """

    def __init__(self, sizes: dict[Section, Size]):
        self.sizes = sizes
        self.row = Signal(row_layout(sizes))

    def is_chosen(self, section: Section) -> Value:
        """Whether a row for this memory is there."""
        return self.row.valid & (self.row.section == section)

    def contents(self, section: Section) -> Value:
        """The bits of the row, if it is for this memory."""
        size = self.sizes[section]
        return self.row.row[-LOAD_BITS * size.words :][: size.bits]

    def serve(self, m: Module, section: Section, memory: Memory) -> None:
        """Add a write port to a memory that has none."""
        port = memory.write_port()
        m.d.comb += [
            port.en.eq(self.is_chosen(section)),
            port.addr.eq(self.row.address),
            Value.cast(port.data).eq(self.contents(section)),
        ]


def serve(m: Module, writer: RowWriter | None, section: Section, memory: Memory) -> None:
    """Add a write port to a memory that can be loaded; nothing to another."""
    if writer is not None and section in writer.sizes:
        writer.serve(m, section, memory)
