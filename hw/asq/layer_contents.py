"""What a learned layer puts into a block: its memories' initial rows, and the constants and size for its inputs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from amaranth.hdl import Shape
from amaranth.lib import data

from asq_model.common.errors import InputError, check_range
from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.fixed_point import bounds
from asq_model.spec.golden_manifest import AdapterEntry, RescaleEntry
from asq_model.spec.golden_vectors import GoldenMaps
from asq_model.spec.precision import Precision
from hw.asq.layouts import constants_layout
from hw.asq.memories import MemoryRow, make_adapter_rows, make_rescale_rows, row_layouts

LOADED = ("adapter", "adapter-step", "rescale")


@dataclass(frozen=True)
class Contents:
    """What a block holds of one layer.

    digest: SHA-256 of the file that it is from. rows: each memory's, by field. inputs: each port's, a number or numbers
    by field. latencies: cycles of the block on this layer, by output stream.
    """

    layer: str
    digest: str
    rows: dict[str, list[MemoryRow]]
    inputs: dict[str, int | dict[str, int]]
    latencies: dict[str, int]

    @property
    def suffix(self) -> str:
        """What the module's name ends in."""
        return "_" + re.sub(r"\W", "_", self.layer, flags=re.ASCII)  # Verilog has no other letters in names


def find_adapter(maps: GoldenMaps) -> AdapterEntry:
    """Find the constants of a layer's adapter. Raises InputError for a layer that has none."""
    entry = maps.entry["adapter"]
    if entry is None:
        raise InputError(f"layer {maps.name} has no adapter")
    return entry


def find_rescale(maps: GoldenMaps) -> RescaleEntry:
    """Find the constants of a layer's rescale. Raises InputError for a layer that has none."""
    entry = maps.entry["rescale"]
    if entry is None:
        raise InputError(f"layer {maps.name} has no rescale")
    return entry


def find_size(unit: str, maps: GoldenMaps) -> dict[str, int]:
    """Find how many channels and pixels a block sees of a layer. Raises InputError for a layer without any."""
    if unit not in LOADED:
        raise InputError(f"unit is {unit!r}; only {', '.join(LOADED)} hold what a layer has learned", "unit")
    if unit == "rescale":
        rescale = find_rescale(maps)
        total = max(rescale["total_bits"], BlockSpec.total_bits)
        return {"channels": rescale["channels"], "pixels": rescale["pixels"], "total_bits": total}
    hidden = max(find_adapter(maps)["hidden"], 1)
    return {"channels": maps.entry["channels"], "pixels": maps.entry["pixels"], "hidden": hidden}


def check_fit(spec: BlockSpec, maps: GoldenMaps, size: Mapping[str, int]) -> None:
    """Raises InputError for a layer that does not fit the block, naming what is too small."""
    if spec.precision != Precision().bits:
        exported = f"layer {maps.name} was exported with {Precision().bits}"
        raise InputError(f"precision is {spec.precision}; {exported}", "precision")
    needs = dict(size)
    if spec.unit == "adapter-step":
        needs["buffer"] = max(4, size["channels"] // spec.lanes * size["pixels"])
    for name, least in needs.items():
        if getattr(spec, name) < least:
            raise InputError(f"{name} is {getattr(spec, name)}; layer {maps.name} needs {least}", name)
    if size["channels"] % spec.lanes:
        raise InputError(f"lanes is {spec.lanes}; layer {maps.name} has {size['channels']} channels", "lanes")
    if spec.unit == "rescale" and spec.bias_bits < find_rescale(maps)["bias_bits"]:
        bits = find_rescale(maps)["bias_bits"] - spec.scale_bits
        raise InputError(f"total_bits is {spec.total_bits}; layer {maps.name}'s bias needs {bits}", "total_bits")


def check_rows(layout: data.StructLayout, rows: Sequence[MemoryRow], place: str) -> None:
    """Raises InputError for a value that its field cannot hold: a memory or a port would cut it to another."""
    for name, field in layout:
        shape = Shape.cast(field.shape)
        for row in rows:
            check_range(f"{name} of {place}", row[name], *bounds(shape.width, shape.signed))


def make_constants(unit: str, maps: GoldenMaps) -> dict[str, int]:
    """Make the constants that a block takes from a layer, by the fields of its `constants` port."""
    if unit == "rescale":
        rescale = find_rescale(maps)
        shifts = {"scale_shift": rescale["scale_shift"], "shift": rescale["shift"], "align": rescale["align"]}
        return shifts | {"relu": int(rescale["relu"])}
    return {**cast(dict[str, int], find_adapter(maps)), "mantissa": maps.entry["mantissa"]}


def make_rows(spec: BlockSpec, maps: GoldenMaps) -> dict[str, list[MemoryRow]]:
    """Make the rows of a block's memories for a layer."""
    arrays = maps.arrays
    if spec.unit == "rescale":
        return make_rescale_rows(arrays["multipliers"], arrays["biases"])
    outputs = arrays.get("output_weights", np.zeros(1, np.int64))
    return make_adapter_rows(spec, arrays["unit_weights"], arrays["unit_biases"], outputs)


def count_latencies(spec: BlockSpec, words: int, hidden: int) -> dict[str, int]:
    """Count the cycles of a block on a layer of `words` beats a pixel and `hidden` neurons, by output stream."""
    if spec.unit == "rescale":
        return {"o": spec.latency}
    adapter = spec.adapter_latency(words, hidden)
    if spec.unit == "adapter":
        return {"o": adapter}
    return {"o": spec.step_latency(adapter), "s": spec.step_offered(adapter)}


def make_contents(spec: BlockSpec, maps: GoldenMaps) -> Contents:
    """Make a layer's contents. Raises InputError for a layer that does not fit the block."""
    size = find_size(spec.unit, maps)
    check_fit(spec, maps, size)
    words = size["channels"] // spec.lanes
    rows, constants = make_rows(spec, maps), make_constants(spec.unit, maps)
    check_rows(constants_layout(spec), [constants], f"layer {maps.name}'s constants")
    for memory, layout in row_layouts(spec).items():
        check_rows(layout, rows[memory], f"layer {maps.name}'s {memory}")
    sizes: dict[str, int | dict[str, int]]
    sizes = {"words": words} if spec.unit == "adapter" else {"size": {"words": words, "pixels": size["pixels"]}}
    latencies = count_latencies(spec, words, constants.get("hidden", 0))
    return Contents(maps.name, maps.entry["sha256"], rows, sizes | {"constants": constants}, latencies)
