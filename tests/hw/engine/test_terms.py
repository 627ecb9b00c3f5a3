"""Weights and codes wider than the products are sums of terms, in passes whose shifted sum is the exact product."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asq_model.common.errors import InputError
from asq_model.spec.mac import MacSpec
from hw.engine.compiler.passes import Pass, find_best_packing, find_image_radix, make_passes
from hw.engine.compiler.terms import piece_bits_of, split_weights

MACS = {
    "post": MacSpec("post", 4, 4, frac=0),
    "post3": MacSpec("post", 3, 3, frac=-1),
    "pot": MacSpec("pot", 4, 4),
    "uniform": MacSpec("uniform-sign", 4, 4),
    "e2m1": MacSpec("e2m1", 4, 4),
}
WEIGHTS = np.arange(-128, 128)[:, None]


def accumulate(passes: list[Pass], radix: int, products: list[int]) -> int:
    """What an accumulator holds after the passes, of which each adds one number."""
    total = 0
    for number, added in zip(passes, products, strict=True):
        total = (total << radix if number.shifted else total) + added
    return total


@pytest.mark.parametrize("name", MACS)
@pytest.mark.parametrize("size", [4, 16])
def test_every_weight_and_code(name: str, size: int) -> None:
    """Passes over separate words give w · a for each 8-bit weight and code."""
    mac = MACS[name]
    radix = find_image_radix(mac, size, 0)
    piece_bits = piece_bits_of(mac, radix)
    pieces = -(-8 // piece_bits)
    terms = split_weights(mac, radix, WEIGHTS, None)
    passes = make_passes(terms.counts, pieces, radix, piece_bits, size)
    levels = mac.level_set.even
    for code in (0, 1, 37, 128, 255):
        parts = [code >> piece_bits * j & (1 << piece_bits) - 1 for j in range(pieces)]
        for row, weight in enumerate(WEIGHTS[:, 0].tolist()):
            products = [
                0 if p.terms[0] < 0 else int(levels[terms.codes[p.terms[0], row, 0]]) * parts[p.piece] for p in passes
            ]
            assert accumulate(passes, radix, products) == weight * code


@given(
    weights=st.lists(st.integers(-128, 127), min_size=3, max_size=3),
    codes=st.lists(st.integers(0, 255), min_size=3, max_size=3),
)
@pytest.mark.parametrize("name", ["post", "uniform"])
def test_packed_words(name: str, weights: list[int], codes: list[int]) -> None:
    """A word that holds all pieces of three channels gives the sum of their products."""
    mac, size = MACS[name], 16
    radix = find_image_radix(mac, size, 0)
    piece_bits = piece_bits_of(mac, radix)
    terms = split_weights(mac, radix, np.array([weights]), None)
    packing = find_best_packing(terms.counts, 3, -(-8 // piece_bits), radix, piece_bits, size)
    assert packing is not None
    slots, passes = packing
    parts = [codes[slot.channel] >> piece_bits * slot.piece & (1 << piece_bits) - 1 for slot in slots]
    products = []
    for number in passes:
        levels = [
            0 if term < 0 else int(mac.level_set.even[terms.codes[term, 0, slot.channel]])
            for term, slot in zip(number.terms, slots, strict=False)
        ]
        products.append(sum(level * part for level, part in zip(levels, parts, strict=True)))
    assert accumulate(passes, radix, products) == sum(w * a for w, a in zip(weights, codes, strict=True))


def test_own_levels_take_one_pass() -> None:
    """Weights of the products' own level set are one term each, those with √2 too."""
    levels = MACS["post"].level_set
    terms = split_weights(MACS["post"], 4, levels.even[None], levels.odd[None])
    assert terms.counts == (1,)
    assert np.array_equal(levels.even[terms.codes[0, 0]], levels.even)
    assert np.array_equal(levels.odd[terms.codes[0, 0]], levels.odd)


def test_weights_that_no_terms_make() -> None:
    """Levels with √2 on products that have none are refused by name."""
    with pytest.raises(InputError, match="unit uniform-sign can make no sum"):
        split_weights(MACS["uniform"], 4, np.array([[1]]), np.array([[1]]))
