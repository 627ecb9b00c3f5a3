"""Weights bit by bit: their products, each times its power of two, add up to those of the whole weights."""

import numpy as np

from asq_model.spec.array import ArraySpec
from asq_model.spec.golden_vectors import read_golden
from asq_model.spec.mac import MacSpec
from sim.measure.switching import PRODUCTS
from sim.vectors.array_tiles import make_golden_tiles
from sim.vectors.bit_planes import cut_bit_planes
from sim.vectors.netlist_words import SEED, make_stimulus
from sim.vectors.shipped import shipped_folder

WHOLE = ArraySpec(MacSpec("uniform-sign", 4, 4), 4, 3)
BITS = ArraySpec(MacSpec("uniform-sign", 2, 4), 4, 3)
GOLDEN = shipped_folder((4, 4))


def test_the_sums_of_all_bits_are_those_of_the_weights():
    layers = [layer for layer in read_golden(GOLDEN) if layer.fits(WHOLE.mac)]
    assert layers
    for layer in layers:
        expected = [tile.expected for tile in make_golden_tiles(WHOLE, layer, SEED)]
        planes = [
            [tile.expected for tile in make_golden_tiles(BITS, plane, SEED)]
            for plane in cut_bit_planes(layer, BITS.mac)
        ]
        assert len(planes) == 3
        found = [sum(tile << bit for bit, tile in enumerate(tiles)) for tiles in zip(*planes, strict=True)]
        assert all(np.array_equal(*pair) for pair in zip(found, expected, strict=True))
        assert any(not np.array_equal(tile, 0 * tile) for tile in planes[2])  # the highest bit is not for nothing


def test_an_array_is_driven_with_every_bit_of_every_weight():
    whole, bits = make_stimulus(WHOLE, GOLDEN, PRODUCTS), make_stimulus(BITS, GOLDEN, PRODUCTS, cut_bits=4)
    assert bits.products == 3 * whole.products
    assert "bit 2 tile" in bits.expected[-1][0]
