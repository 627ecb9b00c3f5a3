"""The rows of the weight memory for a layer: the codes of an array's weights, a row for each step of a tile."""

from collections.abc import Iterator

import numpy as np

from asq_model.spec.graph.convolution import Convolution
from hw.engine.compiler.layer_operands import Operands
from hw.engine.compiler.passes import Pass
from hw.engine.compiler.pick_steps import NO_PICKS
from hw.engine.compiler.terms import levels_of
from hw.engine.engine_spec import EngineSpec
from hw.engine.row_layouts import weight_row_layout


def make_weight_rows(spec: EngineSpec, node: Convolution, operands: Operands, channels: int, period: int) -> list[int]:
    """Make a layer's rows of the weight memory, in the order in which they are read: code (row, column) lowest first.

    For each group of output channels: passes, kernel rows and columns, words; or, where words are picked of windows, a
    row for each of a tile's `period` cycles.
    """
    size = spec.channels
    dense = make_dense_codes(spec, node, operands, channels)
    rows: list[int] = []
    for group in range(operands.outputs):
        first = group // operands.words.repeat * operands.words.count
        weights = dense[:, group * size : (group + 1) * size]
        if operands.picked:
            rows += make_picked_rows(spec, operands, weights, period)
        for number in operands.passes:
            for ky in range(node.kernel[0]):
                for kx in range(node.kernel[1]):
                    for word in range(first, first + operands.words.count):
                        rows.append(pack_tile(spec, make_word_tile(operands, number, weights[..., ky, kx], word, size)))
    return rows


def make_dense_codes(spec: EngineSpec, node: Convolution, operands: Operands, channels: int) -> np.ndarray:
    """Make the codes of a layer's terms, of zeros where groups do not meet, int [terms and none, C', C, kernel].

    C' and C are multiples of G.
    """
    size = spec.channels
    zero = levels_of(spec.mac.level_set)[0, 0]
    outputs, kernel = len(node.products.even), node.kernel
    codes = operands.terms.codes.reshape(-1, outputs, channels // node.groups, *kernel)
    dense = np.full((len(codes), operands.outputs * size, operands.groups * size, *kernel), zero, np.int64)
    inputs_each, outputs_each = channels // node.groups, outputs // node.groups
    for group in range(node.groups):
        here = slice(group * outputs_each, (group + 1) * outputs_each)
        dense[:, here, group * inputs_each : (group + 1) * inputs_each] = codes[:, here]
    padding = np.full((1, *dense.shape[1:]), zero, np.int64)
    return np.concatenate([dense, padding])  # term −1 is none


def pack_tile(spec: EngineSpec, tile: np.ndarray) -> int:
    """The bits of the codes of an array's weights, int [row, column]."""
    shifts = (np.arange(tile.size, dtype=object) * spec.mac.level_set.code_bits).reshape(tile.shape)
    return int((tile.astype(object) << shifts).sum())


def make_picked_rows(spec: EngineSpec, operands: Operands, weights: np.ndarray, period: int) -> Iterator[int]:
    """Make the rows of a tile whose words are picked of windows. weights: int [terms and none, G, channels, kernel]."""
    size, width, layout = spec.channels, spec.window_channels, weight_row_layout(spec)
    places = weights.reshape(*weights.shape[:3], -1)
    for step in (*operands.picked, *[NO_PICKS] * (period - len(operands.picked))):
        tile = np.tile(places[-1, :, 0, 0], (size, 1))
        for number, pick in enumerate(step.picks):
            tile[number * width : (number + 1) * width] = places[pick.term, :, :width, pick.place].T
        picks = [{"place": pick.place, "piece": pick.piece} for pick in step.picks]
        row = {"weights": pack_tile(spec, tile), "picks": picks, "shifted": step.shifted}
        yield layout.const(row).as_bits()


def make_word_tile(operands: Operands, number: Pass, weights: np.ndarray, word: int, size: int) -> np.ndarray:
    """Make the codes that a word's channels meet in a pass, int [row, column].

    weights: int [terms and none, G, channels].
    """
    if operands.slots is None:
        inside = slice(word * size, (word + 1) * size)
        return weights[number.terms[0], :, inside].T
    tile = np.tile(weights[-1, :, 0], (size, 1))
    for place, slot in enumerate(operands.slots):
        tile[place] = weights[number.terms[place], :, slot.channel]
    return tile
