"""How large each tensor of a network becomes on calibration images: what decides its binary point."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from asq_model.common.errors import InputError
from asq_model.export.integer_layer import estimate_hidden_reach
from asq_model.export.operations import Layer, RoundActivations
from asq_model.export.trace_network import TracedNetwork, run_program
from asq_model.quantisation import Adapter

BATCH = 64  # images that run together


@dataclass
class Calibration:
    """What was seen, by the name of torch's node: the largest magnitude, and how large an adapter's neurons become."""

    peaks: dict[str, float] = field(default_factory=dict)
    reaches: dict[str, float] = field(default_factory=dict)


def calibrate(traced: TracedNetwork, model: nn.Module, images: Tensor) -> Calibration:
    """Run a traced network on calibration images. Raises InputError for values that are not finite."""
    seen = Calibration()
    adapters: dict[str, Adapter] = {}
    for operation in traced.operations:
        if isinstance(operation, Layer) and operation.module.activation_quantiser.adapter is not None:
            adapters[operation.value] = operation.module.activation_quantiser.adapter
        elif isinstance(operation, RoundActivations) and operation.module.adapter is not None:
            adapters[operation.value] = operation.module.adapter

    def see(name: str, output: Tensor, inputs: list[Any]) -> None:
        if not output.is_floating_point() or not output.numel():
            return
        peak = output.abs().max().item()
        if not peak < float("inf"):
            raise InputError(f"the network has values that are not finite on the calibration images: {name}")
        seen.peaks[name] = max(seen.peaks.get(name, 0.0), peak)
        if name in adapters:
            seen.reaches[name] = max(seen.reaches.get(name, 0.0), estimate_hidden_reach(adapters[name], inputs[0]))

    for part in images.split(BATCH):
        run_program(traced, model, part, see)
    return seen


def compute_byte_values(scale: Callable[[Tensor], Tensor], channels: int) -> Tensor:
    """Compute what each byte of an image means, float32 [C, 256]. scale: turns uint8 images into a network's input."""
    ramp = torch.arange(256, dtype=torch.uint8).view(1, 1, -1, 1).expand(1, channels, -1, 1)
    return scale(ramp)[0, :, :, 0]
