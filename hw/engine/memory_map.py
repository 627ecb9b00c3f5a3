"""The memories of an engine: their rows and the bits of a row, and what they take of an FPGA's blocks of memory."""

from collections.abc import Mapping
from dataclasses import dataclass

from hw.asq.memories import row_layouts
from hw.engine.engine_spec import EngineSpec
from hw.engine.row_layouts import piece_layout, weight_row_layout
from hw.engine.row_writer import BYTE

# Blocks of memory that are read and written at the same time, as (rows, bits) of each form that a block can take.
BLOCK_SHAPES = {
    "ice40": ((256, 16), (512, 8), (1024, 4), (2048, 2)),
    "ecp5": ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),
    "xc7": ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),  # halves of a RAMB36
}


@dataclass(frozen=True)
class MemorySize:
    """A memory: `copies` times so many rows of so many bits. depth: the name of its rows in `Depths`, if it has one."""

    name: str
    rows: int
    bits: int
    copies: int = 1
    depth: str = ""

    def count_blocks(self, family: str) -> int:
        """Count the blocks of an FPGA family that all copies take, in the form that takes the fewest."""
        return self.copies * min(-(-self.rows // rows) * -(-self.bits // bits) for rows, bits in BLOCK_SHAPES[family])


def make_memory_map(spec: EngineSpec, image_channels: int) -> list[MemorySize]:
    """List every memory of an engine. image_channels: channels of an image, each with a table for its bytes.

    The channel sums, which are read without a clock, are in LUTs or registers, and not among them.
    """
    depths, lanes = spec.depths, spec.lanes
    memories = [
        MemorySize("weights", depths.weights, weight_row_layout(spec).size, 1, "weights"),
        MemorySize("codes", depths.codes, spec.code_word, spec.pixels, "codes"),
        MemorySize("values", depths.values, lanes * spec.value_bits, spec.banks, "values"),
        MemorySize("image", depths.inputs, spec.channels * spec.value_bits, 1, "inputs"),
        MemorySize("scales", depths.constants * spec.banks, lanes * spec.scale_bits, 1, "constants"),
        MemorySize("biases", depths.constants, lanes * spec.total_bits, 1, "constants"),
        MemorySize("programs", depths.program, spec.word_bits, 2, "program"),
        MemorySize("results", depths.results, lanes * spec.total_bits, 1, "results"),
    ]
    if spec.byte_input:
        memories.append(MemorySize("bytes", BYTE * image_channels, spec.value_bits))
    if spec.functions:
        memories.append(MemorySize("functions", depths.functions, piece_layout(spec).size, lanes, "functions"))
    if spec.adapter:
        rows = row_layouts(spec.adapter_block)
        memories += [
            MemorySize("multipliers", depths.multipliers, spec.precision, 1, "multipliers"),
            MemorySize("neurons", depths.neurons, rows["units"].size, 1, "neurons"),
            MemorySize("neurons' weights", depths.neuron_weights, rows["weights"].size, 1, "neuron_weights"),
        ]
    return memories


def count_blocks(memories: list[MemorySize], family: str) -> Mapping[str, int]:
    """Count the blocks of an FPGA family that each memory takes, by its name."""
    return {memory.name: memory.count_blocks(family) for memory in memories}
