"""What an instruction has to write: each number with the address and the channel of the word that it stands in."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from asq_model.spec.graph.graph import Graph
from asq_model.spec.graph.movement import Reshape
from asq_model.spec.graph.tensor import Trace
from hw.engine.compiler.compiled import Compiled
from hw.engine.compiler.instructions import Instruction
from hw.engine.engine_spec import WIDEST_CODE, EngineSpec
from hw.engine.instruction_fields import PIECE_BITS, SLOT_BITS
from hw.engine.program import Kind


@dataclass(frozen=True)
class WrittenNumber:
    """A number that is to be written, and where.

    address, lane: its word, and its place in that. place: its channel, row and column in the map. piece: which one, of
    a code that is stored in several. number: None for channels beyond the map's, which may be any.
    """

    address: int
    lane: int
    place: tuple[int, int, int]
    piece: int
    number: int | None


def shape_codes(graph: Graph, tensor: str, layer: str, trace: Trace, image: int) -> np.ndarray:
    """Bring a layer's codes [C, H, W] to the shape of the map that it takes, which may have been flattened before."""
    codes, shape = trace.codes[layer][image], graph.tensors[tensor].shape
    if codes.shape == shape:
        return codes
    nodes = {node.name: node for node in graph.nodes}
    reshape = nodes[nodes[layer].inputs[0]]
    assert isinstance(reshape, Reshape)
    order = reshape.order
    return codes.reshape([shape[axis] for axis in order]).transpose(np.argsort(order))


def expect_values(spec: EngineSpec, instruction: Instruction, values: np.ndarray) -> Iterator[WrittenNumber]:
    """Yield the numbers of a map [C, H, W] that an instruction stores as values, or keeps as results."""
    fields = instruction.fields
    place = "value" if fields.get("writes_values") else "result"
    first, step = fields[place], fields[f"{place}_step"]
    _, _, columns = values.shape
    for (channel, row, column), number in np.ndenumerate(values):
        address = first + (row * columns + column) * step + channel // spec.lanes
        yield WrittenNumber(address, channel % spec.lanes, (channel, row, column), 0, int(number))
    beyond = range(-(-len(values) // spec.lanes), step)
    for word, pixel in product(beyond, range(values[0].size)):
        yield WrittenNumber(first + pixel * step + word, 0, (word * spec.lanes, *divmod(pixel, columns)), 0, None)


def expect_codes(compiled: Compiled, instruction: Instruction, codes: np.ndarray) -> Iterator[WrittenNumber]:
    """Yield the pieces of the codes [C, H, W] that an instruction writes."""
    fields, spec = instruction.fields, compiled.spec
    if not fields.get("finishes") and instruction.kind == Kind.COLLECT:  # of the pixels that the layer sees
        codes = codes[:, :: fields["row_stride"], :: fields["column_stride"]]
    size, count, _, columns = spec.channels, *codes.shape
    moved = codes + (fields["signed"] << fields["code_bits"] - 1)
    mask = (1 << compiled.piece_bits) - 1 if fields["splits"] else (1 << WIDEST_CODE) - 1
    for group in range(-(-count // size)):
        for lane in range(size):
            channel = find_lane_channel(compiled, instruction, group, lane)
            if channel is None or channel >= count:
                continue
            own = fields["slot_pieces"] >> lane * PIECE_BITS & (1 << PIECE_BITS) - 1
            for word in range(fields["last_piece"] + 1):
                piece = own + word
                offset = fields["code"] + group + word * fields["piece_stride"]
                for (row, column), code in np.ndenumerate(moved[channel]):
                    number = int(code) >> piece * compiled.piece_bits & mask
                    address = offset + (row * columns + column) * fields["code_step"]
                    yield WrittenNumber(address, lane, (channel, row, column), piece, number)


def find_lane_channel(compiled: Compiled, instruction: Instruction, group: int, lane: int) -> int | None:
    """Find the channel in a lane of a group's word, or none. A word of the image may hold one several times."""
    if not instruction.fields.get("from_input"):
        return group * compiled.spec.channels + lane
    load = next(i for i in compiled.instructions if i.kind == Kind.LOAD)
    slot = load.fields["slots"] >> lane * SLOT_BITS & (1 << SLOT_BITS) - 1
    if load.fields["last_input"] >= compiled.spec.channels:
        return group * compiled.spec.channels + slot
    return slot if slot <= load.fields["last_input"] else None
