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
def make_packer(layout: Layout, spec: BlockSpec) -> WordPacker:
    """Make the packer of a block's layout; kept, since a bench asks for the same ones for every layer."""
    return WordPacker(layout(spec))


@lru_cache
def make_row_packers(spec: BlockSpec) -> dict[str, WordPacker]:
    """Make the packers of the rows of a block's memories, by the memory's name."""
    return {memory: WordPacker(layout) for memory, layout in row_layouts(spec).items()}


def arrange_maps(spec: BlockSpec, maps: np.ndarray) -> np.ndarray:
    """Arrange maps int [N, C, pixels] as rows int [N · pixels · words, lanes]: pixel by pixel, channels in order."""
    return maps.transpose(0, 2, 1).reshape(-1, spec.lanes)


def pack_maps(spec: BlockSpec, layout: Layout, maps: np.ndarray) -> list[int]:
    """Pack maps int [N, C, pixels], `lanes` values a word: pixel by pixel, channels in order."""
    return make_packer(layout, spec).pack_words(arrange_maps(spec, maps))


def pack_sums(spec: BlockSpec, sums: np.ndarray) -> list[int]:
    """Pack channel sums int [K, C], `lanes` a word, a map's after another's."""
    return make_packer(sums_layout, spec).pack_words(sums.reshape(-1, spec.lanes))


def pack_steps(spec: BlockSpec, betas: np.ndarray, steps: np.ndarray) -> list[int]:
    """Pack β and step of each map, int [K] each."""
    return make_packer(step_layout, spec).pack_words(np.stack([betas, steps], -1))


def pack_size(spec: BlockSpec, words: int, pixels: int) -> int:
    """Pack the word of the port `size`."""
    return make_packer(size_layout, spec).pack_word({"words": words, "pixels": pixels})


def pack_load(spec: BlockSpec, load: Layout, rows: dict[str, list[MemoryRow]]) -> list[int]:
    """Pack the words that load a block's memories, one memory after another, each from address 0 on."""
    loader, words = make_packer(load, spec), []
    for number, (memory, row_packer) in enumerate(make_row_packers(spec).items()):
        select = {"unit": number} if "unit" in loader.names else {}
        words += [
            loader.pack_word(select | {"address": address, "data": row_packer.pack_word(row)})
            for address, row in enumerate(rows[memory])
        ]
    return words


def pack_adapter_load(spec: BlockSpec, adapter: AdapterMaps) -> list[int]:
    """Pack the words that load an adapter's weights, then its neurons' records."""
    rows = make_adapter_rows(spec, adapter.neuron_weights, adapter.neuron_biases, adapter.output_weights)
    return pack_load(spec, adapter_load_layout, rows)


def pack_constants(spec: BlockSpec, constants: AdapterMaps | RescaleMaps, **others: int) -> int:
    """Pack the word of the port `constants`, of a record that has its fields and of `others`."""
    fields = make_packer(constants_layout, spec)
    return fields.pack_word({name: getattr(constants, name) for name in fields.names if name not in others} | others)


def parts_of(maps: LayerMaps) -> tuple[QuantiserMaps, AdapterMaps]:
    """The quantiser and the adapter of a layer that has both."""
    assert maps.quantiser is not None and maps.adapter is not None
    return maps.quantiser, maps.adapter


def make_channel_sums_exchange(spec: BlockSpec, maps: LayerMaps) -> Exchange:
    """Make the exchange of `channel-sums`: maps in, the sums of their channels out."""
    quantiser, adapter = parts_of(maps)
    count, channels, pixels = quantiser.inputs.shape
    words = channels // spec.lanes
    ports = {"size": pack_size(spec, words, pixels)}
    sent = pack_maps(spec, values_layout, quantiser.inputs)
    return Exchange(maps.name, ports, [], sent, pack_sums(spec, adapter.sums[:count]), [], (words * pixels, words))


def make_adapter_exchange(spec: BlockSpec, maps: LayerMaps) -> Exchange:
    """Make the exchange of `adapter`: channel sums in, β and step of their maps out."""
    quantiser, adapter = parts_of(maps)
    words = adapter.channels // spec.lanes
    ports = {"words": words, "constants": pack_constants(spec, adapter, mantissa=quantiser.mantissa)}
    steps = pack_steps(spec, adapter.betas, quantiser.steps)
    return Exchange(
        maps.name, ports, pack_adapter_load(spec, adapter), pack_sums(spec, adapter.sums), steps, [], (words, 1)
    )


def make_quantiser_exchange(spec: BlockSpec, maps: LayerMaps) -> Exchange:
    """Make the exchange of `quantiser`: values with their steps in, codes out."""
    quantiser = maps.quantiser
    assert quantiser is not None
    count, channels, pixels = quantiser.inputs.shape
    beats = channels // spec.lanes * pixels
    steps = np.repeat(quantiser.steps[:count], beats)
    stepped = np.concatenate([arrange_maps(spec, quantiser.inputs), steps[:, None]], 1)
    codes = pack_maps(spec, codes_layout, quantiser.codes)
    return Exchange(maps.name, {}, [], make_packer(stepped_layout, spec).pack_words(stepped), codes, [], (beats, beats))


def make_rescale_exchange(spec: BlockSpec, maps: LayerMaps) -> Exchange:
    """Make the exchange of `rescale`: sums of products in, with a step for each map; the layer's output out."""
    rescale = maps.rescale
    assert rescale is not None
    count, channels, pixels = rescale.outputs.shape
    beats = channels * pixels
    ports = {"size": pack_size(spec, channels, pixels), "constants": pack_constants(spec, rescale)}
    load = pack_load(spec, rescale_load_layout, make_rescale_rows(rescale.multipliers, rescale.biases))
    totals = np.concatenate([arrange_maps(spec, rescale.totals), arrange_maps(spec, rescale.sides)], 1)
    outputs = pack_maps(spec, values_layout, rescale.outputs)
    steps = pack_steps(spec, np.zeros(count, np.int64), rescale.steps[:count])
    return Exchange(
        maps.name, ports, load, make_packer(total_layout, spec).pack_words(totals), outputs, steps, (beats, beats)
    )


def make_adapter_step_exchange(spec: BlockSpec, maps: LayerMaps) -> Exchange:
    """Make the exchange of `adapter-step`: maps in, their codes out, and beside them β and step of each."""
    quantiser, adapter = parts_of(maps)
    count, channels, pixels = quantiser.inputs.shape
    words = channels // spec.lanes
    ports = {
        "size": pack_size(spec, words, pixels),
        "constants": pack_constants(spec, adapter, mantissa=quantiser.mantissa),
    }
    sent = pack_maps(spec, values_layout, quantiser.inputs)
    codes = pack_maps(spec, codes_layout, quantiser.codes)
    steps = pack_steps(spec, adapter.betas[:count], quantiser.steps[:count])
    beats = words * pixels
    return Exchange(maps.name, ports, pack_adapter_load(spec, adapter), sent, codes, steps, (beats, beats))


EXCHANGES: dict[str, Callable[[BlockSpec, LayerMaps], Exchange]] = {
    "channel-sums": make_channel_sums_exchange,
    "adapter": make_adapter_exchange,
    "quantiser": make_quantiser_exchange,
    "rescale": make_rescale_exchange,
    "adapter-step": make_adapter_step_exchange,
}


def make_exchange(spec: BlockSpec, maps: LayerMaps) -> Exchange:
    """Make the words that `spec`'s block is sent and must answer for these maps, which fit it."""
    return EXCHANGES[spec.unit](spec, maps)
