"""A layer's weights bit by bit, as products of one bit of the magnitude take them."""

from collections.abc import Iterator

import numpy as np

from asq_model.spec.golden_vectors import GoldenLayer
from asq_model.spec.levels import LevelSet
from asq_model.spec.mac import MacSpec


def cut_bit_planes(layer: GoldenLayer, spec: MacSpec) -> Iterator[GoldenLayer]:
    """Cut a layer's weights, as sign and magnitude, into the bits of their magnitudes; yield a layer for each bit.

    The lowest bit comes first; a weight is the sum of its bits times 1, 2, 4 and so on. spec: the product that takes
    them, `uniform-sign` with weights of 2 bits; its activations are at least as wide as the layer's.
    """
    whole = LevelSet("uniform", layer.entry["weight_bits"], "sign-magnitude")
    values = whole.values[layer.codes(whole)].astype(np.int64)
    for bit in range(whole.bits - 1):
        plane = np.sign(values) * (np.abs(values) >> bit & 1)
        entry = layer.entry.copy()
        entry["weight_bits"], entry["activation_bits"] = spec.weight_bits, spec.activation_bits
        codes = spec.level_set.codes[spec.level_set.find_nearest(plane)]
        arrays = {"activations": layer.activations, f"codes_{spec.level_set.name}": codes}
        yield GoldenLayer(f"{layer.name} bit {bit}", entry, arrays)
