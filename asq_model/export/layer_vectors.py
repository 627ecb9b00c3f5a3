"""One layer's golden vectors: dot products that a trained layer really computes, and what every unit makes of them.

Each vector is one dot product of one layer for one image, position and output channel: weight codes and activation
codes as the trained quantisers give them, torch's own fake-quantised result, and the results of each unit by the
integer specification. A unit with another level set than the trained one gets the layer's latent weights quantised to
its own set afterwards, by least squares per channel: the same workload, not a trained network of that kind.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from asq_model.config.fingerprints import PRODUCTS_PER_LAYER
from asq_model.export.layer_geometry import unfold_operands
from asq_model.export.weight_codes import Weights, has_all, quantise_for_units
from asq_model.quantisation.exportable import check_exportable
from asq_model.quantisation.quantised import Quantised
from asq_model.spec.golden_manifest import LayerContent, UnitEntry, make_stored_spec
from asq_model.spec.golden_units import list_units
from asq_model.spec.levels import LevelSet
from asq_model.spec.mac import MacSpec


@dataclass(frozen=True)
class Sample:
    """Dot products of a layer, drawn at random: for each the image, the position on the output map and the channel.

    images, positions, channels: int64 [vectors]. activations: codes int64 [vectors, terms]. steps: of each vector's
    image, float64. reference: torch's fake-quantised results without bias, float64.
    """

    images: np.ndarray
    positions: np.ndarray
    channels: np.ndarray
    activations: np.ndarray
    steps: np.ndarray
    reference: np.ndarray

    @property
    def spread(self) -> float:
        """The root of the mean square of torch's results."""
        return float(np.sqrt(np.mean(self.reference**2)))


def sample_dot_products(layer: Quantised, x: Tensor, rng: np.random.Generator) -> Sample:
    """Draw as many dot products as make `PRODUCTS_PER_LAYER` products, each once; x: the layer's input."""
    channels, terms = layer.weight.flatten(1).shape
    with torch.no_grad():
        outputs = layer.as_maps(layer(x)).flatten(2)
    bias = 0 if layer.bias is None else layer.bias.detach()[None, :, None]
    fake_quantised = outputs - bias
    places = fake_quantised.shape[2]
    vectors = -(-PRODUCTS_PER_LAYER // terms)
    drawn = rng.permutation(len(x) * places * channels)[:vectors]
    image, position, channel = np.unravel_index(drawn, (len(x), places, channels))
    needed, rows = np.unique(image, return_inverse=True)  # only these are unfolded: large maps take much memory
    codes, steps = layer.activation_quantiser.encode(x[torch.from_numpy(needed)])
    operands = unfold_operands(layer, codes.double())
    group = channel // (channels // operands.shape[1])
    return Sample(
        image.astype(np.int64),
        position.astype(np.int64),
        channel.astype(np.int64),
        operands[rows, group, :, position].long().numpy(),
        steps.double().numpy()[rows],
        fake_quantised[image, channel, position].double().numpy(),
    )


def compute_unit_results(
    units: list[MacSpec], weights: Weights, trained: LevelSet, sample: Sample
) -> tuple[dict[str, np.ndarray], dict[str, UnitEntry]]:
    """Compute every unit's results by array name, and manifest entries by unit name that compare them with torch's."""
    arrays, entries = {}, {}
    relative_to = sample.spread or 1.0  # a layer whose outputs are all zero agrees exactly
    for unit in units:
        codes, scale = weights[unit.level_set.name]
        expected = unit.dot(codes[sample.channels], sample.activations)
        arrays[f"expected_{unit.name}"] = expected
        difference = expected * scale[sample.channels] * sample.steps / 2.0**unit.result_frac - sample.reference
        entries[unit.name] = UnitEntry(
            spec=make_stored_spec(unit),
            level_set=unit.level_set.name,
            weights="trained" if has_all(unit.level_set, trained) else "least squares, not trained",
            difference_rms=float(np.sqrt(np.mean(difference**2))) / relative_to,
            difference_max=float(np.abs(difference).max()) / relative_to,
        )
    return arrays, entries


def collect_arrays(sample: Sample, weights: Weights, signed: bool) -> dict[str, np.ndarray]:
    """Collect the arrays of a layer's file: the sample, and the weights in every level set."""
    arrays = {
        "activations": sample.activations.astype(np.int8 if signed else np.uint8),
        "channels": sample.channels,
        "images": sample.images,
        "positions": sample.positions,
        "steps": sample.steps,
        "torch": sample.reference,
    }
    for name, (codes, scale) in weights.items():
        arrays[f"codes_{name}"], arrays[f"scales_{name}"] = codes.astype(np.uint8), scale
    return arrays


def make_layer_vectors(
    name: str, layer: Quantised, x: Tensor, kind: str, rng: np.random.Generator
) -> tuple[dict[str, np.ndarray], LayerContent]:
    """Make a layer's golden vectors: (arrays, manifest entry).

    x: the layer's input. kind: of the units of other level sets than the layer's own.
    """
    check_exportable(name, layer)
    quantiser, trained = layer.activation_quantiser, layer.weight_quantiser.level_set
    channels, terms = layer.weight.flatten(1).shape
    sample = sample_dot_products(layer, x, rng)
    units = list_units(trained, quantiser.bits, quantiser.signed, kind, max(terms, MacSpec().depth))
    weights = quantise_for_units(layer, units)
    results, entries = compute_unit_results(units, weights, trained, sample)
    entry = LayerContent(
        name=name,
        terms=terms,
        channels=channels,
        vectors=len(sample.images),
        products=len(sample.images) * terms,
        weight_bits=trained.bits,
        activation_bits=quantiser.bits,
        level_set=trained.name,
        step=float(quantiser.step.detach().abs()),
        scales=weights[trained.name][1].tolist(),
        torch_rms=sample.spread,
        units=entries,
    )
    return collect_arrays(sample, weights, quantiser.signed) | results, entry
