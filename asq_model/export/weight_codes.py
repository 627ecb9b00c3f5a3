"""The codes of a layer's weights: as they were trained, and in the level sets of other units."""

import numpy as np

from asq_model.quantisation.quantised import Quantised
from asq_model.spec.levels import LevelSet
from asq_model.spec.mac import MacSpec

Weights = dict[str, tuple[np.ndarray, np.ndarray]]  # by level set name: codes [C, N], scale [C]


def quantise_by_least_squares(level_set: LevelSet, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Quantise weights [C, N] to a level set by least squares: (codes [C, N], scale [C]).

    Each channel takes the best of 64 scales.
    """
    largest = np.abs(weights).max(1, keepdims=True) + 1e-12
    best = np.full((len(weights), 1), np.inf)
    codes, scales = np.zeros(weights.shape, np.int64), np.ones_like(best)
    for fraction in np.linspace(0.25, 1.2, 64):
        alpha = largest * fraction
        index = level_set.find_nearest(np.clip(weights / alpha, level_set.levels[0], 1))
        error = ((level_set.levels[index] * alpha - weights) ** 2).sum(1, keepdims=True)
        better = error < best
        best, scales = np.where(better, error, best), np.where(better, alpha / level_set.level_unit, scales)
        codes = np.where(better, level_set.codes[index], codes)
    return codes, scales[:, 0]


def read_trained_codes(layer: Quantised) -> tuple[np.ndarray, np.ndarray]:
    """Read the trained weight codes [C, N] and scale [C] of a layer, which has one for all channels or one for each."""
    codes, scale = layer.weight_quantiser.encode(layer.weight)
    return codes.flatten(1).numpy(), scale.detach().double().expand(len(codes)).numpy()


def quantise_for_units(layer: Quantised, units: list[MacSpec]) -> Weights:
    """Quantise a layer's weights to the level set of every unit.

    The trained codes; the same levels in sets that have them all; and for other sets those of least squares.
    """
    trained = layer.weight_quantiser.level_set
    codes, scale = read_trained_codes(layer)
    by_set: Weights = {trained.name: (codes, scale)}
    weights = layer.weight.detach().flatten(1).double().numpy()
    for unit in units:
        levels = unit.level_set
        if levels.name not in by_set and has_all(levels, trained):
            by_set[levels.name] = levels.codes[levels.find_nearest(trained.values / levels.level_unit)][codes], scale
        elif levels.name not in by_set:
            by_set[levels.name] = quantise_by_least_squares(levels, weights)
    return by_set


def has_all(levels: LevelSet, others: LevelSet) -> bool:
    """Whether a level set has every level of another, in the same units."""
    return set(levels.values) >= set(others.values) and levels.level_unit == others.level_unit
