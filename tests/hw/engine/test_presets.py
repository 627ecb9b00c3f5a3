"""Presets fit their devices' memory; what does not fit one is refused: which layer, which memory, by how much."""

import re
from dataclasses import asdict, replace

import numpy as np
import pytest
from networks import adapting_network, steady_network

from asq_model.common.errors import InputError
from asq_model.spec.mac import MacSpec
from hw.engine.choose_products import ProductOptions, choose_products
from hw.engine.compiler.compile_graph import compile_graph
from hw.engine.engine_spec import Depths
from hw.engine.memory_map import BLOCK_SHAPES, MemorySize, make_memory_map
from hw.engine.presets import Preset, compile_network, find_preset, make_engine_spec, presets
from hw.engine.spram import MOST_BLOCKS, WORD_BITS, WORDS

MAC = MacSpec("post", 3, 3, frac=0)
SMALL = Preset("", 4, 2, 2)


@pytest.mark.parametrize("name", [name for name, preset in presets().items() if preset.blocks])
def test_a_preset_s_memories_fit_its_device(name: str) -> None:
    """A preset's memories, for integers of 16 bits and images of its data set, fit the blocks of its device."""
    preset = presets()[name]
    graph = steady_network(MAC).graph if preset.adapter is False else adapting_network(MAC).graph
    spec = replace(make_engine_spec(preset, graph, MacSpec(**preset.weights, frac=0), 16), byte_input=True)
    channels = 3 if "CIFAR" in preset.about else 1
    memories = {memory.name: memory for memory in make_memory_map(spec, channels)}
    if preset.spram:
        weights = memories.pop("weights")
        assert weights.rows <= WORDS and weights.bits <= MOST_BLOCKS * WORD_BITS
    taken = sum(memory.count_blocks(preset.family) for memory in memories.values())
    assert preset.blocks * 3 // 4 < taken <= preset.blocks


def test_blocks_take_the_form_that_needs_the_fewest() -> None:
    assert MemorySize("x", 2048, 9).count_blocks("ecp5") == 1
    assert MemorySize("x", 513, 36, 2).count_blocks("xc7") == 4
    assert MemorySize("x", 257, 16).count_blocks("ice40") == 2
    for forms in BLOCK_SHAPES.values():
        assert len({rows * bits for rows, bits in forms if bits >= 9 or bits * rows == 4096}) == 1


def test_sized_memories_are_as_large_as_the_network_needs() -> None:
    """A row less of any memory is refused by name."""
    made = adapting_network(MAC)
    graph, compiled = compile_network(SMALL, made.graph, MAC, 12)
    for name, used in compiled.used.items():
        if not used:  # of functions, which this network has none of
            continue
        depth = getattr(compiled.spec.depths, name)
        assert depth - used <= (1 if name in ("results", "program") else 40) and depth >= used
        for left in (used - 1, used // 8):  # so few that addresses are too narrow for the program, too
            fewer = Depths(**asdict(compiled.spec.depths) | {name: left})
            with pytest.raises(InputError, match=rf"\d+ rows of the memory of {name}"):
                compile_graph(graph, replace(compiled.spec, depths=fewer))


def test_what_does_not_fit_is_said_with_its_layer_and_by_how_much() -> None:
    made = adapting_network(MAC)
    graph, compiled = compile_network(SMALL, made.graph, MAC, 12)
    few = replace(compiled.spec, depths=replace(compiled.spec.depths, values=40))
    with pytest.raises(InputError, match=r"^node \w+: \w+ needs (\d+) rows of .* values, .* (\d+) too few$") as refused:
        compile_graph(graph, few)
    needs, free, depth, short = map(int, re.findall(r"\d+", str(refused.value)))
    assert needs - free == short and depth == 40


def test_an_adapter_needs_an_engine_with_one() -> None:
    preset = find_preset("ice40up5k")
    with pytest.raises(InputError, match="layer left has an adapter; this engine has none"):
        compile_network(replace_depths(preset), adapting_network(MAC).graph, MAC, 12)


def replace_depths(preset: Preset) -> Preset:
    """The preset with memories of any size."""
    return Preset(preset.about, preset.channels, preset.pixels, preset.lanes, adapter=preset.adapter)


def test_products_are_those_of_the_network_s_levels_unless_others_are_given() -> None:
    about = {"family": "post", "kind": "extended", "weight_bits": 3, "activation_bits": 4}
    assert choose_products(about, ProductOptions()) == MacSpec("post", 3, 4, "extended", frac=0)
    assert choose_products(about, ProductOptions(unit="uniform-adders", weight_bits=4)) == MacSpec(
        "uniform-adders", 4, 4
    )
    with pytest.raises(InputError, match="family None; give the engine's unit"):
        choose_products({}, ProductOptions())


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(InputError, match="preset is 'x'; allowed: sized, ice40up5k"):
        find_preset("x")


def test_weights_are_in_the_memory_that_the_map_says() -> None:
    """What a memory holds fits its rows."""
    made = steady_network(MAC)
    _, compiled = compile_network(SMALL, made.graph, MAC, 12)
    (weights,) = (each for each in make_memory_map(compiled.spec, 2) if each.name == "weights")
    assert max(compiled.image.weights).bit_length() <= weights.bits
    assert len(compiled.image.weights) <= weights.rows and np.array(compiled.image.biases).shape[1] == SMALL.lanes


def test_uniform_weights_in_sign_and_magnitude_are_those_of_a_unit_that_stores_them_so() -> None:
    about = {"family": "uniform", "kind": "sign-magnitude", "weight_bits": 4, "activation_bits": 4}
    assert choose_products(about, ProductOptions()) == MacSpec("uniform-sign", 4, 4)


@pytest.mark.parametrize(
    "field, value",
    [("map_channels", -3), ("map_pixels", 0), ("hidden", -1), ("accumulator_bits", 8), ("adapter", 2)],
)
def test_an_engine_that_cannot_be_is_refused_by_the_field_that_was_given(field: str, value: int) -> None:
    mac = MacSpec("uniform-sign", 8, 8)
    spec = make_engine_spec(SMALL, steady_network(MAC).graph, mac, 16)
    with pytest.raises(InputError, match=f"^{field} is {value}") as refused:
        replace(spec, **{field: value})
    assert refused.value.fields == (field,)
