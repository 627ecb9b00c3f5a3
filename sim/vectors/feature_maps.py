"""Feature maps as the test benches of ASQ's blocks send and expect them: one layer's input, its codes and steps, what
its adapter makes of its sums, and what follows its products.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from asq_model.spec.golden_manifest import AdapterEntry, RescaleEntry
from asq_model.spec.golden_vectors import GoldenMaps, read_maps


@dataclass(frozen=True)
class QuantiserMaps:
    """A layer's input and its codes, int [N, C, pixels] each, and the step of each map, int [K].

    K may be larger than N: golden vectors hold the steps of more images than whole maps. bits, signed: of a code.
    mantissa: the learned step at β = 1.
    """

    bits: int
    signed: bool
    mantissa: int
    inputs: np.ndarray = field(repr=False)
    steps: np.ndarray = field(repr=False)
    codes: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class AdapterMaps:
    """An adapter's constants, the channel sums of K maps, int [K, C], and their β, int [K].

    hidden: neurons of the hidden layer, or 0. Constants as `hw.asq.layouts.adapter_layout` names them.
    neuron_weights: int [J, C]. neuron_biases, output_weights: int [J].
    """

    hidden: int
    hidden_shift: int
    output_shift: int
    output_bias: int
    floor: int
    neuron_weights: np.ndarray = field(repr=False)
    neuron_biases: np.ndarray = field(repr=False)
    output_weights: np.ndarray = field(repr=False)
    sums: np.ndarray = field(repr=False)
    betas: np.ndarray = field(repr=False)

    @property
    def channels(self) -> int:
        """How many channels the maps have."""
        return self.sums.shape[1]


@dataclass(frozen=True)
class RescaleMaps:
    """A layer's sums of products, the values of its side branch, and its output, int [N, C', pixels'] each.

    Constants as `hw.asq.layouts.rescale_layout` names them. multipliers, biases: int [C']. steps: int [K], K ≥ N.
    """

    scale_shift: int
    shift: int
    align: int
    relu: bool
    multipliers: np.ndarray = field(repr=False)
    biases: np.ndarray = field(repr=False)
    steps: np.ndarray = field(repr=False)
    totals: np.ndarray = field(repr=False)
    sides: np.ndarray = field(repr=False)
    outputs: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class LayerMaps:
    """The feature maps of one layer. None: what the layer, or the made-up case, does not have."""

    name: str
    quantiser: QuantiserMaps | None = None
    adapter: AdapterMaps | None = None
    rescale: RescaleMaps | None = None


def flatten_pixels(array: np.ndarray) -> np.ndarray:
    """int64 [N, C, pixels] of maps [N, C, H, W]."""
    return array.reshape(*array.shape[:2], -1).astype(np.int64)


def read_golden_adapter(entry: AdapterEntry, arrays: dict[str, np.ndarray]) -> AdapterMaps:
    """Read the adapter of a layer as exported."""
    return AdapterMaps(
        hidden=entry["hidden"],
        hidden_shift=entry["hidden_shift"],
        output_shift=entry["output_shift"],
        output_bias=entry["output_bias"],
        floor=entry["floor"],
        neuron_weights=arrays["unit_weights"],
        neuron_biases=arrays["unit_biases"],
        output_weights=arrays.get("output_weights", np.zeros(1, np.int64)),
        sums=arrays["sums"],
        betas=arrays["betas"],
    )


def read_golden_rescale(entry: RescaleEntry, arrays: dict[str, np.ndarray]) -> RescaleMaps:
    """Read the rescaling of a layer's products, as exported; without a side branch its values are zero."""
    totals = flatten_pixels(arrays["totals"])
    return RescaleMaps(
        scale_shift=entry["scale_shift"],
        shift=entry["shift"],
        align=entry["align"],
        relu=entry["relu"],
        multipliers=arrays["multipliers"],
        biases=arrays["biases"],
        steps=arrays["steps"],
        totals=totals,
        sides=flatten_pixels(arrays["sides"]) if "sides" in arrays else np.zeros_like(totals),
        outputs=flatten_pixels(arrays["outputs"]),
    )


def read_golden_layer(layer: GoldenMaps) -> LayerMaps:
    """Read a layer as exported, its expected values included."""
    entry, arrays = layer.entry, layer.arrays
    quantiser = QuantiserMaps(
        entry["bits"],
        entry["signed"],
        entry["mantissa"],
        flatten_pixels(arrays["inputs"]),
        arrays["steps"],
        flatten_pixels(arrays["codes"]),
    )
    adapter, rescale = entry["adapter"], entry["rescale"]
    return LayerMaps(
        layer.name,
        quantiser,
        None if adapter is None else read_golden_adapter(adapter, arrays),
        None if rescale is None else read_golden_rescale(rescale, arrays),
    )


def read_golden_layers(folder: Path) -> Iterator[LayerMaps]:
    """Read the layers of a folder of golden vectors, in order. Raises InputError for damaged files."""
    return (read_golden_layer(layer) for layer in read_maps(folder))
