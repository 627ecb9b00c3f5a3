"""One layer's golden vectors: dot products that a trained layer really computes, and what every unit makes of them.

Each vector is one dot product of one layer for one image, position and output channel: weight codes and activation
codes as the trained quantisers give them, torch's own fake-quantised result, and the results of each unit by the
integer specification. A unit with another level set than the trained one gets the layer's latent weights quantised to
its own set afterwards, by least squares per channel: the same workload, not a trained network of that kind.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from asq_model.common.errors import InputError
from asq_model.config.fingerprints import PRODUCTS_PER_LAYER
from asq_model.quantisation.exportable import check_exportable
from asq_model.quantisation.layers import QuantConv1d, QuantisedConvolution
from asq_model.quantisation.quantised import Quantised
from asq_model.spec.golden_manifest import LayerContent, UnitEntry, stored_spec
from asq_model.spec.golden_vectors import layer_units
from asq_model.spec.levels import LevelSet
from asq_model.spec.mac import MacSpec

Weights = dict[str, tuple[np.ndarray, np.ndarray]]  # by level set name: codes [C, N], scale [C]


def pad_input(layer: QuantisedConvolution, x: Tensor) -> Tensor:
    """A convolution's input with its padding, of any kind."""
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    return nn.functional.pad(x, layer._reversed_padding_repeated_twice, mode)


def unfold_operands(layer: Quantised, x: Tensor) -> Tensor:
    """The operands of a layer's dot products [N, groups, terms, positions], terms in the order of the weight.

    Padding is included; output channel c uses the operands of its group, c // (channels per group).
    """
    if not isinstance(layer, QuantisedConvolution):
        return layer.maps(x).flatten(2).unsqueeze(1)
    x, kernel, dilation, stride = pad_input(layer, x), layer.kernel_size, layer.dilation, layer.stride
    if isinstance(layer, QuantConv1d):
        x, kernel, dilation, stride = x.unsqueeze(2), (1, *kernel), (1, *dilation), (1, *stride)
    fields = nn.functional.unfold(x, kernel, dilation, 0, stride)
    return fields.view(len(x), layer.groups, -1, fields.shape[2])


def layer_geometry(layer: Quantised) -> dict[str, Any]:
    """A layer's kernel, stride, padding, dilation and groups, as the fields of a `Convolution` node.

    The axis of a one-dimensional convolution is that of the rows. Raises InputError, naming the layer, for padding
    that is not zeros.
    """
    if not isinstance(layer, QuantisedConvolution):
        return {"kernel": (1, 1), "stride": (1, 1), "padding": (0, 0, 0, 0), "dilation": (1, 1), "groups": 1}
    if layer.padding_mode != "zeros":
        raise InputError(f"layer {layer.name} has {layer.padding_mode} padding; allowed in integers: zeros")
    margins = layer._reversed_padding_repeated_twice  # of the last axis, then of the one before
    pairs = [tuple(margins[index : index + 2]) for index in range(0, len(margins), 2)][::-1]
    pairs += [(0, 0)] * (2 - len(pairs))

    def two(numbers: tuple[int, ...]) -> tuple[int, int]:
        return numbers[0], numbers[1] if len(numbers) == 2 else 1

    return {
        "kernel": two(layer.kernel_size),
        "stride": two(layer.stride),
        "padding": (*pairs[0], *pairs[1]),
        "dilation": two(layer.dilation),
        "groups": layer.groups,
    }


def least_squares_codes(level_set: LevelSet, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantise weights [C, N] to a level set by least squares: (codes [C, N], scale [C]).

    Each channel takes the best of 64 scales.
    """
    largest = np.abs(weights).max(1, keepdims=True) + 1e-12
    best = np.full((len(weights), 1), np.inf)
    codes, scales = np.zeros(weights.shape, np.int64), np.ones_like(best)
    for fraction in np.linspace(0.25, 1.2, 64):
        alpha = largest * fraction
        index = level_set.nearest(np.clip(weights / alpha, level_set.levels[0], 1))
        error = ((level_set.levels[index] * alpha - weights) ** 2).sum(1, keepdims=True)
        better = error < best
        best, scales = np.where(better, error, best), np.where(better, alpha / level_set.level_unit, scales)
        codes = np.where(better, level_set.codes[index], codes)
    return codes, scales[:, 0]


def trained_codes(layer: Quantised) -> tuple[np.ndarray, np.ndarray]:
    """The trained weight codes [C, N] and scale [C] of a layer, which has one for all channels or one for each."""
    codes, scale = layer.weight_quantiser.codes(layer.weight)
    return codes.flatten(1).numpy(), scale.detach().double().expand(len(codes)).numpy()


def quantise_for_units(layer: Quantised, units: list[MacSpec]) -> Weights:
    """A layer's weights in the level set of every unit.

    The trained codes; the same levels in sets that have them all; and for other sets those of least squares.
    """
    trained = layer.weight_quantiser.level_set
    codes, scale = trained_codes(layer)
    by_set: Weights = {trained.name: (codes, scale)}
    weights = layer.weight.detach().flatten(1).double().numpy()
    for unit in units:
        levels = unit.level_set
        if levels.name not in by_set and has_all(levels, trained):
            by_set[levels.name] = levels.codes[levels.nearest(trained.values / levels.level_unit)][codes], scale
        elif levels.name not in by_set:
            by_set[levels.name] = least_squares_codes(levels, weights)
    return by_set


def has_all(levels: LevelSet, others: LevelSet) -> bool:
    """Whether a level set has every level of another, in the same units."""
    return set(levels.values) >= set(others.values) and levels.level_unit == others.level_unit


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
        outputs = layer.maps(layer(x)).flatten(2)
    bias = 0 if layer.bias is None else layer.bias.detach()[None, :, None]
    fake_quantised = outputs - bias
    places = fake_quantised.shape[2]
    vectors = -(-PRODUCTS_PER_LAYER // terms)
    drawn = rng.permutation(len(x) * places * channels)[:vectors]
    image, position, channel = np.unravel_index(drawn, (len(x), places, channels))
    needed, rows = np.unique(image, return_inverse=True)  # only these are unfolded: large maps take much memory
    codes, steps = layer.activation_quantiser.codes(x[torch.from_numpy(needed)])
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
    """Every unit's results by array name, and manifest entries by unit name that compare them with torch's."""
    arrays, entries = {}, {}
    relative_to = sample.spread or 1.0  # a layer whose outputs are all zero agrees exactly
    for unit in units:
        codes, scale = weights[unit.level_set.name]
        expected = unit.dot(codes[sample.channels], sample.activations)
        arrays[f"expected_{unit.name}"] = expected
        difference = expected * scale[sample.channels] * sample.steps / 2.0**unit.result_frac - sample.reference
        entries[unit.name] = UnitEntry(
            spec=stored_spec(unit),
            level_set=unit.level_set.name,
            weights="trained" if has_all(unit.level_set, trained) else "least squares, not trained",
            difference_rms=float(np.sqrt(np.mean(difference**2))) / relative_to,
            difference_max=float(np.abs(difference).max()) / relative_to,
        )
    return arrays, entries


def vector_arrays(sample: Sample, weights: Weights, signed: bool) -> dict[str, np.ndarray]:
    """The arrays of a layer's file: the sample, and the weights in every level set."""
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
    units = layer_units(trained, quantiser.bits, quantiser.signed, kind, max(terms, MacSpec().depth))
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
    return vector_arrays(sample, weights, quantiser.signed) | results, entry
