"""The rows of the weight memory for a layer: the codes of an array's weights, a row for each step of a tile."""

import numpy as np

from asq_model.spec.graph.convolution import Convolution
from hw.engine.compiler.layer_operands import Operands
from hw.engine.compiler.passes import Pass
from hw.engine.compiler.terms import levels_of
from hw.engine.engine_spec import EngineSpec


def weight_rows(spec: EngineSpec, node: Convolution, operands: Operands, channels: int) -> list[int]:
    """The rows of the weight memory for a layer, in the order in which they are read: code (row, column) lowest first.

    For each group of output channels: passes, kernel rows and columns, words.
    """
    size, code_bits = spec.channels, spec.mac.level_set.code_bits
    zero = levels_of(spec.mac.level_set)[0, 0]
    outputs, kernel = len(node.products.even), node.kernel
    codes = operands.terms.codes.reshape(-1, outputs, channels // node.groups, *kernel)
    dense = np.full((len(codes), operands.outputs * size, operands.groups * size, *kernel), zero, np.int64)
    inputs_each, outputs_each = channels // node.groups, outputs // node.groups
    for group in range(node.groups):
        here = slice(group * outputs_each, (group + 1) * outputs_each)
        dense[:, here, group * inputs_each : (group + 1) * inputs_each] = codes[:, here]
    padding = np.full((1, *dense.shape[1:]), zero, np.int64)
    dense = np.concatenate([dense, padding])  # term −1 is none
    rows = []
    shifts = (np.arange(size * size, dtype=object) * code_bits).reshape(size, size)
    for group in range(operands.outputs):
        first = group // operands.words.repeat * operands.words.count
        columns = slice(group * size, (group + 1) * size)
        for number in operands.passes:
            for ky in range(kernel[0]):
                for kx in range(kernel[1]):
                    for word in range(first, first + operands.words.count):
                        tile = word_tile(operands, number, dense[:, columns, :, ky, kx], word, size)
                        rows.append(int((tile.astype(object) << shifts).sum()))
    return rows


def word_tile(operands: Operands, number: Pass, weights: np.ndarray, word: int, size: int) -> np.ndarray:
    """The codes that a word's channels meet in a pass, int [row, column].

    weights: int [terms and none, G, channels].
    """
    if operands.slots is None:
        inside = slice(word * size, (word + 1) * size)
        return weights[number.terms[0], :, inside].T
    tile = np.tile(weights[-1, :, 0], (size, 1))
    for place, slot in enumerate(operands.slots):
        tile[place] = weights[number.terms[place], :, slot.channel]
    return tile
