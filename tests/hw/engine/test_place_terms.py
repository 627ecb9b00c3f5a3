"""Terms that differ from place to place of a kernel: whole products, in no more steps than with the same terms."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_graphs import Maker

from asq_model.common.errors import InputError
from asq_model.spec.mac import MacSpec
from hw.engine.compiler import place_terms
from hw.engine.compiler.compile_graph import count_arrays_cycles
from hw.engine.compiler.pick_steps import count_steps, group_picks, pick_steps
from hw.engine.compiler.place_terms import choose_ways, find_ways, split_places
from hw.engine.compiler.specialise import find_best_radix
from hw.engine.compiler.terms import piece_bits_of, split_weights
from hw.engine.presets import Preset, compile_network, make_engine_spec

MACS = [MacSpec("post", 4, 4, frac=0), MacSpec("post", 3, 3, frac=-1), MacSpec("uniform-sign", 4, 4)]
PLACES, CHANNELS, OUTPUTS, PICKS = 4, 2, 3, 5


@st.composite
def kernels(draw: st.DrawFn) -> np.ndarray:
    """Weights of 8 bits, int [outputs, channels, places], at some places small ones only."""
    bounds = draw(st.lists(st.sampled_from([0, 1, 5, 127]), min_size=PLACES, max_size=PLACES))
    rows = [
        draw(st.lists(st.integers(-bound, bound), min_size=OUTPUTS * CHANNELS, max_size=OUTPUTS * CHANNELS))
        for bound in bounds
    ]
    return np.array(rows).T.reshape(OUTPUTS, CHANNELS, PLACES)


@pytest.mark.parametrize("mac", MACS, ids=lambda mac: f"{mac.unit}{mac.weight_bits}")
@given(even=kernels(), data=st.data())
def test_picks_make_every_product_whole(mac: MacSpec, even: np.ndarray, data: Any) -> None:
    """Steps over the picks, shifted in between as a lane does, give the sum of weights times codes of 8 bits."""
    codes = np.array(data.draw(st.lists(st.integers(0, 255), min_size=CHANNELS * PLACES, max_size=CHANNELS * PLACES)))
    codes = codes.reshape(CHANNELS, PLACES)
    for radix in range(1, mac.activation_bits + 1):
        piece_bits = piece_bits_of(mac, radix)
        pieces = -(-8 // piece_bits)
        terms, counts = split_places(mac, radix, piece_bits, pieces, PICKS, even)
        steps = pick_steps(counts, pieces, radix, piece_bits, PICKS)
        levels = mac.level_set.even[terms.codes].reshape(-1, OUTPUTS, CHANNELS, PLACES)
        total = np.zeros(OUTPUTS, np.int64)
        for step in steps:
            total = total << radix if step.shifted else total
            for pick in step.picks:
                part = codes[:, pick.place] >> piece_bits * pick.piece & (1 << piece_bits) - 1
                total = total + levels[pick.term, :, :, pick.place] @ part
        assert np.array_equal(total, np.einsum("ocp,cp->o", even, codes)), radix
        alike = split_weights(mac, radix, even.reshape(OUTPUTS, -1), None).counts
        assert len(steps) <= len(pick_steps([alike] * PLACES, pieces, radix, piece_bits, PICKS))
        sizes = np.abs(levels) if mac.unit != "post" else terms.magnitudes.reshape(levels.shape)
        assert np.array_equal(sizes != 0, levels != 0)


def test_a_place_of_small_weights_has_fewer_terms_and_takes_fewer_steps() -> None:
    """Of POST's levels 0, 1, 2, 4, 8 and roots 1 needs one term and 85 = 64 + 16 + 4 + 1 four."""
    even = np.ones((1, 1, 9), np.int64)
    even[0, 0, 4] = 85
    _, counts = split_places(MACS[0], 4, 4, 2, PICKS, even)
    assert [sum(each) for each in counts] == [1, 1, 1, 1, 4, 1, 1, 1, 1]
    steps = pick_steps(counts, 2, 4, 4, PICKS)
    assert sum(len(step.picks) for step in steps) == (8 + 4) * 2
    assert len(steps) == 6 < len(pick_steps([counts[4]] * 9, 2, 4, 4, PICKS))


@given(
    counts=st.lists(st.lists(st.integers(0, 2), min_size=3, max_size=3), min_size=1, max_size=4),
    radix=st.sampled_from([1, 2, 4]),
    pieces=st.integers(1, 3),
)
def test_steps_are_counted_as_they_are_made(counts: list[list[int]], radix: int, pieces: int) -> None:
    number = {exponent: len(found) for exponent, found in group_picks(counts, pieces, radix, 4).items()}
    if number:
        made = pick_steps(counts, pieces, radix, 4, PICKS)
        assert count_steps(number, radix, PICKS) == len(made)
        assert sum(len(step.picks) for step in made) == sum(number.values())


def test_of_several_ways_that_takes_the_fewest_steps() -> None:
    """One place needs a term of digit 1, six may have theirs there or at digit 0, where a step has room for five."""
    ways = [[(0, 1)], *[[(1, 0), (0, 1)]] * 6]
    chosen = choose_ways(ways, 4, 4, 1, PICKS)
    assert len(pick_steps([each[0] for each in ways], 1, 4, 4, PICKS)) == 3
    assert len(pick_steps(chosen, 1, 4, 4, PICKS)) == 2


def test_weights_that_take_too_many_terms_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place_terms, "MOST_TERMS", 3)
    with pytest.raises(InputError, match="has weights of which unit post can make no sum of 3 terms"):
        find_ways(MACS[0], 4, np.array([1, 85]))


def test_an_engine_for_one_network_has_the_radix_that_suits_it() -> None:
    """Weights of one bit each, two bits apart: terms of four levels at every second bit make them soonest."""
    made = Maker(MACS[0], (2, 4, 4), with_table=False)
    made.conv("layer", "input", 4, (3, 3), padding=(1, 1, 1, 1), bits=8, weight_bits=8)
    node = next(iter(made.graph.convolutions()))
    node.products.even[:] = 1 << 2 * (np.arange(node.products.even.size) % 4).reshape(node.products.even.shape)
    special = Preset("", 4, 2, specialised=True)
    roomy = make_engine_spec(special, made.graph, made.mac, made.precision)
    cycles = {bits: count_arrays_cycles(made.graph, replace(roomy, radix_bits=bits)) for bits in range(5)}
    best = find_best_radix(made.graph, roomy)
    assert cycles[best] == min(cycles.values()) < cycles[0]
    compiled = compile_network(special, made.graph, made.mac, made.precision)[1]
    assert (roomy.radix_bits, compiled.spec.radix_bits, compiled.radix_bits) == (0, best, best)
