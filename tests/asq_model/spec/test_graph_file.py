"""A graph's file: what is written is read, the same bytes for the same graph, and nothing damaged is believed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutants import FUZZED
from safetensors.numpy import load

from asq_model.common.errors import InputError
from asq_model.spec.adaptive_step import IntegerAdapter, IntegerDense, IntegerQuantiser
from asq_model.spec.graph.convolution import Convolution
from asq_model.spec.graph.elementwise import Input
from asq_model.spec.graph.file import GRAPH, read_graph, write_graph
from asq_model.spec.graph.graph import Graph
from asq_model.spec.graph.movement import SumPool
from asq_model.spec.products import Products
from asq_model.spec.rescale import Rescale


def small_graph():
    """An input with a table, a layer with an adapter, a pooling."""
    dense = IntegerDense(np.array([[3, 5]]), np.array([1 << 8]), 0)
    adapter = IntegerAdapter(None, dense, 1, 8, 16)
    conv = Convolution(
        name="conv",
        inputs=("input",),
        kernel=(1, 1),
        stride=(1, 1),
        padding=(0, 0, 0, 0),
        dilation=(1, 1),
        groups=1,
        quantiser=IntegerQuantiser(3, False, 300, 2, adapter),
        products=Products(np.array([[1, -2]], np.int32), np.array([[0, 1]], np.int32), 7, 4),
        rescale=Rescale(np.array([9]), np.array([4]), 3, 5, 12),
        relu=True,
        align=0,
        point=1,
    )
    table = np.arange(512).reshape(2, 256) - 200
    first = Input(name="input", inputs=(), shape=(2, 3, 3), bits=12, point=2, table=table)
    pool = SumPool(name="mean", inputs=("conv",), kernel=(3, 3), stride=(3, 3), padding=(0, 0, 0, 0))
    return Graph((first, conv, pool))


@pytest.fixture
def path(tmp_path):
    write_graph(tmp_path / "graph.safetensors", small_graph(), {"network": "small"})
    return tmp_path / "graph.safetensors"


def test_what_is_written_is_read(path, tmp_path):
    graph, about = read_graph(path)
    images = np.random.default_rng(0).integers(0, 256, (5, 2, 3, 3)).astype(np.uint8)
    np.testing.assert_array_equal(graph(images), small_graph()(images))
    assert about == {"network": "small"} and graph.tensors == small_graph().tensors
    write_graph(tmp_path / "again", graph, about)
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


@given(st.data())
def test_no_flipped_bit_is_believed(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("graph") / "graph.safetensors"
    write_graph(path, small_graph())
    whole = bytearray(path.read_bytes())
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(whole)
    with pytest.raises(InputError, match=r"graph\.safetensors"):
        read_graph(path)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 70), 1 << 70),
    st.floats(-1e300, 1e300),
    st.text(max_size=5),
    st.just([]),
    st.just({}),
)


@pytest.mark.fuzz
@FUZZED
@given(st.data())
def test_a_file_whose_digest_was_made_again_is_checked_all_the_same(tmp_path_factory, data):
    """Any number, name, type or array of it changed: refused in one line, or a graph that runs or says why not."""
    path = tmp_path_factory.mktemp("graph") / "graph.safetensors"
    write_graph(path, small_graph())
    arrays, config = GRAPH.read(path)
    del config["digest"]
    if data.draw(st.booleans()):
        holder = config["nodes"]
        while isinstance(holder, (dict, list)) and holder:
            key = data.draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
            parent, holder = holder, holder[key]
            if data.draw(st.integers(0, 3)) == 0:
                break
        parent[key] = data.draw(VALUES)
    else:
        name = data.draw(st.sampled_from(sorted(arrays)))
        change = data.draw(st.sampled_from(["type", "shape", "numbers", "gone"]))
        if change == "gone":
            del arrays[name]
        elif change == "type":
            arrays[name] = arrays[name].astype(data.draw(st.sampled_from([np.int8, np.float32, np.uint64, np.int64])))
        elif change == "shape":
            arrays[name] = arrays[name].reshape(-1)[: data.draw(st.integers(0, 3))]
        else:
            arrays[name] = np.full_like(arrays[name], data.draw(st.integers(-(1 << 31), (1 << 31) - 1)))
    GRAPH.write(path, arrays, config)
    try:
        graph, _ = read_graph(path)
        graph(np.zeros((1, *graph.input.shape), np.uint8))
    except InputError as error:
        assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize("point", [-1, 60])
def test_a_binary_point_at_which_beta_has_no_limit_in_64_bits_is_refused(path, tmp_path, point):
    arrays, config = GRAPH.read(path)
    del config["digest"]
    config["nodes"][1]["quantiser"]["adapter"]["point"] = point
    GRAPH.write(tmp_path / "graph", arrays, config)
    with pytest.raises(InputError, match=r"Expected `int` [><]= \d+ - at .*adapter\.point"):
        read_graph(tmp_path / "graph")


def test_a_file_of_another_kind_or_version_is_refused(path, tmp_path):
    arrays, config = GRAPH.read(path)
    assert load(path.read_bytes()).keys() == arrays.keys()
    del config["digest"]
    GRAPH.write(path, arrays | {"more": np.zeros(1)}, config)
    with pytest.raises(InputError, match="it has arrays or keys that have no place in it"):
        read_graph(path)
    GRAPH.write(path, arrays, config | {"format": 9})
    with pytest.raises(InputError, match="has format 9; this program reads 1"):
        read_graph(path)
    with pytest.raises(InputError, match=r"graph .*none does not exist"):
        read_graph(tmp_path / "none")
