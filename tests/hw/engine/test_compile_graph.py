"""Layers of any shape, compiled: what the arrays would add up is what the graph has, and cycles follow from sizes."""

from dataclasses import dataclass, replace

import msgspec
import numpy as np
import pytest
from engine_model import convolve
from hypothesis import assume, given
from hypothesis import strategies as st
from made_up_graphs import Maker
from networks import adapting_network, steady_network

from asq_model.common.errors import InputError
from asq_model.spec.graph.convolution import Convolution
from asq_model.spec.graph.graph import Graph
from asq_model.spec.graph.movement import Slice
from asq_model.spec.graph.tensor import Trace
from asq_model.spec.mac import MacSpec
from hw.engine.compiler.compile_graph import compile_graph
from hw.engine.compiler.compiled import Compiled
from hw.engine.compiler.instructions import Instruction
from hw.engine.presets import Preset, compile_network
from hw.engine.program import Kind
from sim.engine.expected_words import expect_codes

MACS = [
    MacSpec("post", 3, 3, frac=0),
    MacSpec("post", 4, 5, frac=-1),
    MacSpec("pot", 3, 3),
    MacSpec("apot", 4, 4),
    MacSpec("e2m1", 4, 3),
    MacSpec("uniform-adders", 4, 4),
]
KNOWN_LIMITS = ("passes; allowed", "levels with √2", "pieces; allowed")


def layer_words(compiled: Compiled, trace: Trace) -> dict[int, int]:
    """The memory of codes as the image's instruction fills it: words by address, the lanes of other channels 0."""
    instruction = next(each for each in compiled.instructions if each.layer)
    words: dict[int, int] = {}
    for number in expect_codes(compiled, instruction, trace.codes[instruction.layer][0]):
        shift = number.lane * compiled.spec.mac.activation_bits
        words[number.address] = words.get(number.address, 0) | number.number << shift
    return words


def totals(compiled: Compiled, sums: np.ndarray, first: int) -> np.ndarray:
    """Sums times the scales of their channels, plus the biases, int [channels, pixels]; first: the row of the first."""
    size = len(sums)
    scales, biases = (
        np.array(rows, object).ravel()[first * compiled.spec.lanes :][:size, None]
        for rows in (compiled.image.scales, compiled.image.biases)
    )
    return sums.astype(object) * scales + biases


@st.composite
def layers(draw, hidden: int | None = None) -> tuple[Maker, Preset]:
    """A network of one layer, and an engine. hidden: neurons of the layer's adapter, if it has one."""
    side = st.integers(1, 3)
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    channels, outputs = groups * draw(side), groups * draw(side)
    kernel, dilation = (draw(side), draw(side)), (draw(st.integers(1, 2)), draw(st.integers(1, 2)))
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    padding = tuple(draw(st.integers(0, reach[axis] + 1)) for axis in (0, 0, 1, 1))
    size = tuple(draw(st.integers(reach[axis] + 1, reach[axis] + 4)) for axis in (0, 1))
    made = Maker(draw(st.sampled_from(MACS)), (channels, *size), with_table=False, seed=draw(st.integers(0, 99)))
    made.conv(
        "layer",
        "input",
        outputs,
        kernel,
        (draw(side), draw(side)),
        padding,  # type: ignore[arg-type]
        dilation,
        groups,
        draw(st.sampled_from([None, None, 2, 5, 8])),
        draw(st.booleans()),
        draw(st.sampled_from([None, None, 2, 6])),
        hidden,
        relu=False,
    )
    size = draw(st.sampled_from([2, 4, 8]))
    window = draw(st.sampled_from([0, channels])) if channels <= size else 0
    return made, Preset("", size, draw(side), draw(st.sampled_from([1, 2, size])), window_channels=window)


@dataclass(frozen=True)
class Layer:
    """A network of one layer, compiled: its node, its instruction, what the arrays add up, and what the graph has."""

    node: Convolution
    compiled: Compiled
    instruction: Instruction
    sums: np.ndarray  # int [C', pixels]
    trace: Trace

    @property
    def extra(self) -> int:
        """Fraction bits that the engine's sums have more than the graph's."""
        return self.compiled.spec.mac.result_frac - self.node.products.frac


def compile_layer(made: Maker, preset: Preset) -> Layer:
    """Compile a network of one layer, and add up what its words and weights give; leave out what an engine refuses."""
    try:
        graph, compiled = compile_network(preset, made.graph, made.mac, made.precision)
    except InputError as error:
        assert any(limit in str(error) for limit in KNOWN_LIMITS), error
        assume(False)
    trace = Trace(keep=True)
    graph(made.images[:1], trace)
    node = graph.nodes[-1]
    assert isinstance(node, Convolution)
    instruction = next(each for each in compiled.instructions if each.kind == Kind.CONVOLVE)
    sums = convolve(compiled, instruction, layer_words(compiled, trace))[: len(node.products.even)]
    return Layer(node, compiled, instruction, sums, trace)


@given(layers())
def test_a_layer_of_any_shape_adds_up_to_the_graph_s_sums(drawn: tuple[Maker, Preset]) -> None:
    layer = compile_layer(*drawn)
    sums, trace = layer.sums, layer.trace
    wanted = layer.node.rescale.scale_sums(trace.sums["layer"].reshape(1, len(sums), -1), trace.steps["layer"])[0]
    found = totals(layer.compiled, sums, layer.instruction.fields["scales"])
    assert (found == wanted.astype(object) << layer.extra).all()
    assert layer.instruction.products == layer.node.products.even.size * sums.shape[1]


@given(layers(hidden=1))
def test_signed_codes_whose_step_adapts_add_up_as_if_they_were_not_moved(drawn: tuple[Maker, Preset]) -> None:
    """What no bias can take away, since scales differ from image to image, the weights' negatives do, pass by pass."""
    layer = compile_layer(*drawn)
    assert layer.instruction.fields["negates"] == layer.node.quantiser.signed
    wanted = layer.trace.sums["layer"].reshape(len(layer.sums), -1).astype(object) << layer.extra
    assert (layer.sums == wanted).all()


def test_cycles_of_a_layer_follow_from_its_sizes() -> None:
    """Tiles of P pixels and G channels, each of as many cycles as there are words, kernel places and passes."""
    made = Maker(MACS[0], (8, 5, 5), with_table=False)
    made.conv("layer", "input", 8, (3, 3), padding=(1, 1, 1, 1))
    for channels, pixels in ((4, 2), (8, 1), (4, 5)):
        _, compiled = compile_network(Preset("", channels, pixels), made.graph, made.mac, made.precision)
        layer = next(each for each in compiled.instructions if each.kind == Kind.CONVOLVE)
        tiles = -(-25 // pixels) * (8 // channels)
        busy = tiles * 9 * (8 // channels)
        nothing = next(each for each in compiled.instructions if each.kind == Kind.FINISH).cycles
        assert layer.cycles == nothing + busy + pixels + 1 + layer.fields["flush"]
        assert compiled.utilisation < 1


def test_words_are_picked_of_windows_where_that_takes_fewer_cycles() -> None:
    """An image of three channels and 8 bits: 27 steps of packed words, or the picks that 5 parts of a word make.

    Of a kernel of more places than a window has, and of other channels, nothing is picked.
    """
    mac = MacSpec("post", 4, 4, frac=0)
    rows = {}
    for kernel, channels, window in (((3, 3), 3, 0), ((3, 3), 3, 3), ((3, 3), 4, 3), ((5, 5), 3, 3)):
        made = Maker(mac, (channels, 6, 6), with_table=False)
        made.conv("layer", "input", 16, kernel, padding=(1, 1, 1, 1), bits=8, weight_bits=8)
        _, compiled = compile_network(Preset("", 16, 2, window_channels=window), made.graph, mac, made.precision)
        layer = next(each for each in compiled.instructions if each.kind == Kind.CONVOLVE)
        rows[kernel, channels, window] = layer.fields.get("gathers", 0), layer.fields["period"] + 1
    assert list(rows.values()) == [(0, 27), (1, 16), (0, 27), (0, 75)], rows


def test_every_step_of_a_network_is_an_instruction() -> None:
    for network, kinds in ((adapting_network, set(Kind) - {Kind.NOTHING}), (steady_network, {1, 2, 5, 6})):
        _, compiled = compile_network(Preset("", 4, 2), network(MACS[0]).graph, MACS[0], 12)
        assert {each.kind for each in compiled.instructions} == kinds
        names = {node.name for node in network(MACS[0]).graph.nodes}
        assert {each.tensor for each in compiled.instructions} - {""} <= names


def test_what_the_engine_has_not_is_refused_by_name() -> None:
    node = Slice(name="part", inputs=("layer",), starts=(0, 0, 0), stops=(2, 3, 3), steps=(1, 1, 1))
    said = "node part: the engine has no Slice of this kind"
    made = Maker(MACS[0], (2, 3, 3), with_table=False)
    made.conv("layer", "input", 4)
    with pytest.raises(InputError, match=said):
        compile_network(Preset("", 4, 2), Graph((*made.nodes, node)), made.mac, made.precision)


def test_multipliers_that_their_memory_does_not_hold_are_refused() -> None:
    """A layer whose step adapts and whose multipliers have more bits than values."""
    made = Maker(MACS[0], (2, 3, 3), with_table=False)
    made.conv("layer", "input", 4, hidden=2)
    node = made.nodes[-1]
    assert isinstance(node, Convolution)
    wide = msgspec.structs.replace(node, rescale=replace(node.rescale, multiplier=node.rescale.multiplier << 3))
    with pytest.raises(InputError, match="layer layer has multipliers of 15 bits; allowed: 12"):
        compile_network(Preset("", 4, 2), Graph((*made.nodes[:-1], wide)), MACS[0], made.precision)


def test_sums_of_a_pooling_that_do_not_fit_are_refused() -> None:
    """An engine for the network has the bits; one with a bit fewer says which node needs them."""
    made = Maker(MACS[0], (2, 6, 6), with_table=False)
    made.conv("last", made.sum_pool("mean", "input", (6, 6)), 2)
    graph, compiled = compile_network(Preset("", 4, 1), made.graph, MACS[0], 12)
    assert compiled.spec.pool_bits == 6
    few = replace(compiled.spec, pool_bits=5)
    with pytest.raises(InputError, match="node mean: gives sums of 18 bits; allowed: value_bits and pool_bits, 17"):
        compile_graph(graph, few)


def changed(made: Maker, place: int, **fields: object) -> Graph:
    """A network of which one node has other fields."""
    nodes = list(made.nodes)
    nodes[place] = msgspec.structs.replace(nodes[place], **fields)
    return Graph(tuple(nodes))


def test_a_number_that_a_field_has_not_the_bits_for_is_one_line() -> None:
    """A map of more rows than a preset's fields count is refused with the instruction's name, not with a traceback."""
    made = Maker(MACS[0], (1, 70, 5))
    made.conv("layer", "input", 2)
    said = "^the engine has no such instruction for layer: rows is 70; allowed: 0 to 63$"
    with pytest.raises(InputError, match=said):
        compile_network(Preset("", 4, 2, size_bits=6), made.graph, made.mac, made.precision)


@pytest.mark.parametrize("layers", [0, 1])
def test_an_image_of_wider_numbers_than_values_is_refused(layers: int) -> None:
    """Its upper bits would be lost on their way in, whether codes are made of them at once or they are the result."""
    made = Maker(MACS[0], (2, 3, 3), with_table=False)
    for number in range(layers):
        made.conv(f"layer {number}", "input", 2)
    with pytest.raises(InputError, match=r"^node input: gives values of 13 bits; allowed: value_bits, 12$"):
        compile_network(Preset("", 4, 2), changed(made, 0, bits=13), made.mac, made.precision)


@pytest.mark.parametrize("shift", [24, 25])
def test_totals_that_a_lane_has_not_the_bits_for_are_refused(shift: int) -> None:
    """A sum, a factor and a function of one bit more than totals have would wrap around in hardware."""
    made = Maker(MACS[0], (2, 3, 3), with_table=False)
    made.sum("total", made.conv("left", "input", 2), made.conv("right", "input", 2))
    added = changed(made, -1, aligns=(0, shift - 1), shift=shift)  # 2^11 + 2^(10 + shift)
    made.nodes.pop()
    made.scale("total", "right")
    ones = np.ones(2, np.int64)
    scaled = changed(made, -1, multiplier=ones << 18, bias=ones * ((1 << shift + 10) - (1 << 29)), shift=shift)
    made.nodes.pop()
    made.silu("total", "right")
    base, slope = np.zeros(1024, np.int64), np.zeros(1024, np.int64)
    base[512], slope[512] = (1 << shift + 8) - 1, 1  # a piece is 4 wide, and begins at 0
    bent = changed(made, -1, base=base, slope=slope)
    for graph in (added, scaled, bent):
        if shift == 24:
            compile_network(Preset("", 4, 2), graph, made.mac, made.precision)
            continue
        with pytest.raises(InputError, match=r"^node total: has totals of 37 bits; allowed: 36$"):
            compile_network(Preset("", 4, 2), graph, made.mac, made.precision)


def test_adapters_of_other_widths_than_the_engine_s_are_refused() -> None:
    """Hidden neurons that saturate elsewhere, sums that would wrap around, and values wider than their sums' bits."""
    made = Maker(MACS[2], (2, 3, 3), with_table=False)
    made.conv("layer", "input", 4, hidden=2)
    node = made.nodes[-1]
    assert isinstance(node, Convolution) and node.quantiser.adapter is not None
    adapter = node.quantiser.adapter
    preset = Preset("", 4, 2)
    _, compiled = compile_network(preset, made.graph, MACS[2], 12)
    largest = 1 << compiled.spec.adapter_block.accumulator_bits - 1
    assert adapter.hidden is not None
    for changes, said in (
        ({"hidden_bits": 15}, "layer layer has hidden neurons of 15 bits; allowed: 16"),
        ({"hidden": replace(adapter.hidden, bias=np.array([0, 1 - largest]))}, "an adapter with sums of"),
        ({"output": replace(adapter.output, bias=np.array([largest - 1]))}, "an adapter with sums of"),
    ):
        other = replace(node.quantiser, adapter=replace(adapter, **changes))
        with pytest.raises(InputError, match=said):
            compile_network(preset, changed(made, -1, quantiser=other), MACS[2], 12)
    wide = replace(compiled.spec, value_bits=16)
    with pytest.raises(InputError, match="layer layer adapts to values of 13 bits; allowed: 12"):
        compile_graph(changed(made, 0, bits=13), wide)


@pytest.mark.parametrize(("low", "high"), [(-100_000, 100_000), (7, 1 << 50), (-(1 << 50), 3)])
def test_results_wider_than_values_have_no_other_bound_than_0(low: int, high: int) -> None:
    """A bound that a lane cannot keep a wide result in is refused, not left out."""
    made = Maker(MACS[0], (2, 2, 2), with_table=False)
    made.clip("kept", made.conv("layer", "input", 2, relu=False, result_bits=60), low, high)
    with pytest.raises(InputError, match=f"node layer: keeps its output between {low} and .* allowed: 12 bits, or a"):
        compile_network(Preset("", 2, 1), made.graph, made.mac, made.precision)
