"""An engine for one network stores few bits of its instructions, and they give every field again that is used."""

import pytest
from amaranth.lib import data
from networks import adapting_network, steady_network

from asq_model.common.errors import InputError
from asq_model.spec.mac import MacSpec
from hw.engine.compiler.specialise import list_fields, list_needs
from hw.engine.presets import Preset, compile_network
from hw.engine.program import Kind, array_layout, compute_checksum, pack, program_words, value_layout
from hw.engine.stored_bits import ONE, ZERO, count_stored_bits, find_lost_fields, find_places

MAC = MacSpec("post", 3, 3, frac=0)
LAYOUT = data.StructLayout({"kind": 2, "size": 4, "ends": 1, "twice": 4})


def test_rows_that_agree_are_stored_once() -> None:
    """Constants take no place, equal rows share one, and what is not used fits any."""
    program = [
        {"kind": 1, "size": 9, "twice": 9},
        {"kind": 3, "size": 1},
        {"kind": 1, "size": 9, "ends": 1, "twice": 9},
    ]
    every = {"kind", "ends"}
    needs = [every | {"size", "twice"}, every | {"size"}, every | {"size", "twice"}]
    places = find_places(LAYOUT, program, needs)
    assert places == (ONE, 0, ONE, ZERO, ZERO, 1, 2, ONE, ZERO, ZERO, ONE)


@pytest.mark.parametrize("network", [adapting_network, steady_network])
def test_stored_bits_give_all_that_an_instruction_uses(network) -> None:
    """Every field that a kind of instruction uses is stored, zeros too, for both programs."""
    _, compiled = compile_network(Preset("", 4, 2, 2, specialised=True), network(MAC).graph, MAC, 12)
    spec, kinds, programs = compiled.spec, list_needs(compiled.spec), list_fields(compiled)
    images = {True: compiled.image.array_program, False: compiled.image.value_program}
    for arrays, layout in ((True, array_layout(spec)), (False, value_layout(spec))):
        assert count_stored_bits(spec, layout) < layout.size // 3
        size = program_words(spec, layout)
        for number, fields in enumerate(programs[arrays]):
            words = list(images[arrays][number * (size + 1) : (number + 1) * (size + 1)])
            assert words[-1] == compute_checksum(spec, words[:-1])
            stored = sum(word << spec.word_bits * place for place, word in enumerate(words[:-1]))
            names = kinds[Kind(fields["kind"])] | {"kind", "after", "begins", "enters", "bank", "jumps"}
            used = {name: fields.get(name, 0) for name in names}
            if fields.get("jumps"):
                used["next"] = size + 1
            assert find_lost_fields(spec, layout, used, stored) == []


def test_another_network_s_instruction_is_refused() -> None:
    """A field that the engine's network has not is not lost in silence."""
    _, compiled = compile_network(Preset("", 4, 2, 2, specialised=True), steady_network(MAC).graph, MAC, 12)
    layer = next(each for each in compiled.instructions if each.is_arrays)
    with pytest.raises(InputError, match=r"\w+ is \d+; the engine is for another network"):
        pack(compiled.spec, array_layout(compiled.spec), {**layer.fields, "rows": 99})
