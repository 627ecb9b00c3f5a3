"""Words for the ports: what does not fit its field is refused, not cut."""

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from asq_model.common.errors import InputError
from asq_model.spec.array import ArraySpec
from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.mac import MacSpec
from sim.vectors.array_tiles import Tile
from sim.vectors.block_words import make_exchange
from sim.vectors.dot_products import Workload
from sim.vectors.feature_map_cases import make_random_cases
from sim.vectors.packing import WordPacker, pack_rows, unpack_word


def test_a_word():
    inner = data.StructLayout({"b": signed(2), "c": 1})
    packer = WordPacker(data.StructLayout({"a": 3, "rest": inner}))
    assert packer.names == ("a", "rest.b", "rest.c")
    assert packer.pack_word({"rest.c": 1, "a": 5, "rest.b": -1}) == 0b1_11_101
    assert packer.pack_words(np.array([[5, -1, 1]])) == [0b1_11_101]
    assert pack_rows(np.array([[5, -1, 1]]), [unsigned(3), signed(2), unsigned(1)]) == [0b1_11_101]
    assert unpack_word(0b11_101, [3, 2]) == [-3, -1]


@pytest.mark.parametrize(
    "value, shape, said",
    [
        (8, unsigned(3), "bits is 8; allowed: 0 to 7"),
        (-1, unsigned(3), "bits is -1; allowed: 0 to 7"),
        (4, signed(3), "bits is 4; allowed: -4 to 3"),
        (-5, signed(3), "bits is -5; allowed: -4 to 3"),
    ],
)
def test_a_value_that_does_not_fit(value, shape, said):
    with pytest.raises(InputError, match=said.replace("bits", "high")):
        WordPacker(data.StructLayout({"low": shape, "high": shape})).pack_word({"low": 0, "high": value})
    with pytest.raises(InputError, match=said.replace("is", "have")):
        pack_rows(np.array([[0, 0], [0, value]]), [shape, shape])


@pytest.mark.parametrize("values", [{"a": 1}, {"a": 1, "b": 1, "c": 1}])
def test_a_field_without_a_value_and_a_value_without_a_field(values):
    with pytest.raises(ValueError, match="for fields a, b"):
        WordPacker(data.StructLayout({"a": 1, "b": 1})).pack_word(values)


@pytest.mark.parametrize("codes, activations", [([9], [0]), ([-1], [0]), ([0], [8]), ([0], [-1])])
def test_operands_that_do_not_fit(codes, activations):
    one = np.array([1])
    for shared in (False, True):
        with pytest.raises(InputError, match="allowed: 0 to 7"):
            Workload("w", np.array(codes), np.array(activations), one, one).pack_words(MacSpec(shared=shared))


def test_partial_sums_that_do_not_fit():
    spec = ArraySpec(MacSpec("post", 3, 3, depth=2), 2, 1)
    most = (1 << spec.result_widths[0] - 1) - 1
    tile = Tile.of(spec, "t", np.full((2, 1), 2), np.array([[7, 7]]), np.array([[most]]))
    assert len(tile.pack_partial(spec)) == 1
    with pytest.raises(InputError, match=f"bits have {most + 112}; allowed"):
        tile.pack_expected(spec)


@pytest.mark.parametrize(
    "part, name, said",
    [
        ("quantiser", "inputs", "values for 20 bits have"),
        ("adapter", "sums", "values for 22 bits have"),
        ("adapter", "neuron_weights", "lane0 is"),
    ],
)
def test_a_map_that_does_not_fit(part, name, said):
    spec = BlockSpec("adapter-step" if name == "inputs" else "adapter", 4, 3)
    maps = next(make_random_cases(spec, 1, 1))
    make_exchange(spec, maps)
    getattr(getattr(maps, part), name).flat[0] = 1 << 40
    with pytest.raises(InputError, match=f"{said} {1 << 40}; allowed"):
        make_exchange(spec, maps)
