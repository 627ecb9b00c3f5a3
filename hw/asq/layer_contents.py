"""What a trained layer puts into a block: its memories' initial rows, and the constants and size for its inputs."""

from dataclasses import dataclass

import numpy as np

from asq_model.common.errors import InputError, check_range
from asq_model.spec.adaptive_step import Precision
from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.fixed_point import bounds
from asq_model.spec.golden_vectors import GoldenMaps

LOADED = ("adapter", "adapter-step", "rescale")


@dataclass(frozen=True)
class Contents:
    """Of one layer. rows: by memory, each row by field; inputs: by port, each by field; latencies: cycles of the block
    on this layer, by output stream; digest: of where it is from."""

    layer: str
    digest: str
    rows: dict[str, list[dict[str, int]]]
    inputs: dict[str, dict[str, int]]
    latencies: dict[str, int]

    @property
    def suffix(self) -> str:
        """Of the module's name."""
        return "_" + "".join(letter if letter.isalnum() else "_" for letter in self.layer)


def layer_size(unit: str, maps: GoldenMaps) -> dict[str, int]:
    """Channels and pixels that a block sees of a layer. Raises InputError for a layer that has nothing for it."""
    rescale = maps.entry["rescale"]
    entry = rescale if unit == "rescale" else maps.entry
    if unit not in LOADED:
        raise InputError(f"UNIT is {unit!r}; only {', '.join(LOADED)} hold what a layer has learned")
    if entry is None or (unit != "rescale" and entry["adapter"] is None):
        raise InputError(f"layer {maps.name} has no {'rescale' if unit == 'rescale' else 'adapter'}")
    size = {"channels": entry["channels"], "pixels": entry["pixels"]}
    if unit == "rescale":
        return size | {"total": max(rescale["total_bits"], BlockSpec.total_bits)}
    return size | {"hidden": max(entry["adapter"]["hidden"], 1)}


def check_fit(spec: BlockSpec, maps: GoldenMaps, size: dict[str, int]) -> None:
    """Raises InputError for a layer that does not fit the block, naming what is too small."""
    if spec.precision != Precision().bits:
        raise InputError(f"PRECISION is {spec.precision}; layer {maps.name} was exported with {Precision().bits}")
    needs = dict(size)
    if spec.unit == "adapter-step":
        needs["buffer"] = max(4, size["channels"] // spec.lanes * size["pixels"])
    has = {"channels": spec.channels, "pixels": spec.pixels, "hidden": spec.hidden, "buffer": spec.buffer}
    has["total"] = spec.total_bits
    for name, least in needs.items():
        if has[name] < least:
            raise InputError(f"{name.upper()} is {has[name]}; layer {maps.name} needs {least}")
    if size["channels"] % spec.lanes:
        raise InputError(f"LANES is {spec.lanes}; layer {maps.name} has {size['channels']} channels")
    if spec.unit == "rescale" and spec.bias_bits < maps.entry["rescale"]["bias_bits"]:
        bits = maps.entry["rescale"]["bias_bits"] - spec.scale_bits
        raise InputError(f"TOTAL is {spec.total_bits}; layer {maps.name}'s bias needs {bits}")


def check_values(spec: BlockSpec, layer: str, rows: dict[str, list[dict[str, int]]], inputs: dict) -> None:
    """Raises InputError for a value that its field cannot hold: memories and ports would cut it to another."""
    from amaranth.hdl import Shape

    from hw.asq.adapter import unit_layout, weights_layout
    from hw.asq.layouts import adapter_layout, rescale_layout
    from hw.asq.rescale import channel_layout

    layouts = {"weights": weights_layout, "units": unit_layout, "channels": channel_layout}
    constants = rescale_layout if spec.unit == "rescale" else adapter_layout
    for what, layout, found in [("constants", constants, [inputs["constants"]])] + [
        (memory, layouts[memory], found) for memory, found in rows.items()
    ]:
        for name, field in layout(spec):
            shape = Shape.cast(field.shape)
            for row in found:
                check_range(f"{name} of layer {layer}'s {what}", row[name], *bounds(shape.width, shape.signed))


def contents_of(spec: BlockSpec, maps: GoldenMaps) -> Contents:
    """A layer's contents. Raises InputError for a layer that does not fit the block."""
    size = layer_size(spec.unit, maps)
    check_fit(spec, maps, size)
    arrays, inputs = maps.arrays, {"size": {"words": size["channels"] // spec.lanes, "pixels": size["pixels"]}}
    if spec.unit == "rescale":
        pairs = zip(arrays["multipliers"].tolist(), arrays["biases"].tolist(), strict=True)
        rows = {"channels": [{"multiplier": multiplier, "bias": bias} for multiplier, bias in pairs]}
        constants = {name: int(maps.entry["rescale"][name]) for name in ("scale_shift", "shift", "align", "relu")}
    else:
        words = arrays["unit_weights"].reshape(-1, spec.lanes).tolist()
        outputs = arrays.get("output_weights", np.zeros(1, np.int64)).tolist()
        pairs = zip(arrays["unit_biases"].tolist(), outputs, strict=True)
        rows = {
            "weights": [{f"lane{lane}": value for lane, value in enumerate(word)} for word in words],
            "units": [{"bias": bias, "weight": weight} for bias, weight in pairs],
        }
        constants = maps.entry["adapter"] | {"mantissa": maps.entry["mantissa"]}
        if spec.unit == "adapter":
            inputs = {"words": inputs["size"]["words"]}
    latencies = {"o": spec.latency}
    if spec.unit != "rescale":
        adapter = spec.adapter_latency(size["channels"] // spec.lanes, constants["hidden"])
        latencies = {"o": adapter}
        if spec.unit == "adapter-step":
            latencies = {"o": spec.step_latency(adapter), "s": spec.step_offered(adapter)}
    inputs |= {"constants": constants}
    check_values(spec, maps.name, rows, inputs)
    return Contents(maps.name, maps.entry["sha256"], rows, inputs, latencies)
