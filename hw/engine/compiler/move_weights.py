"""Weights for channels that stand elsewhere: a layer's, and those of its adapter."""

from dataclasses import replace

import msgspec
import numpy as np

from asq_model.spec.adaptive_step import IntegerAdapter
from asq_model.spec.graph.convolution import Convolution


def move_layer(layer: Convolution, places: np.ndarray, length: int) -> Convolution:
    """A layer on a tensor of `length` channels, whose channel i stands at places[i]."""
    even, odd = layer.products.even, layer.products.odd
    products = replace(
        layer.products,
        even=move_channels(layer, even, places, length),
        odd=None if odd is None else move_channels(layer, odd, places, length),
    )
    quantiser = layer.quantiser
    if quantiser.adapter is not None:
        quantiser = replace(quantiser, adapter=move_adapter(quantiser.adapter, places, length))
    return msgspec.structs.replace(layer, products=products, quantiser=quantiser)


def move_channels(layer: Convolution, weights: np.ndarray, places: np.ndarray, length: int) -> np.ndarray:
    """The weights [C', C · kernel rows · kernel columns] of a layer with its input's channels elsewhere."""
    by_channel = weights.reshape(len(weights), -1, *layer.kernel)
    return move_columns(by_channel, places, length).reshape(len(weights), -1)


def move_adapter(adapter: IntegerAdapter, places: np.ndarray, length: int) -> IntegerAdapter:
    """An adapter whose channel i stands at places[i]."""
    first = adapter.hidden or adapter.output
    moved = replace(first, weights=move_columns(first.weights, places, length))
    return replace(adapter, output=moved) if adapter.hidden is None else replace(adapter, hidden=moved)


def move_columns(weights: np.ndarray, places: np.ndarray, length: int) -> np.ndarray:
    """Weights [J, N, …] whose column i stands at places[i] of `length`, zeros elsewhere."""
    result = np.zeros((len(weights), length, *weights.shape[2:]), weights.dtype)
    result[:, places] = weights
    return result
