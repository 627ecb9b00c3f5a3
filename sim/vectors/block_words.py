"""Feature maps as the words that a block's ports carry, packed by the layouts that the block itself is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from amaranth.lib import data

from asq_model.spec.asq_blocks import BlockSpec
from hw.asq.layouts import (
    codes_layout,
    constants_layout,
    size_layout,
    step_layout,
    stepped_layout,
    sums_layout,
    total_layout,
    values_layout,
)
from hw.asq.memories import (
    MemoryRow,
    adapter_load_layout,
    make_adapter_rows,
    make_rescale_rows,
    rescale_load_layout,
    row_layouts,
)
from sim.vectors.feature_maps import AdapterMaps, LayerMaps, QuantiserMaps, RescaleMaps
from sim.vectors.packing import WordPacker


@dataclass(frozen=True)
class Exchange:
    """What a bench does with a block for one layer.

    ports: constant inputs. load: words for the block's memories. words: sent to `i`. results: expected from `o`. steps:
    expected from `s` (adapter-step), or sent to it (rescale). per_map: (words in, results out) of one map.
    """

    name: str
    ports: dict[str, int]
    load: list[int]
    words: list[int]
    results: list[int]
    steps: list[int]
    per_map: tuple[int, int]


Layout = Callable[[BlockSpec], data.StructLayout]


@lru_cache
def packer(layout: Layout, spec: BlockSpec) -> WordPacker:
    """The packer of a block's layout; kept, since a bench asks for the same ones for every layer."""
    return WordPacker(layout(spec))


@lru_cache
def row_packers(spec: BlockSpec) -> dict[str, WordPacker]:
    """The packers of the rows of a block's memories, by the memory's name."""
    return {memory: WordPacker(layout) for memory, layout in row_layouts(spec).items()}


def map_rows(spec: BlockSpec, maps: np.ndarray) -> np.ndarray:
    """Rows int [N · pixels · words, lanes] of maps int [N, C, pixels]: pixel by pixel, channels in order."""
    return maps.transpose(0, 2, 1).reshape(-1, spec.lanes)


def map_words(spec: BlockSpec, layout: Layout, maps: np.ndarray) -> list[int]:
    """Words of maps int [N, C, pixels], `lanes` values each: pixel by pixel, channels in order."""
    return packer(layout, spec).words(map_rows(spec, maps))


def sum_words(spec: BlockSpec, sums: np.ndarray) -> list[int]:
    """Words of channel sums int [K, C], `lanes` each, a map's after another's."""
    return packer(sums_layout, spec).words(sums.reshape(-1, spec.lanes))


def step_words(spec: BlockSpec, betas: np.ndarray, steps: np.ndarray) -> list[int]:
    """Words of β and step of each map, int [K] each."""
    return packer(step_layout, spec).words(np.stack([betas, steps], -1))


def size_word(spec: BlockSpec, words: int, pixels: int) -> int:
    """The word of the port `size`."""
    return packer(size_layout, spec).word({"words": words, "pixels": pixels})


def load_words(spec: BlockSpec, load: Layout, rows: dict[str, list[MemoryRow]]) -> list[int]:
    """Words that load a block's memories, one memory after another, each from address 0 on."""
    loader, words = packer(load, spec), []
    for number, (memory, row_packer) in enumerate(row_packers(spec).items()):
        select = {"unit": number} if "unit" in loader.names else {}
        words += [
            loader.word(select | {"address": address, "data": row_packer.word(row)})
            for address, row in enumerate(rows[memory])
        ]
    return words


def adapter_load(spec: BlockSpec, adapter: AdapterMaps) -> list[int]:
    """Words that load an adapter's weights, then its neurons' records."""
    rows = make_adapter_rows(spec, adapter.neuron_weights, adapter.neuron_biases, adapter.output_weights)
    return load_words(spec, adapter_load_layout, rows)


def constants_word(spec: BlockSpec, constants: AdapterMaps | RescaleMaps, **others: int) -> int:
    """The word of the port `constants`, of a record that has its fields and of `others`."""
    fields = packer(constants_layout, spec)
    return fields.word({name: getattr(constants, name) for name in fields.names if name not in others} | others)


def parts_of(maps: LayerMaps) -> tuple[QuantiserMaps, AdapterMaps]:
    """The quantiser and the adapter of a layer that has both."""
    assert maps.quantiser is not None and maps.adapter is not None
    return maps.quantiser, maps.adapter


def channel_sums_exchange(spec: BlockSpec, maps: LayerMaps) -> Exchange:
    """Maps in, the sums of their channels out."""
    quantiser, adapter = parts_of(maps)
    count, channels, pixels = quantiser.inputs.shape
    words = channels // spec.lanes
    ports = {"size": size_word(spec, words, pixels)}
    sent = map_words(spec, values_layout, quantiser.inputs)
    return Exchange(maps.name, ports, [], sent, sum_words(spec, adapter.sums[:count]), [], (words * pixels, words))


def adapter_exchange(spec: BlockSpec, maps: LayerMaps) -> Exchange:
    """Channel sums in, β and step of their maps out."""
    quantiser, adapter = parts_of(maps)
    words = adapter.channels // spec.lanes
    ports = {"words": words, "constants": constants_word(spec, adapter, mantissa=quantiser.mantissa)}
    steps = step_words(spec, adapter.betas, quantiser.steps)
    return Exchange(maps.name, ports, adapter_load(spec, adapter), sum_words(spec, adapter.sums), steps, [], (words, 1))


def quantiser_exchange(spec: BlockSpec, maps: LayerMaps) -> Exchange:
    """Values with their steps in, codes out."""
    quantiser = maps.quantiser
    assert quantiser is not None
    count, channels, pixels = quantiser.inputs.shape
    beats = channels // spec.lanes * pixels
    steps = np.repeat(quantiser.steps[:count], beats)
    stepped = np.concatenate([map_rows(spec, quantiser.inputs), steps[:, None]], 1)
    codes = map_words(spec, codes_layout, quantiser.codes)
    return Exchange(maps.name, {}, [], packer(stepped_layout, spec).words(stepped), codes, [], (beats, beats))


def rescale_exchange(spec: BlockSpec, maps: LayerMaps) -> Exchange:
    """Sums of products in, with a step for each map; the layer's output out."""
    rescale = maps.rescale
    assert rescale is not None
    count, channels, pixels = rescale.outputs.shape
    beats = channels * pixels
    ports = {"size": size_word(spec, channels, pixels), "constants": constants_word(spec, rescale)}
    load = load_words(spec, rescale_load_layout, make_rescale_rows(rescale.multipliers, rescale.biases))
    totals = np.concatenate([map_rows(spec, rescale.totals), map_rows(spec, rescale.sides)], 1)
    outputs = map_words(spec, values_layout, rescale.outputs)
    steps = step_words(spec, np.zeros(count, np.int64), rescale.steps[:count])
    return Exchange(maps.name, ports, load, packer(total_layout, spec).words(totals), outputs, steps, (beats, beats))


def adapter_step_exchange(spec: BlockSpec, maps: LayerMaps) -> Exchange:
    """Maps in, their codes out, and beside them β and step of each."""
    quantiser, adapter = parts_of(maps)
    count, channels, pixels = quantiser.inputs.shape
    words = channels // spec.lanes
    ports = {
        "size": size_word(spec, words, pixels),
        "constants": constants_word(spec, adapter, mantissa=quantiser.mantissa),
    }
    sent = map_words(spec, values_layout, quantiser.inputs)
    codes = map_words(spec, codes_layout, quantiser.codes)
    steps = step_words(spec, adapter.betas[:count], quantiser.steps[:count])
    beats = words * pixels
    return Exchange(maps.name, ports, adapter_load(spec, adapter), sent, codes, steps, (beats, beats))


EXCHANGES: dict[str, Callable[[BlockSpec, LayerMaps], Exchange]] = {
    "channel-sums": channel_sums_exchange,
    "adapter": adapter_exchange,
    "quantiser": quantiser_exchange,
    "rescale": rescale_exchange,
    "adapter-step": adapter_step_exchange,
}


def exchange_for(spec: BlockSpec, maps: LayerMaps) -> Exchange:
    """What `spec`'s block is to be sent and must answer for these maps, which fit it."""
    return EXCHANGES[spec.unit](spec, maps)
