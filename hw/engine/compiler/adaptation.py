"""What an engine's adapter and its scaler hold of each layer whose step adapts, and the fields of ADAPT and SCALE."""

from dataclasses import dataclass, field

import numpy as np

from asq_model.common.errors import InputError
from asq_model.spec.adaptive_step import IntegerAdapter, IntegerQuantiser
from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.fixed_point import largest
from asq_model.spec.graph.convolution import Convolution
from asq_model.spec.graph.tensor import Tensor
from hw.asq.layer_contents import check_rows
from hw.asq.layouts import adapter_layout
from hw.asq.memories import MemoryRow, neuron_layout, weights_layout
from hw.engine.engine_spec import EngineSpec


@dataclass
class Adaptation:
    """The memories of multipliers, of neurons (`units`) and of their weights, layer by layer."""

    spec: EngineSpec
    multipliers: list[int] = field(default_factory=list)
    neurons: dict[str, list[MemoryRow]] = field(default_factory=lambda: {"weights": [], "units": []})

    def add_adapter(self, name: str, quantiser: IntegerQuantiser, words: int, x: Tensor) -> tuple[dict[str, int], int]:
        """Add a layer's adapter; returns the fields of its ADAPT, and how many hidden neurons it has.

        words: of values, of a pixel of the layer's input x. Raises InputError.
        """
        spec, block, adapter = self.spec, self.spec.adapter_block, quantiser.adapter
        assert adapter is not None
        if not spec.adapter:
            raise InputError(f"layer {name} has an adapter; this engine has none")
        if adapter.point != spec.precision:
            raise InputError(f"layer {name} has a β of {adapter.point} fraction bits; allowed: {spec.precision}")
        if words > block.words or x.shape[1] * x.shape[2] > block.pixels:
            allowed = f"{block.channels} channels and {block.pixels} pixels"
            raise InputError(f"layer {name} adapts to a map of {x.shape}; allowed: up to {allowed}")
        check_widths(name, block, adapter, x)
        first = adapter.hidden or adapter.output
        hidden = 0 if adapter.hidden is None else len(first.bias)
        constants = {
            "hidden": hidden,
            "hidden_shift": 0 if adapter.hidden is None else first.shift,
            "output_shift": adapter.output.shift,
            "output_bias": int(adapter.output.bias[0]),
            "floor": adapter.floor,
            "mantissa": quantiser.mantissa,
        }
        check_rows(adapter_layout(block), [constants], f"layer {name}'s adapter")
        fields = {
            "adapter": adapter_layout(block).const(constants).as_bits(),
            "adapter_words": words,
            "first_weight": len(self.neurons["weights"]),
            "first_neuron": len(self.neurons["units"]),
        }
        outputs = adapter.output.weights[0] if hidden else np.zeros(1, np.int64)
        self.add_neurons(first.weights, first.bias, outputs, words)
        return fields, hidden

    def add_neurons(self, weights: np.ndarray, biases: np.ndarray, outputs: np.ndarray, words: int) -> None:
        """Add the rows of a layer's adapter: int [J, C] weights, the biases of its neurons, their weights in β."""
        size, block = self.spec.lanes, self.spec.adapter_block
        padded = np.zeros((len(weights), words * size), np.int64)
        padded[:, : weights.shape[1]] = weights
        names = [name for name, _ in weights_layout(block)]
        rows: list[MemoryRow] = [dict(zip(names, row, strict=True)) for row in padded.reshape(-1, size).tolist()]
        units: list[MemoryRow] = [
            {"bias": bias, "weight": weight} for bias, weight in zip(biases.tolist(), outputs.tolist(), strict=True)
        ]
        check_rows(weights_layout(block), rows, "an adapter's weights")
        check_rows(neuron_layout(block), units, "an adapter's neurons")
        self.neurons["weights"] += rows
        self.neurons["units"] += units

    def add_multipliers(self, node: Convolution, row: int) -> dict[str, int]:
        """Add the multipliers of a layer's channels; returns the fields of its SCALE. row: of the layer's scales.

        Raises InputError for multipliers of more bits than their memory has.
        """
        bits = largest(node.rescale.multiplier).bit_length() + 1
        if bits > self.spec.precision:
            raise InputError(f"layer {node.name} has multipliers of {bits} bits; allowed: {self.spec.precision}")
        first = len(self.multipliers)
        self.multipliers += node.rescale.multiplier.tolist()
        last = len(self.multipliers) - 1
        shift = node.rescale.scale_shift
        return {"first_multiplier": first, "last_multiplier": last, "scales": row, "scale_shift": shift}


def check_widths(name: str, block: BlockSpec, adapter: IntegerAdapter, x: Tensor) -> None:
    """Raises InputError for a layer's adapter whose numbers have other bits than the engine's. x: what it adapts to."""
    if x.bits > block.precision:
        raise InputError(f"layer {name} adapts to values of {x.bits} bits; allowed: {block.precision}")
    reach, most = x.shape[1] * x.shape[2] << x.bits - 1, block.accumulator_bits
    for dense in filter(None, (adapter.hidden, adapter.output)):
        sums = np.abs(dense.weights).sum(1).astype(object) * reach + np.abs(dense.bias)
        if (bits := int(sums.max()).bit_length() + 1) > most:
            raise InputError(f"layer {name} has an adapter with sums of {bits} bits; allowed: {most}")
        reach = (1 << adapter.hidden_bits) - 1
    if adapter.hidden is not None and adapter.hidden_bits != block.hidden_bits:
        said = f"hidden neurons of {adapter.hidden_bits} bits; allowed: {block.hidden_bits}"
        raise InputError(f"layer {name} has {said}")
