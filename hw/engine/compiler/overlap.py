"""When an instruction may start before what it waits for is done.

A layer starts while the sums of the one before still leave the arrays, and while its own codes are still made: it
follows what makes them, and reads none before it is written.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from hw.engine.compiler.conflicts import Conflicts, Turn
from hw.engine.compiler.cycles import count_convolve_start
from hw.engine.compiler.instructions import Instruction, exclude, share_rows
from hw.engine.engine_spec import EngineSpec
from hw.engine.program import Kind


def find_last_read(layer: Instruction) -> np.ndarray:
    """Find the last pixel of its input, in the order of rows, that a layer has read when it has done each output pixel,
    −1 if none: int64 [pixel].
    """
    fields = layer.fields
    pixel = np.arange(fields["pixels"])
    row, column = np.divmod(pixel, fields["last_column"] + 1)
    below = fields["first_row"] + row * fields["row_stride"] + fields["last_kernel_row"] * fields["row_dilation"]
    right = fields["first_column"] + column * fields["column_stride"]
    right += fields["last_kernel_column"] * fields["column_dilation"]
    below, right = np.minimum(below, fields["rows"] - 1), np.minimum(right, fields["columns"] - 1)
    return np.maximum.accumulate(np.where((below < 0) | (right < 0), -1, below * fields["columns"] + right))


def find_release(spec: EngineSpec, codes: Instruction, layer: Instruction) -> int:
    """Find after how many cycles from the start of what makes its codes a layer may start; 0: when that is done.

    The layer is then at work until the codes are whole, so that nothing behind it comes too early.
    """
    made, read = codes.fields, layer.fields
    rows = made["last_column"] + 1 == read["columns"] and made["pixels"] == read["rows"] * read["columns"]
    if not rows or made["code_step"] * read["column_stride"] != read["column_step"]:
        return 0  # other rows than they are made in
    pixels = find_last_read(layer)
    tiles = np.append(pixels[spec.pixels - 1 : -1 : spec.pixels], pixels[-1])  # with each tile's last pixel
    tile_cycles = (read["period"] + 1) * (read["last_group"] + 1)
    reads = count_convolve_start(spec) + tile_cycles * np.arange(len(tiles))
    written = codes.cycles - (made["pixels"] - 1 - tiles) * (codes.busy // made["pixels"])
    behind = int(np.where(tiles < 0, 0, written - reads).max())
    released = max(behind, codes.cycles - layer.busy, 1)
    return released if released < codes.cycles else 0


def find_releases(spec: EngineSpec, instructions: Sequence[Instruction]) -> dict[int, tuple[int, int]]:
    """For what makes codes, by its number: the layer that may follow, by its number, and after how many cycles.

    Such a layer depends on it for the codes only, and they use no part of the engine that only one can use.
    """
    layers = {each.name: number for number, each in enumerate(instructions) if each.kind == Kind.CONVOLVE}
    found = {}
    for number, codes in enumerate(instructions):
        if codes.kind != Kind.COLLECT or codes.layer not in layers:
            continue
        layer = instructions[layers[codes.layer]]
        written = [place for place in layer.writes for other in (*codes.reads, *codes.writes) if place.overlaps(other)]
        if written or exclude(codes, layer, True) or not share_rows(codes, layer, True):
            continue
        if cycles := find_release(spec, codes, layer):
            found[number] = layers[codes.layer], cycles
    return found


def find_early_starts(
    marked: Sequence[Instruction], conflicts: Conflicts, turns: Sequence[Turn]
) -> Sequence[Mapping[str, int]]:
    """Find how many cycles before the one before it is done each instruction of the arrays' program may start.

    A layer may while the sums of another leave, if it reads none of what becomes of them; what follows its own sums is
    needed only when they leave.
    """
    early = []
    for place, turn in enumerate(turns):
        before, own = marked[turns[place - 1].number], marked[turn.number]
        overlaps = before.kind == own.kind == Kind.CONVOLVE and conflicts.are_independent(turns[place - 1], turn)
        early.append({"early": min(before.flush, own.lead) if overlaps else 0})
    return early


def time_releases(
    found: Mapping[int, tuple[int, int]], turns: Sequence[Turn], conflict: np.ndarray, is_arrays: np.ndarray
) -> Sequence[Mapping[str, int]]:
    """Find when the arrays' program need not wait any more for each instruction of the other's.

    found: as `find_releases` has it. The layer has to be the first that waits for the instruction: what follows the
    layer starts when it is done.
    """
    arrays = np.flatnonzero(is_arrays)
    released = []
    for place in np.flatnonzero(~is_arrays):
        turn = turns[int(place)]
        layer, cycles = found.get(turn.number, (None, 0))
        if layer is not None:
            waiting = arrays[conflict[place, arrays]]
            first = turns[int(waiting[((waiting - place) % len(turns)).argmin()])]
            cycles = cycles if first == Turn(layer, turn.bank) else 0
        released.append({"released": cycles})
    return released
