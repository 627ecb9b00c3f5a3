"""Compile a graph of integers for an engine: instructions, the contents of memories, and cycles."""

from collections.abc import Mapping
from math import prod

from asq_model.common.errors import InputError
from asq_model.spec.graph.convolution import Convolution
from asq_model.spec.graph.elementwise import Input
from asq_model.spec.graph.graph import Graph
from asq_model.spec.graph.movement import Concatenate
from hw.engine.compiler import cycles
from hw.engine.compiler.build import Build
from hw.engine.compiler.compile_ends import byte_tables, finish, input_words, load_fields, result_words
from hw.engine.compiler.compile_layer import add_convolution
from hw.engine.compiler.compile_values import add_codes, add_collection, add_concatenation
from hw.engine.compiler.compiled import Compiled
from hw.engine.compiler.instructions import Banks, Instruction
from hw.engine.compiler.schedule import Clocks, Slot, Timed, program_of, schedule, time_slots
from hw.engine.compiler.steps import Step
from hw.engine.compiler.terms import piece_bits_of, radix_of
from hw.engine.engine_spec import EngineSpec
from hw.engine.image import Image
from hw.engine.program import Kind, array_layout, pack, value_layout


def compile_graph(graph: Graph, spec: EngineSpec) -> Compiled:
    """Compile a graph. Raises InputError, naming the node, for what the engine has not or what does not fit."""
    build = Build(graph, spec)
    for index, step in enumerate(build.steps):
        try:
            add_step(build, index, step)
        except InputError as error:
            raise InputError(f"node {step.node.name}: {error}") from error
    finish(build)
    banks = None
    if build.spec.adapter:
        banks = Banks(build.codes.used, len(build.constants.biases), build.modulus)
    slots = schedule(build.instructions, banks)
    used = {
        "codes": build.codes.used * build.spec.banks,
        "values": build.values.used,
        "weights": len(build.weights),
        "constants": len(build.constants.biases),
        "multipliers": len(build.adaptation.multipliers),
        "neurons": len(build.adaptation.neurons["units"]),
        "neuron_weights": len(build.adaptation.neurons["weights"]),
        "inputs": input_words(build),
        "results": result_words(build),
    }
    check_rows(build, used)  # before there is a program, whose addresses they are
    programs = {arrays: pack_program(build, slots, arrays) for arrays in (True, False)}
    used["program"] = max(len(words) for words in programs.values())
    check_rows(build, used)
    image = Image(
        programs[True],
        programs[False],
        build.weights,
        build.constants.scales * build.spec.banks,
        build.constants.biases,
        build.adaptation.multipliers,
        build.adaptation.neurons,
        byte_tables(build),
    )
    radix = radix_of(build.spec.mac, build.spec.channels)
    piece_bits = piece_bits_of(build.spec.mac, radix)
    timed, period = time_instructions(build, slots)
    return Compiled(
        build.spec,
        tuple(build.instructions),
        tuple(slots),
        tuple(timed),
        period,
        build.spec.banks,
        image,
        used,
        radix,
        piece_bits,
    )


def add_step(build: Build, index: int, step: Step) -> None:
    """Add a step's instruction, and those that make codes of its output."""
    if isinstance(step.node, Convolution):
        add_convolution(build, index, step)
    elif isinstance(step.node, Concatenate):
        add_concatenation(build, index, step)
    else:
        add_collection(build, index, step)
    if isinstance(step.node, Input):
        build.add(Kind.LOAD, "the next image", load_fields(build), 0, 0)
    if isinstance(step.node, Convolution):  # what is written from here on is written after it
        build.codes.free(f"codes of {step.node.name}")
    direct = build.direct(step)
    for use in build.uses[step.output]:
        if use is not direct:
            add_codes(build, step, use)
    build.free_unused(index)


def check_rows(build: Build, used: Mapping[str, int]) -> None:
    """Raises InputError for a memory, by its name, that has fewer rows than are used."""
    for name, rows in used.items():
        if rows > (depth := getattr(build.spec.depths, name)):
            raise InputError(f"the network needs {rows} rows of the memory of {name}, which has {depth}")


def time_instructions(build: Build, slots: list[Slot]) -> tuple[list[Timed], int]:
    """When each instruction of a round starts, and the cycles of a round."""
    layouts = array_layout(build.spec), value_layout(build.spec)
    nothing = [cycles.idle_cycles(build.spec, layout) for layout in layouts]
    channels, rows, columns = build.tensor(build.steps[-1].output).shape
    send = cycles.send_cycles(build.spec, channels, rows * columns)
    clocks = Clocks(prod(build.graph.input.shape) + cycles.LOAD_DELAY, send)
    return time_slots(slots, clocks, (nothing[0], nothing[1]))


def pack_program(build: Build, slots: list[Slot], arrays: bool) -> list[int]:
    """The words of one of the two programs."""
    spec = build.spec
    layout = array_layout(spec) if arrays else value_layout(spec)
    cost = cycles.idle_cycles(spec, layout)
    nothing = Instruction(Kind.NOTHING, "nothing", {"kind": int(Kind.NOTHING)}, cost)
    words: list[int] = []
    if not arrays:  # the first image may come in
        words += pack(spec, layout, load_fields(build) | {"kind": int(Kind.LOAD), "begins": 1})
    first = len(words)
    for instruction in program_of(slots, arrays, nothing):
        fields = dict(instruction.fields)
        words += pack(spec, layout, fields | ({"next": first} if "jumps" in fields else {}))
    return words
