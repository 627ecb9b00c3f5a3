"""The memories of ASQ's blocks: the fields of a row, what a learned layer puts there, and the words that load it."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from amaranth.hdl import signed, unsigned
from amaranth.lib import data
from amaranth.lib.memory import Memory

from asq_model.spec.asq_blocks import BlockSpec
from hw.asq.layouts import index_shape, lanes_layout

MemoryRow = Mapping[str, int]  # values by field


def make_memory(shape: data.Layout, count: int, rows: Sequence[MemoryRow] = ()) -> Memory:
    """A memory whose address is a counter below `count`, with these rows at first, then zeros."""
    return Memory(shape=shape, depth=max(count, 2), init=rows)


def weights_layout(spec: BlockSpec) -> data.StructLayout:
    """A row of the memory `weights`: a neuron's weights for a beat of sums."""
    return lanes_layout(signed(spec.precision), spec.lanes)


def neuron_layout(spec: BlockSpec) -> data.StructLayout:
    """A row of the memory `units`: a hidden neuron's bias, at the point of its sum, and its weight in the output."""
    return data.StructLayout({"bias": signed(spec.accumulator_bits), "weight": signed(spec.precision)})


def channel_layout(spec: BlockSpec) -> data.StructLayout:
    """A row of the memory `channels`: a channel's multiplier M and bias B."""
    return data.StructLayout({"multiplier": signed(spec.precision), "bias": signed(spec.bias_bits)})


def row_layouts(spec: BlockSpec) -> dict[str, data.StructLayout]:
    """The rows of a block's memories, by the memory's name."""
    if spec.unit == "rescale":
        return {"channels": channel_layout(spec)}
    if spec.unit in ("adapter", "adapter-step"):
        return {"weights": weights_layout(spec), "units": neuron_layout(spec)}
    return {}


def adapter_load_layout(spec: BlockSpec) -> data.StructLayout:
    """A word that loads a row of `weights`, or with `unit` set of `units`. The weights of neuron j for beat k lie at
    address j · words + k.
    """
    width = max(weights_layout(spec).size, neuron_layout(spec).size)
    return data.StructLayout(
        {"unit": unsigned(1), "address": index_shape(spec.hidden * spec.words), "data": unsigned(width)}
    )


def rescale_load_layout(spec: BlockSpec) -> data.StructLayout:
    """A word that loads a row of `channels`."""
    return data.StructLayout({"address": index_shape(spec.channels), "data": unsigned(channel_layout(spec).size)})


def make_adapter_rows(
    spec: BlockSpec, weights: np.ndarray, biases: Iterable[int], outputs: Iterable[int]
) -> dict[str, list[MemoryRow]]:
    """Make the rows of an adapter's memories: int [J, C] weights of its neurons, their biases, their weights in β."""
    names = [name for name, _ in weights_layout(spec)]
    return {
        "weights": [dict(zip(names, row, strict=True)) for row in weights.reshape(-1, spec.lanes).tolist()],
        "units": [{"bias": int(bias), "weight": int(weight)} for bias, weight in zip(biases, outputs, strict=True)],
    }


def make_rescale_rows(multipliers: Iterable[int], biases: Iterable[int]) -> dict[str, list[MemoryRow]]:
    """Make the rows of a rescale's memory: a multiplier and a bias for each channel."""
    pairs = zip(multipliers, biases, strict=True)
    return {"channels": [{"multiplier": int(multiplier), "bias": int(bias)} for multiplier, bias in pairs]}
