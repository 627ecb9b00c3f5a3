"""The instructions that put a map together of parts: tensors side by side, or a tensor with zeros around it."""

from collections.abc import Iterator
from dataclasses import dataclass

from asq_model.common.errors import InputError
from asq_model.spec.graph.movement import Concatenate, Pad
from asq_model.spec.graph.tensor import Margins
from hw.engine.compiler import cycles
from hw.engine.compiler.build import Build
from hw.engine.compiler.geometry import NO_MARGIN, ONE, Window
from hw.engine.compiler.instructions import Instruction
from hw.engine.compiler.rescaling import make_bound_fields, make_shift_fields
from hw.engine.compiler.steps import Step
from hw.engine.program import Kind


@dataclass(frozen=True)
class Part:
    """Words of each pixel of a map: those of a tensor, shifted right, or zeros where there is none.

    channels: of the map. first, words: in words of L values.
    """

    name: str
    source: str
    channels: tuple[int, int]
    first: int
    words: int
    margins: Margins = NO_MARGIN
    shift: int = 0


def split_output(build: Build, step: Step) -> Iterator[Part]:
    """Split a step's output into parts. Raises InputError for one that begins inside a word, or is shifted left."""
    node, lanes = step.node, build.spec.lanes
    if isinstance(node, Pad):
        yield from make_padding_parts(build, step, node)
        return
    assert isinstance(node, Concatenate)
    first = 0
    for name, whole, shift in zip(step.inputs, node.inputs, node.shifts, strict=True):
        channels = build.tensor(name).shape[0]
        if first % lanes:
            raise InputError(f"has a part that begins with channel {first}; allowed: multiples of {lanes}, lanes")
        if shift < 0:
            raise InputError(f"shifts {name} left, by {-shift}; the engine shifts right only")
        yield Part(name, name, (first, first + channels), first // lanes, -(-channels // lanes), shift=shift)
        first += build.tensor(whole).shape[0]  # with what fills up its last word


def make_padding_parts(build: Build, step: Step, node: Pad) -> Iterator[Part]:
    """Make the parts of a tensor with margins and zeros behind its channels: words that are read beyond the map."""
    lanes, (source,) = build.spec.lanes, step.inputs
    channels, rows, _ = build.tensor(source).shape
    last = build.tensor(step.output).shape[0]
    if node.channels[0]:
        raise InputError(f"has {node.channels[0]} channels of zeros in front; allowed: none")
    words = -(-channels // lanes)
    yield Part(source, source, (0, channels), 0, words, node.margins)
    if (left := build.words(step.output) - words) > 0:
        beyond = (-rows, rows, 0, 0)
        yield Part("zeros", source, (min(words * lanes, last), last), words, left, beyond)


def add_parts(build: Build, index: int, step: Step) -> None:
    """Add an instruction for each part: its words are copied to their place in every pixel."""
    spec = build.spec
    _, *output = build.tensor(step.output).shape
    target = build.make_target_fields(index, step) | make_bound_fields(spec, step, build.is_result(step))
    for part in split_output(build, step):
        _, rows, columns = build.tensor(part.source).shape
        base, words = build.values.first(part.source), build.words(part.source)
        window = Window((rows, columns), (output[0], output[1]), ONE, ONE, ONE, part.margins, base, words, 1)
        fields = window.make_fields(False, build.modulus) | target | {"value": target["value"] + part.first}
        fields |= {"last_place_word": part.words - 1, "finishes": 1} | make_shift_fields(spec, part.shift)
        fields |= {"scales": build.rows[step.output], "biases": build.rows[step.output]}
        size = {"words": output[0] * output[1] * part.words, "steps": 1}
        busy = cycles.count_busy_cycles(spec, Kind.COLLECT, size)
        flush = cycles.count_collect_flush(1, False, True)
        made = Instruction(
            Kind.COLLECT,
            f"{part.name} in {step.output}",
            fields,
            busy,
            tensor=step.output,
            channels=part.channels,
            reads=(build.values.place(part.source),),
            writes=build.list_written(step, fields),
        )
        build.add(made, flush)
