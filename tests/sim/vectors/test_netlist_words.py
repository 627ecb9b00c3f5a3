"""What gates are driven with: whole dot products and tiles, and every result of them needed."""

import pytest

from asq_model.common.errors import InputError
from asq_model.spec.array import ArraySpec
from asq_model.spec.mac import MacSpec
from sim.measure.switching import PRODUCTS
from sim.vectors.array_tiles import GOLDEN_VECTORS, make_random_tile
from sim.vectors.netlist_words import make_stimulus, make_unit_parts, pack_array

SPEC = MacSpec("uniform", 3, 3)
ARRAY = ArraySpec(MacSpec("post-exact", 3, 3), 4, 3)
FEW = 2000


def words_of(given):
    """The result words that the expected sums are packed to."""
    values = [value for _, value in given.expected]
    words = []
    for start in range(0, len(values), len(given.widths)):
        word, place = 0, 0
        for value, width in zip(values[start:], given.widths, strict=False):
            word |= (value & (1 << width) - 1) << place
            place += width
        words.append(word)
    return words


@pytest.mark.parametrize("spec", [SPEC, ARRAY], ids=lambda spec: spec.name)
def test_every_result_is_needed(spec, small_golden):
    given = make_stimulus(spec, small_golden, FEW)
    words = words_of(given)
    given.check(spec.name, words)
    with pytest.raises(InputError, match=f"gave {3 * len(given.widths)} results of {len(given.expected)}"):
        given.check(spec.name, words[:3])
    wrong = [*words[:5], words[5] ^ 1, *words[6:]]
    where, value = given.expected[5 * len(given.widths)]
    with pytest.raises(InputError, match=f"compute wrongly: {where}: expected {value}, got {value ^ 1}"):
        given.check(spec.name, wrong)


def test_the_workload_is_whole_dot_products_up_to_a_number(small_golden):
    for spec in (SPEC, MacSpec("post", 3, 3, frac=0)):  # golden vectors have no results of the second
        every, few, one = (make_stimulus(spec, small_golden, number) for number in (PRODUCTS, FEW, 1))
        assert every.products > 100_000 and len(every.words) == every.products
        assert FEW <= few.products < FEW + spec.depth
        assert (
            len(one.expected) == 1 and one.expected == every.expected[:1] and one.words == every.words[: one.products]
        )
        assert len(list(make_unit_parts(spec, small_golden, 1))) == 1


def test_an_array_gets_whole_tiles(small_golden):
    every, one = (make_stimulus(ARRAY, small_golden, number) for number in (PRODUCTS, 1))
    assert one.products == GOLDEN_VECTORS * 4 * 3 and every.products > 20 * one.products
    assert len(one.words) == 4 + GOLDEN_VECTORS and len(one.expected) == GOLDEN_VECTORS * 3 * 2
    assert one.expected == every.expected[: len(one.expected)]


def test_an_array_s_words_keep_what_is_not_valid_as_it_was():
    tile = make_random_tile(ARRAY, 1, 5)
    i_width, load_width = 4 * 3, 3 * ARRAY.mac.level_set.code_bits
    words = pack_array(ARRAY, tile)
    assert [word >> i_width + load_width for word in words] == [0b10] * 4 + [0b01] * 5
    assert [word & (1 << i_width) - 1 for word in words[3:]] == [tile.pack_words(ARRAY)[0], *tile.pack_words(ARRAY)]
    loads = [word >> i_width & (1 << load_width) - 1 for word in words]
    assert loads[:4] == tile.pack_load(ARRAY) and set(loads[4:]) == {loads[3]}


def test_what_cannot_be_simulated_is_refused(small_golden):
    with pytest.raises(InputError, match="products is 0; allowed: 1 or more"):
        make_stimulus(SPEC, small_golden, 0)
    with pytest.raises(InputError, match=r"hold no operands for unit uniform_mac_w5a3"):
        make_stimulus(MacSpec("uniform", 5, 3), small_golden, FEW)
