"""Compile a graph of integers for an engine: instructions, the contents of memories, and cycles."""

from collections.abc import Mapping, Sequence

from asq_model.common.errors import InputError
from asq_model.spec.graph.convolution import Convolution
from asq_model.spec.graph.elementwise import Input
from asq_model.spec.graph.graph import Graph
from asq_model.spec.graph.movement import Concatenate, Pad
from hw.engine.compiler.best_round import find_best_round
from hw.engine.compiler.build import Build
from hw.engine.compiler.compile_ends import (
    add_finish,
    count_input_words,
    count_result_words,
    make_byte_tables,
    make_image_fields,
)
from hw.engine.compiler.compile_layer import add_convolution
from hw.engine.compiler.compile_parts import add_parts
from hw.engine.compiler.compile_values import add_codes, add_collection
from hw.engine.compiler.compiled import Compiled
from hw.engine.compiler.conflicts import Turn
from hw.engine.compiler.instructions import Banks, Instruction
from hw.engine.compiler.passes import radix_bits_of
from hw.engine.compiler.round_times import compute_latency
from hw.engine.compiler.schedule import Program
from hw.engine.compiler.steps import Step
from hw.engine.compiler.terms import piece_bits_of
from hw.engine.engine_spec import EngineSpec
from hw.engine.image import Image
from hw.engine.instruction_fields import AFTER_BITS
from hw.engine.program import Kind, array_layout, pack, value_layout


def compile_graph(graph: Graph, spec: EngineSpec, order: Sequence[Turn] = ()) -> Compiled:
    """Compile a graph. order: of the instructions; empty: the best of those that are tried.

    Raises InputError, naming the node, for what the engine has not or what does not fit.
    """
    build = make_instructions(graph, spec)
    banks = None
    if build.spec.adapter:
        banks = Banks(build.codes.used, len(build.constants.biases), build.modulus)
    used = count_used_rows(build)
    check_rows(build, used)  # before there is a program, whose addresses they are
    chosen = find_best_round(build, banks, order)
    arrays, values = chosen.programs
    packed = pack_program(build, arrays, True), pack_program(build, values, False)
    used["program"] = max(map(len, packed))
    check_rows(build, used)
    radix_bits = radix_bits_of(build.spec)
    return Compiled(
        spec=build.spec,
        instructions=tuple(build.instructions),
        programs=chosen.programs,
        timed=tuple(chosen.timed),
        period=chosen.period,
        latency=compute_latency(build.spec, graph, chosen.programs),
        images=build.spec.banks,
        image=make_image(build, *packed),
        used=used,
        radix_bits=radix_bits,
        piece_bits=piece_bits_of(build.spec.mac, radix_bits),
        order=chosen.order,
    )


def make_image(build: Build, array_program: list[int], value_program: list[int]) -> Image:
    """Make the contents that the memories have at first. array_program, value_program: words."""
    return Image(
        array_program=array_program,
        value_program=value_program,
        weights=build.weights,
        scales=build.constants.scales * build.spec.banks,
        biases=build.constants.biases,
        multipliers=build.adaptation.multipliers,
        neurons=build.adaptation.neurons,
        tables=make_byte_tables(build),
        functions=build.functions.pieces,
    )


def make_instructions(graph: Graph, spec: EngineSpec) -> Build:
    """The instructions of a graph, and what they find in memories. Raises InputError, naming the node."""
    build = Build(graph, spec)
    for index, step in enumerate(build.steps):
        try:
            add_step(build, index, step)
        except InputError as error:
            raise InputError(f"node {step.node.name}: {error}") from error
    add_finish(build)
    return build


def count_arrays_cycles(graph: Graph, spec: EngineSpec) -> int:
    """Count the cycles of an image in which the arrays are at work. Raises InputError, naming the node."""
    return sum(each.busy for each in make_instructions(graph, spec).instructions if each.kind == Kind.CONVOLVE)


def add_step(build: Build, index: int, step: Step) -> None:
    """Add a step's instruction, and those that make codes of its output."""
    if isinstance(step.node, Convolution):
        add_convolution(build, index, step)
    elif isinstance(step.node, Concatenate | Pad):
        add_parts(build, index, step)
    else:
        add_collection(build, index, step)
    if isinstance(step.node, Input):
        build.add(Instruction(Kind.LOAD, "the next image", make_image_fields(build), 0))
    if isinstance(step.node, Convolution):  # what is written from here on is written after it
        build.codes.free(f"codes of {step.node.name}")
    direct = build.find_direct(step)
    for use in build.uses[step.output]:
        if use is not direct:
            add_codes(build, step, use)
    build.free_unused(index)


def count_used_rows(build: Build) -> dict[str, int]:
    """Count how many rows of each memory but the programs' are in use, by its name in `Depths`."""
    return {
        "codes": build.codes.used * build.spec.banks,
        "values": build.values.used,
        "weights": len(build.weights),
        "constants": len(build.constants.biases),
        "multipliers": len(build.adaptation.multipliers),
        "neurons": len(build.adaptation.neurons["units"]),
        "neuron_weights": len(build.adaptation.neurons["weights"]),
        "inputs": count_input_words(build),
        "results": count_result_words(build),
        "functions": len(build.functions.pieces),
    }


def check_rows(build: Build, used: Mapping[str, int]) -> None:
    """Raises InputError for a memory, by its name, that has fewer rows than are used."""
    for name, rows in used.items():
        if rows > (depth := getattr(build.spec.depths, name)):
            raise InputError(f"the network needs {rows} rows of the memory of {name}, which has {depth}")


def pack_program(build: Build, program: Program, arrays: bool) -> list[int]:
    """The words of one of the two programs. Raises InputError, naming an instruction, for what it does not hold."""
    layout = array_layout(build.spec) if arrays else value_layout(build.spec)
    most = 1 << AFTER_BITS - 1
    words: list[int] = []
    start = 0
    for instruction in (program.first, *program.loop):
        fields, after = dict(instruction.fields), instruction.fields["after"]
        if not -most <= after < most:
            raise InputError(f"{instruction.name} waits for {after} instructions; allowed: {most - 1}")
        try:
            words += pack(build.spec, layout, fields | ({"next": start} if "jumps" in fields else {}))
        except InputError as error:
            raise InputError(f"the engine has no such instruction for {instruction.name}: {error}") from error
        start = start or len(words)
    return words
