"""A graph as the engine runs it computes the same, its maps flattened in the order of memory."""

import msgspec
import numpy as np
import pytest
from made_up_graphs import Maker
from networks import adapting_network, joining_network, steady_network

from asq_model.common.errors import InputError
from asq_model.spec.graph.graph import Graph
from asq_model.spec.graph.movement import Concatenate, Pad, Reshape
from asq_model.spec.mac import MacSpec
from hw.engine.compiler.lower_graph import IN_MEMORY, lower_graph
from hw.engine.presets import Preset, compile_network

MAC = MacSpec("post", 3, 3, frac=0)


@pytest.mark.parametrize("size", [2, 4, 8])
def test_a_lowered_graph_computes_the_same(size: int) -> None:
    made = joining_network(MAC)
    lowered = lower_graph(made.graph, size, 1)
    images = made.some_images(5)
    assert (lowered(images) == made.graph(images)).all()
    reshapes = [node for node in lowered.nodes if isinstance(node, Reshape)]
    assert reshapes[-1].order == IN_MEMORY and reshapes[-1].shape == (-(-5 // size) * size * 4, 1, 1)
    fills = [node for node in lowered.nodes if isinstance(node, Pad) and node.name == "flat.padded"]
    assert len(fills) == (5 % size > 0)


def test_the_order_of_memory_is_another_one() -> None:
    """A network whose columns of weights stay where they were gives other results."""
    made = Maker(MAC, (4, 2, 3), with_table=False)
    flat = made.reshape("flat", "input", (24, 1, 1), (0, 1, 2))
    made.conv("last", flat, 3, hidden=2)
    flat_in_memory = msgspec.structs.replace(made.nodes[1], order=IN_MEMORY)
    images = made.some_images(5)
    wrong = Graph((made.nodes[0], flat_in_memory, made.nodes[2]))(images)
    assert (wrong != made.graph(images)).any()
    assert (lower_graph(made.graph, 4, 4)(images) == made.graph(images)).all()


@pytest.mark.parametrize("network", [adapting_network, steady_network])
def test_graphs_without_such_maps_stay_as_they_are(network) -> None:
    graph = network(MAC).graph
    assert lower_graph(graph, 4, 4).nodes == graph.nodes


@pytest.mark.parametrize("lanes", [2, 4])
def test_parts_begin_with_words_and_weights_follow_their_channels(lanes: int) -> None:
    made = joining_network(MAC)
    images = made.some_images(5)
    lowered = lower_graph(made.graph, 4, lanes)
    assert (lowered(images) == made.graph(images)).all()
    for node in lowered.nodes:
        if isinstance(node, Concatenate):
            starts = np.cumsum([0, *(lowered.tensors[name].shape[0] for name in node.inputs[:-1])])
            assert not (starts % lanes).any()
        if isinstance(node, Pad):
            assert node.channels[0] == 0
    compile_network(Preset("", 4, 1, lanes), made.graph, MAC, 12)


def test_results_with_zeros_between_them_are_refused() -> None:
    made = Maker(MAC, (3, 2, 2), with_table=False)
    made.pad("last", made.conv("layer", "input", 3), (1, 0))
    with pytest.raises(InputError, match="node last: its results have other channels between them; allowed: none"):
        lower_graph(made.graph, 4, 4)


def test_a_reshape_behind_parts_that_stand_elsewhere_is_refused() -> None:
    made = Maker(MAC, (3, 2, 2), with_table=False)
    padded = made.pad("padded", made.conv("layer", "input", 3), (1, 0))
    made.conv("last", made.reshape("flat", padded, (16, 1, 1), (0, 1, 2)), 2, hidden=1)
    with pytest.raises(
        InputError, match="node flat: takes channels that cannot stand where the engine's words have them"
    ):
        lower_graph(made.graph, 4, 4)


def test_groups_of_channels_that_stand_elsewhere_are_refused_but_one_each() -> None:
    made = Maker(MAC, (3, 2, 2), with_table=False)
    padded = made.pad("padded", made.conv("layer", "input", 3), (1, 0))
    each = made.conv("each", padded, 4, groups=4)
    made.conv("last", each, 2)
    images = made.some_images(5)
    assert (lower_graph(made.graph, 4, 4)(images) == made.graph(images)).all()
    made.conv("pairs", each, 4, groups=2)
    with pytest.raises(InputError, match=r"node pairs: has 2 groups of channels that stand elsewhere; allowed: 1, or"):
        lower_graph(made.graph, 4, 4)


def test_other_reshapes_are_refused() -> None:
    made = Maker(MAC, (4, 2, 2), with_table=False)
    made.conv("last", made.reshape("turned", "input", (2, 4, 2), (1, 0, 2)), 2)
    with pytest.raises(InputError, match=r"turned|last"):
        compile_network(Preset("", 4, 1, 1), made.graph, MAC, 12)


def test_a_flattened_map_that_is_a_side_branch_too_is_refused() -> None:
    """Its values would stand elsewhere than the outputs that they are added to."""
    made = Maker(MAC, (4, 2, 2), with_table=False)
    flat = made.reshape("flat", "input", (16, 1, 1), (0, 1, 2))
    made.conv("last", flat, 16, hidden=2, side=flat)
    images = made.some_images(5)
    assert (lower_graph(made.graph, 4, 4)(images) == made.graph(images)).all()
    with pytest.raises(InputError, match="node flat: the engine takes a reshape only before a linear layer"):
        compile_network(Preset("", 4, 1, 4), made.graph, MAC, 12)


def test_a_flattened_map_that_is_the_result_is_refused() -> None:
    """Results leave pixel by pixel, which is another order."""
    made = Maker(MAC, (4, 2, 2), with_table=False)
    made.reshape("flat", made.conv("layer", "input", 4), (16, 1, 1), (0, 1, 2))
    with pytest.raises(InputError, match="node flat: the engine has no Reshape of this kind as its result"):
        compile_network(Preset("", 4, 1, 4), made.graph, MAC, 12)


def test_a_tensor_of_another_name_is_still_there_behind_a_clip() -> None:
    made = Maker(MAC, (4, 2, 2), with_table=False)
    layer = made.conv("layer", "input", 4)
    clip = made.clip("clip", made.reshape("same", layer, (4, 2, 2), (0, 1, 2)), 0, 50)
    made.conv("last", made.sum("total", layer, clip), 4)
    _, compiled = compile_network(Preset("", 4, 1, 4), made.graph, MAC, 12)
    assert {"layer", "clip", "total"} <= {each.name for each in compiled.instructions}
