"""What two programs do at the same time: never what depends on each other, or shares a part of the engine."""

from dataclasses import replace

import pytest
from made_up_graphs import Maker
from networks import adapting_network, steady_network

from asq_model.common.errors import InputError
from asq_model.spec.mac import MacSpec
from hw.engine.compiler.compiled import Compiled
from hw.engine.compiler.instructions import Place, exclude, share_rows
from hw.engine.compiler.overlap import find_releases
from hw.engine.compiler.regions import Regions
from hw.engine.compiler.round_times import time_round
from hw.engine.compiler.run_programs import Event, run_programs
from hw.engine.compiler.schedule import Program
from hw.engine.presets import Preset, compile_network
from hw.engine.program import Kind

MAC = MacSpec("post", 3, 3, frac=0)
IMAGES = 7


def compiled_network(network) -> tuple[Maker, Compiled]:
    made = network(MAC)
    return made, compile_network(Preset("", 4, 2), made.graph, made.mac, 12)[1]


def follows(compiled: Compiled, layer: Event, codes: Event) -> bool:
    """Whether a layer starts no earlier behind what makes its codes than it may."""
    numbers = {each.name: number for number, each in enumerate(compiled.instructions)}
    number, released = find_releases(compiled.spec, compiled.instructions).get(
        numbers[codes.instruction.name], (None, 0)
    )
    return number == numbers[layer.instruction.name] and layer.start > codes.start + released


def clashes(compiled: Compiled, events: list[Event]) -> list[tuple[str, str]]:
    """Pairs of instructions that are at work in the same cycle, and may not be."""
    found = []
    for one in (event for event in events if event.is_arrays and event.image >= 0):
        for other in (event for event in events if not event.is_arrays and event.image >= 0):
            same = one.instruction.fields.get("bank", 0) == other.instruction.fields.get("bank", 0)
            together = one.start <= other.cycle and other.start <= one.cycle
            pair = one.instruction, other.instruction
            if together and not follows(compiled, one, other) and (share_rows(*pair, same) or exclude(*pair, same)):
                found.append((one.instruction.name, other.instruction.name))
    return found


@pytest.mark.parametrize("network", [adapting_network, steady_network])
def test_what_excludes_each_other_is_never_at_work_together(network) -> None:
    made, compiled = compiled_network(network)
    assert clashes(compiled, list(run_programs(compiled.spec, made.graph, compiled.programs, IMAGES))) == []


@pytest.mark.parametrize("network", [adapting_network, steady_network])
def test_an_instruction_that_waits_too_little_clashes(network) -> None:
    """The check above finds it, where instructions leave their waiting to the next one."""
    made, compiled = compiled_network(network)
    arrays, values = compiled.programs
    hasty = [values.loop[n].fields["after"] > 0 for n in range(len(values.loop) - 1)]
    found = [
        clashes(compiled, list(run_programs(compiled.spec, made.graph, (arrays, put_off(values, place)), IMAGES)))
        for place, waits in enumerate(hasty)
        if waits
    ]
    assert any(found)


def put_off(program: Program, place: int) -> Program:
    """A program of which one instruction waits for nothing, and the next for what that one would."""
    loop = list(program.loop)
    after = loop[place].fields["after"]
    for number, more in ((place, -after), (place + 1, after)):
        fields = dict(loop[number].fields)
        loop[number] = replace(loop[number], fields=fields | {"after": fields["after"] + more})
    return replace(program, loop=tuple(loop))


def test_waiting_costs_less_than_a_meeting_before_each_layer() -> None:
    """A round takes less than its instructions would one after the other, and no less than the work of a program."""
    made, compiled = compiled_network(adapting_network)
    _, period = time_round(compiled.spec, made.graph, compiled.programs)
    own = [sum(each.busy for each in program.loop) for program in compiled.programs]
    assert max(own) <= period == compiled.period < sum(own)


def test_an_image_is_read_while_the_one_before_it_is_not_done() -> None:
    """Two images are under way in one bank, if nothing of the first is overwritten."""
    made, compiled = compiled_network(steady_network)
    events = list(run_programs(compiled.spec, made.graph, compiled.programs, IMAGES))
    begins = {event.image: event.start for event in events if event.instruction.begins}
    done = {event.image: event.cycle for event in events if event.instruction.kind == Kind.FINISH}
    assert all(begins[image + 1] < done[image] for image in range(2, IMAGES - 1))


def test_places_are_taken_beside_what_was_given_back_last() -> None:
    """The lowest free place, unless it has just been given back and there is room below the highest in use."""
    rows = Regions("codes", 100)
    assert [rows.take("a", 10), rows.take("b", 20), rows.take("c", 10)] == [0, 10, 30]
    rows.free("c")
    rows.free("a")
    assert rows.take("d", 10) == 30
    rows.free("b")
    assert rows.take("e", 5, at_end=True) == 25
    assert rows.take("f", 30) == 40 and rows.used == 70
    assert rows.place("e") == Place("codes", 25, 5)
    assert rows.place("e").overlaps(Place("codes", 29)) and not rows.place("e").overlaps(Place("codes", 30))
    assert not rows.place("e").overlaps(Place("values", 25))
    assert rows.take("g", 28) == 70
    said = "h needs 40 rows of the memory of codes, of which 25 of 100 are free side by side: 15 too few"
    with pytest.raises(InputError, match=said):
        rows.take("h", 40)
