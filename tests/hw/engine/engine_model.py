"""What an engine's arrays add up, by the fields of an instruction and the contents of memories alone."""

from collections.abc import Mapping

import numpy as np

from hw.engine.compiler.compiled import Compiled
from hw.engine.compiler.instructions import Instruction
from hw.engine.instruction_fields import PIECE_BITS
from hw.engine.row_layouts import weight_row_layout


def lane_codes(compiled: Compiled, word: int) -> np.ndarray:
    """The codes of a word, int [G]."""
    bits = compiled.spec.mac.activation_bits
    return np.array([word >> bits * lane & (1 << bits) - 1 for lane in range(compiled.spec.channels)])


def tile_products(compiled: Compiled, row: int, codes: np.ndarray) -> np.ndarray:
    """What a row of the weight memory adds to the sums of G columns, int [G], where it meets a word's codes."""
    spec, bits = compiled.spec, compiled.spec.mac.level_set.code_bits
    size = spec.channels
    weights = [row >> bits * place & (1 << bits) - 1 for place in range(size * size)]
    products = spec.mac.products[np.array(weights).reshape(size, size), codes[:, None]]
    return products.sum(0)


def convolve(compiled: Compiled, instruction: Instruction, codes: Mapping[int, int]) -> np.ndarray:
    """The sums of a layer, int [output channels, pixels]. codes: the words of their memory by address."""
    fields = {"source": 0} | dict(instruction.fields)
    columns = fields["last_column"] + 1
    sums = []
    for pixel in range(fields["pixels"]):
        row, column = divmod(pixel, columns)
        place = (
            fields["first_row"] + row * fields["row_stride"],
            fields["first_column"] + column * fields["column_stride"],
        )
        address = fields["source"] + row * fields["row_step"] + column * fields["column_step"]
        sums.append(pixel_sums(compiled, fields, codes, place, address))
    return np.array(sums).T


def pixel_sums(
    compiled: Compiled, fields: Mapping[str, int], codes: Mapping[int, int], place: tuple[int, int], address: int
) -> list[int]:
    """The sums of one output pixel, of every output channel. place: row and column where its window begins."""
    modulus = (
        1
        << max(
            compiled.spec.depths.codes - 1, compiled.spec.depths.values - 1, compiled.spec.depths.inputs - 1, 1
        ).bit_length()
    )
    if fields.get("gathers"):
        return picked_sums(compiled, fields, window_words(fields, codes, place, address, modulus))
    number, first_word, sums = fields["weights"], 0, []
    for group in range(fields["last_group"] + 1):
        total = np.zeros(compiled.spec.channels, np.int64)
        for turn in range(fields["last_pass"] + 1):
            if fields["shifts"] >> turn & 1:
                total <<= compiled.radix_bits
            beyond = fields["negates"] and turn % 2
            piece = fields["pieces"] >> PIECE_BITS * turn & (1 << PIECE_BITS) - 1
            tap = first_word + piece * fields["piece_step"]
            for kernel_row in range(fields["last_kernel_row"] + 1):
                for kernel_column in range(fields["last_kernel_column"] + 1):
                    row = place[0] + kernel_row * fields["row_dilation"]
                    column = place[1] + kernel_column * fields["column_dilation"]
                    inside = 0 <= row < fields["rows"] and 0 <= column < fields["columns"] and not beyond
                    zero = fields["zero"] if piece == fields["zero_piece"] else 0
                    for word in range(fields["last_word"] + 1):
                        found = codes[(address + tap) % modulus] if inside else zero
                        total += tile_products(compiled, compiled.image.weights[number], lane_codes(compiled, found))
                        number += 1
                        tap += 1 if word < fields["last_word"] else 0
                    last = kernel_column == fields["last_kernel_column"]
                    tap += fields["kernel_row_step" if last else "kernel_column_step"]
        sums += total.tolist()
        if (group + 1) % (fields["last_repeat"] + 1) == 0:
            first_word += fields["last_word"] + 1
    return sums


def window_words(
    fields: Mapping[str, int], codes: Mapping[int, int], place: tuple[int, int], address: int, modulus: int
) -> list[int]:
    """The words of a pixel's window, of one word a place."""
    words, tap = [], 0
    for kernel_row in range(fields["last_kernel_row"] + 1):
        for kernel_column in range(fields["last_kernel_column"] + 1):
            row = place[0] + kernel_row * fields["row_dilation"]
            column = place[1] + kernel_column * fields["column_dilation"]
            inside = 0 <= row < fields["rows"] and 0 <= column < fields["columns"]
            words.append(codes[(address + tap) % modulus] if inside else fields["zero"])
            tap += fields["kernel_row_step" if kernel_column == fields["last_kernel_column"] else "kernel_column_step"]
    return words


def picked_sums(compiled: Compiled, fields: Mapping[str, int], window: list[int]) -> list[int]:
    """The sums of one output pixel, whose words are picked of a window."""
    spec, layout = compiled.spec, weight_row_layout(compiled.spec)
    width, sums = spec.window_channels, []
    rows = iter(compiled.image.weights[fields["weights"] :])
    for _ in range(fields["last_group"] + 1):
        total = np.zeros(spec.channels, np.int64)
        for _ in range(fields["period"] + 1):
            bits = next(rows)
            row = layout.from_bits(bits)
            codes = np.zeros(spec.channels, np.int64)
            for number, pick in enumerate(row.picks):
                first = pick.piece * width
                codes[number * width : (number + 1) * width] = lane_codes(compiled, window[pick.place])[first:][:width]
            total = (total << compiled.radix_bits if row.shifted else total) + tile_products(compiled, bits, codes)
        sums += total.tolist()
    return sums
