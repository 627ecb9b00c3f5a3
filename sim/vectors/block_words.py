"""Maps as the words that a block's ports carry, by the layouts of `hw.asq.layouts`."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Shape, signed, unsigned

from asq_model.spec.adaptive_step import SHIFT_BITS
from asq_model.spec.asq_blocks import BlockSpec
from sim.vectors.feature_maps import AdapterMaps, LayerMaps, RescaleMaps
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


def adapter_constants(spec: BlockSpec, adapter: AdapterMaps, mantissa: int) -> int:
    return pack(
        (adapter.hidden, unsigned(spec.hidden.bit_length())),
        (adapter.hidden_shift, unsigned(SHIFT_BITS)),
        (adapter.output_shift, unsigned(SHIFT_BITS)),
        (adapter.output_bias, signed(spec.accumulator_bits)),
        (adapter.floor, unsigned(spec.beta_bits)),
        (mantissa, unsigned(spec.mantissa_bits)),
    )


def adapter_load(spec: BlockSpec, adapter: AdapterMaps) -> list[int]:
    """Weights, then the neurons' records."""
    address_bits = max((spec.hidden * spec.words - 1).bit_length(), 1)
    weights = packed_rows(adapter.neuron_weights.reshape(-1, spec.lanes), signed(spec.precision))
    neurons = [
        pack((bias, signed(spec.accumulator_bits)), (weight, signed(spec.precision)))
        for bias, weight in zip(adapter.neuron_biases, adapter.output_weights, strict=True)
    ]
    width = max(spec.lanes * spec.precision, spec.accumulator_bits + spec.precision)
    return [
        pack((is_neuron, unsigned(1)), (address, unsigned(address_bits)), (word, unsigned(width)))
        for is_neuron, words in enumerate((weights, neurons))
        for address, word in enumerate(words)
    ]


def rescale_load(spec: BlockSpec, rescale: RescaleMaps) -> list[int]:
    address_bits = max((spec.channels - 1).bit_length(), 1)
    return [
        pack((address, unsigned(address_bits)), (multiplier, signed(spec.precision)), (bias, signed(spec.bias_bits)))
        for address, (multiplier, bias) in enumerate(zip(rescale.multipliers, rescale.biases, strict=True))
    ]


def step_words(spec: BlockSpec, betas: Iterable[int], steps: Iterable[int]) -> list[int]:
    shapes = unsigned(spec.beta_bits), unsigned(spec.step_bits)
    return [pack(*zip(pair, shapes, strict=True)) for pair in zip(betas, steps, strict=True)]


def map_words(spec: BlockSpec, inputs: np.ndarray) -> list[int]:
    return packed_rows(map_rows(spec, inputs), signed(spec.precision))


def code_words(spec: BlockSpec, codes: np.ndarray) -> list[int]:
    return packed_rows(map_rows(spec, codes), Shape(spec.activation_bits, spec.signed_activation))


def rescale_exchange(spec: BlockSpec, name: str, rescale: RescaleMaps) -> Exchange:
    """The exchange of the block that follows a layer's products."""
    count, channels, pixels = rescale.outputs.shape
    pairs = zip(map_rows(spec, rescale.totals)[:, 0], map_rows(spec, rescale.sides)[:, 0], strict=True)
    totals = [pack((total, signed(spec.total_bits)), (side, signed(spec.precision))) for total, side in pairs]
    outputs = packed_rows(map_rows(spec, rescale.outputs), signed(spec.precision))
    steps = step_words(spec, [0] * count, rescale.steps[:count])
    shifts = [(value, unsigned(SHIFT_BITS)) for value in (rescale.scale_shift, rescale.shift, rescale.align)]
    ports = {"size": size(spec, channels, pixels), "constants": pack(*shifts, (rescale.relu, unsigned(1)))}
    load = rescale_load(spec, rescale)
    return Exchange(name, ports, load, totals, outputs, steps, (channels * pixels, channels * pixels))


def exchange_for(spec: BlockSpec, maps: LayerMaps) -> Exchange:
    """What `spec`'s block is to be sent and must answer for these maps, which fit it."""
    name, quantiser, adapter = maps.name, maps.quantiser, maps.adapter
    if spec.unit == "rescale":
        assert maps.rescale is not None
        return rescale_exchange(spec, name, maps.rescale)
    assert quantiser is not None
    count, channels, pixels = quantiser.inputs.shape
    words = channels // spec.lanes
    if spec.unit == "quantiser":
        rows = map_rows(spec, quantiser.inputs).tolist()
        steps = np.repeat(quantiser.steps[:count], words * pixels).tolist()
        stepped = [
            pack(*((value, signed(spec.precision)) for value in row), (step, unsigned(spec.step_bits)))
            for row, step in zip(rows, steps, strict=True)
        ]
        codes = code_words(spec, quantiser.codes)
        return Exchange(name, {}, [], stepped, codes, [], (words * pixels, words * pixels))
    assert adapter is not None
    if spec.unit == "channel-sums":
        ports = {"size": size(spec, channels, pixels)}
        sums = packed_rows(adapter.sums[:count].reshape(-1, spec.lanes), signed(spec.sum_bits))
        return Exchange(name, ports, [], map_words(spec, quantiser.inputs), sums, [], (words * pixels, words))
    constants, load = adapter_constants(spec, adapter, quantiser.mantissa), adapter_load(spec, adapter)
    steps = step_words(spec, adapter.betas, quantiser.steps)
    if spec.unit == "adapter":
        sums = packed_rows(adapter.sums.reshape(-1, spec.lanes), signed(spec.sum_bits))
        return Exchange(name, {"words": words, "constants": constants}, load, sums, steps, [], (words, 1))
    ports = {"size": size(spec, channels, pixels), "constants": constants}
    sent, codes = map_words(spec, quantiser.inputs), code_words(spec, quantiser.codes)
    return Exchange(name, ports, load, sent, codes, steps[:count], (words * pixels,) * 2)
