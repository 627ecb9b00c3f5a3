"""What a trained layer puts into a block: its memories' initial rows, and the constants and size for its inputs."""

from dataclasses import dataclass

import numpy as np

from asq_model.files import InputError
from asq_model.golden import GoldenMaps
from asq_model.integer.blocks import BlockSpec

LOADED = ("adapter", "adapter-step", "rescale")


@dataclass(frozen=True)
class Contents:
    """Of one layer. rows: by memory, each row by field; inputs: by port, each by field; digest: of where it is from."""

    layer: str
    digest: str
    rows: dict[str, list[dict[str, int]]]
    inputs: dict[str, dict[str, int]]

    @property
    def suffix(self) -> str:
        """Of the module's name."""
        return "_" + "".join(letter if letter.isalnum() else "_" for letter in self.layer)


def layer_size(unit: str, maps: GoldenMaps) -> dict[str, int]:
    """Channels and pixels that a block sees of a layer. Raises InputError for a layer that has nothing for it."""
    entry = maps.entry["rescale"] if unit == "rescale" else maps.entry
    if unit not in LOADED:
        raise InputError(f"UNIT is {unit!r}; only {', '.join(LOADED)} hold what a layer has learned")
    if entry is None or (unit != "rescale" and entry["adapter"] is None):
        raise InputError(f"layer {maps.name} has no {'rescale' if unit == 'rescale' else 'adapter'}")
    return {"channels": entry["channels"], "pixels": entry["pixels"]}


def contents_of(spec: BlockSpec, maps: GoldenMaps) -> Contents:
    """A layer's contents. Raises InputError for a layer that does not fit the block."""
    size = layer_size(spec.unit, maps)
    if size["channels"] > spec.channels or size["pixels"] > spec.pixels or size["channels"] % spec.lanes:
        has, holds = f"{size['channels']} × {size['pixels']}", f"{spec.channels} × {spec.pixels}"
        raise InputError(
            f"layer {maps.name} has maps of {has}; {spec.name} takes up to {holds}, {spec.lanes} at a time"
        )
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
    return Contents(maps.name, maps.entry["sha256"], rows, inputs | {"constants": constants})
