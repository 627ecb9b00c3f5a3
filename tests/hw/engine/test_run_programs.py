"""When instructions are done, from reset on, agrees with what the compiler says of a round."""

from dataclasses import replace

from made_up_graphs import Maker
from networks import adapting_network, steady_network

from asq_model.spec.mac import MacSpec
from hw.engine.compiler.compiled import Compiled
from hw.engine.compiler.round_times import images_end
from hw.engine.compiler.run_programs import Event, run_programs
from hw.engine.presets import Preset, compile_network
from hw.engine.program import Kind

IMAGES = 9
MAC = MacSpec("post", 3, 3, frac=0)


def events_of(made: Maker, images: int) -> tuple[Compiled, list[Event]]:
    graph, compiled = compile_network(Preset("", 4, 2), made.graph, made.mac, 12)
    return compiled, list(run_programs(compiled.spec, graph, compiled.programs, images))


def finishes(events: list[Event]) -> list[int]:
    return [event.cycle for event in events if event.instruction.kind == Kind.FINISH]


def test_a_round_takes_the_compiler_s_period() -> None:
    """Images follow each other as the compiler says, in the middle of a run."""
    for made in (adapting_network(MAC), steady_network(MAC)):
        compiled, events = events_of(made, IMAGES)
        done = finishes(events)
        apart = compiled.images
        assert done[3 + apart] - done[3] == done[4 + apart] - done[4] == compiled.period


def test_every_image_gets_every_instruction_once() -> None:
    """Odd and even numbers of images come to their end."""
    for images in (1, 2, 5):
        compiled, events = events_of(adapting_network(MAC), images)
        names = sorted((each.kind, each.name) for each in compiled.instructions)
        for image in range(images):
            own = sorted(
                (event.instruction.kind, event.instruction.name)
                for event in events
                if event.image == image and event.instruction.kind != Kind.NOTHING
            )
            assert own == names
        assert len(finishes(events)) == images


def test_a_last_image_that_would_wait_for_another_is_seen() -> None:
    """A program whose last instruction for an image comes after the next one that begins never does it."""
    for made in (adapting_network(MAC), steady_network(MAC)):
        graph, compiled = compile_network(Preset("", 4, 2), made.graph, made.mac, 12)
        assert images_end(compiled.spec, graph, compiled.programs)
        arrays, values = compiled.programs
        begins = len([each for each in values.loop if each.begins])
        loop = list(arrays.loop)
        place = next(place for place, each in enumerate(loop) if each.kind == Kind.FINISH)
        more = loop[place].fields["after"] + begins * len(values.loop)
        loop[place] = replace(loop[place], fields=loop[place].fields | {"after": more})
        assert not images_end(compiled.spec, graph, (replace(arrays, loop=tuple(loop)), values))


def test_two_images_are_under_way_where_steps_adapt() -> None:
    """A second image costs less than the first alone."""
    compiled, events = events_of(adapting_network(MAC), 2)
    first, second = finishes(events)
    assert compiled.images == 2 and second - first < first
