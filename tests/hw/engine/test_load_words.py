"""The words that load a network hold every row of its memories, and what cannot be for an engine has another number."""

from dataclasses import replace

import pytest
from made_up_graphs import Maker
from networks import adapting_network, joining_network, picking_network, steady_network

from asq_model.spec.mac import MacSpec
from hw.engine.compiler.compiled import Compiled
from hw.engine.load_words import compute_engine_number, make_load_words, make_memory_rows
from hw.engine.presets import Preset, compile_network
from hw.engine.row_writer import LOAD_BITS, Section, find_sizes

MAC = MacSpec("post", 3, 3, frac=0)


def compiled_of(made: Maker) -> Compiled:
    return compile_network(Preset("", 4, 2, 2, window_channels=2), made.graph, MAC, 12)[1]


@pytest.mark.parametrize("network", [adapting_network, steady_network, joining_network, picking_network])
def test_every_row_is_in_the_words(network) -> None:
    """Read section by section, the words give the rows again, and all memories are there."""
    compiled = compiled_of(network(MAC))
    words = [int(word) for word in make_load_words(compiled.spec, compiled.image, 77)]
    sizes, wanted = (
        find_sizes(compiled.spec, len(compiled.image.tables)),
        make_memory_rows(compiled.spec, compiled.image),
    )
    assert words[0] == 77 and set(sizes) == set(wanted)
    place = 1
    for section, rows in wanted.items():
        assert words[place] == section << 24 | len(rows)
        size, place = sizes[section].words, place + 1
        for row in rows:
            assert sum(word << LOAD_BITS * n for n, word in enumerate(words[place : place + size])) == row
            assert row >> sizes[section].bits == 0
            place += size
        assert len(rows) <= sizes[section].rows
    assert place == len(words) - 2 and words[place] == 0


def test_adapters_and_functions_are_among_the_sections_only_where_there_are_some() -> None:
    steady = compiled_of(steady_network(MAC))
    assert not {Section.NEURONS, Section.FUNCTIONS} & set(find_sizes(steady.spec, 0))
    assert Section.FUNCTIONS in find_sizes(compiled_of(joining_network(MAC)).spec, 0)
    adapting = compiled_of(adapting_network(MAC))
    assert Section.NEURONS in find_sizes(adapting.spec, 256) and Section.BYTES in find_sizes(adapting.spec, 256)


def test_another_engine_has_another_number() -> None:
    """Whatever a program depends on changes the number; the same engine has the same."""
    spec = compiled_of(adapting_network(MAC)).spec
    numbers = {compute_engine_number(spec, 2, 3)}
    assert numbers == {compute_engine_number(replace(spec), 2, 3)}
    others = [replace(spec, pixels=3), replace(spec, depths=replace(spec.depths, codes=999)), replace(spec, lanes=1)]
    numbers |= {compute_engine_number(other, 2, 3) for other in others} | {
        compute_engine_number(spec, 1, 3),
        compute_engine_number(spec, 2, 2),
    }
    assert len(numbers) == 6
