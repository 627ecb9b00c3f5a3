"""Maps as the words that a block's ports carry, by the layouts of `hw.asq.layouts`."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Shape, signed, unsigned

from asq_model.spec.adaptive_step import SHIFT_BITS
from asq_model.spec.asq_blocks import BlockSpec
from sim.vectors.feature_maps import Maps
from sim.vectors.packing import pack, packed


def packed_rows(rows: np.ndarray, shape: Shape) -> list[int]:
    """A word for each row of int [K, lanes]."""
    return packed(rows, [shape] * rows.shape[1])


def map_rows(spec: BlockSpec, maps: np.ndarray) -> np.ndarray:
    """int [N · pixels · words, lanes] of maps int [N, C, pixels]: pixel by pixel, channels in order."""
    return maps.transpose(0, 2, 1).reshape(-1, spec.lanes)


@dataclass(frozen=True)
class Exchange:
    """What a bench does with a block for one layer.

    ports: constant inputs. load: words for the block's memory. words: sent to `i`. results: expected from `o`. steps:
    expected from `s` (adapter-step), or sent to it (rescale). per_map: (words in, results out) of one map.
    """

    name: str
    ports: dict[str, int]
    load: list[int]
    words: list[int]
    results: list[int]
    steps: list[int]
    per_map: tuple[int, int]


def size(spec: BlockSpec, channels: int, pixels: int) -> int:
    return pack(
        (channels // spec.lanes, unsigned(spec.words.bit_length())), (pixels, unsigned(spec.pixels.bit_length()))
    )


def adapter_constants(spec: BlockSpec, maps: Maps) -> int:
    adapter = maps.adapter
    return pack(
        (adapter["hidden"], unsigned(spec.hidden.bit_length())),
        (adapter["hidden_shift"], unsigned(SHIFT_BITS)),
        (adapter["output_shift"], unsigned(SHIFT_BITS)),
        (adapter["output_bias"], signed(spec.accumulator_bits)),
        (adapter["floor"], unsigned(spec.beta_bits)),
        (maps.mantissa, unsigned(spec.mantissa_bits)),
    )


def adapter_load(spec: BlockSpec, maps: Maps) -> list[int]:
    """Weights, then the units' records."""
    arrays = maps.arrays
    address_bits = max((spec.hidden * spec.words - 1).bit_length(), 1)
    weights = packed_rows(arrays["unit_weights"].reshape(-1, spec.lanes), signed(spec.precision))
    outputs = arrays.get("output_weights", np.zeros(1, np.int64))
    units = [
        pack((bias, signed(spec.accumulator_bits)), (weight, signed(spec.precision)))
        for bias, weight in zip(arrays["unit_biases"], outputs, strict=True)
    ]
    width = max(spec.lanes * spec.precision, spec.accumulator_bits + spec.precision)
    return [
        pack((is_unit, unsigned(1)), (address, unsigned(address_bits)), (word, unsigned(width)))
        for is_unit, words in enumerate((weights, units))
        for address, word in enumerate(words)
    ]


def rescale_load(spec: BlockSpec, maps: Maps) -> list[int]:
    address_bits = max((spec.channels - 1).bit_length(), 1)
    return [
        pack((address, unsigned(address_bits)), (multiplier, signed(spec.precision)), (bias, signed(spec.bias_bits)))
        for address, (multiplier, bias) in enumerate(zip(maps.multipliers, maps.biases, strict=True))
    ]


def step_words(spec: BlockSpec, betas: Iterable[int], steps: Iterable[int]) -> list[int]:
    shapes = unsigned(spec.beta_bits), unsigned(spec.step_bits)
    return [pack(*zip(pair, shapes, strict=True)) for pair in zip(betas, steps, strict=True)]


def map_words(spec: BlockSpec, maps: Maps) -> list[int]:
    return packed_rows(map_rows(spec, maps.inputs), signed(spec.precision))


def code_words(spec: BlockSpec, maps: Maps) -> list[int]:
    return packed_rows(map_rows(spec, maps.codes), Shape(spec.activation_bits, spec.signed_activation))


def exchange_for(spec: BlockSpec, maps: Maps) -> Exchange:
    """What `spec`'s block is to be sent and must answer for these maps."""
    count, channels, pixels = maps.inputs.shape
    words = channels // spec.lanes
    name = maps.name
    if spec.unit == "channel-sums":
        ports = {"size": size(spec, channels, pixels)}
        sums = packed_rows(maps.sums[:count].reshape(-1, spec.lanes), signed(spec.sum_bits))
        return Exchange(name, ports, [], map_words(spec, maps), sums, [], (words * pixels, words))
    if spec.unit == "quantiser":
        rows = map_rows(spec, maps.inputs).tolist()
        steps = np.repeat(maps.steps[:count], words * pixels).tolist()
        stepped = [
            pack(*((value, signed(spec.precision)) for value in row), (step, unsigned(spec.step_bits)))
            for row, step in zip(rows, steps, strict=True)
        ]
        return Exchange(name, {}, [], stepped, code_words(spec, maps), [], (words * pixels, words * pixels))
    if spec.unit == "rescale":
        count, channels, pixels = maps.outputs.shape
        pairs = zip(map_rows(spec, maps.totals)[:, 0], map_rows(spec, maps.sides)[:, 0], strict=True)
        totals = [pack((total, signed(spec.total_bits)), (side, signed(spec.precision))) for total, side in pairs]
        outputs = packed_rows(map_rows(spec, maps.outputs), signed(spec.precision))
        steps = step_words(spec, [0] * count, maps.steps[:count])
        constants = maps.rescale
        shifts = [(constants[name], unsigned(SHIFT_BITS)) for name in ("scale_shift", "shift", "align")]
        ports = {"size": size(spec, channels, pixels), "constants": pack(*shifts, (constants["relu"], unsigned(1)))}
        load = rescale_load(spec, maps)
        return Exchange(name, ports, load, totals, outputs, steps, (channels * pixels, channels * pixels))
    constants, load = adapter_constants(spec, maps), adapter_load(spec, maps)
    steps = step_words(spec, maps.betas, maps.steps)
    if spec.unit == "adapter":
        sums = packed_rows(maps.sums.reshape(-1, spec.lanes), signed(spec.sum_bits))
        return Exchange(name, {"words": words, "constants": constants}, load, sums, steps, [], (words, 1))
    ports = {"size": size(spec, channels, pixels), "constants": constants}
    sent, codes = map_words(spec, maps), code_words(spec, maps)
    return Exchange(name, ports, load, sent, codes, steps[:count], (words * pixels,) * 2)
