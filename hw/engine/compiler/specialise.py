"""An engine for one network only: its instructions store no more bits than the network's differ in."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from amaranth.lib import data

from asq_model.common.errors import InputError
from asq_model.spec.graph.graph import Graph
from hw.engine.compiler.compile_graph import compile_graph, count_arrays_cycles
from hw.engine.compiler.compiled import Compiled
from hw.engine.engine_spec import EngineSpec
from hw.engine.instruction_fields import (
    adapt_fields,
    array_control_fields,
    collect_fields,
    convolve_fields,
    finish_fields,
    follow_fields,
    load_fields,
    value_control_fields,
    window_fields,
)
from hw.engine.program import Kind, array_layout, program_words, value_layout
from hw.engine.stored_bits import find_places

ENDLESS = 1 << 16  # words, in which every program has room


def list_needs(spec: EngineSpec) -> Mapping[Kind, set[str]]:
    """List the fields that each kind of instruction has a use for, beside those that all have."""
    window, follow = set(window_fields(spec)), set(follow_fields(spec))
    adapts = set(adapt_fields(spec)) | {"scales"} if spec.adapter else set()
    return {
        Kind.CONVOLVE: window | follow | set(convolve_fields(spec)),
        Kind.COLLECT: window | follow | set(collect_fields(spec)),
        Kind.ADAPT: adapts,
        Kind.SCALE: adapts,
        Kind.FINISH: set(finish_fields(spec)),
        Kind.LOAD: set(load_fields(spec)),
        Kind.NOTHING: set(),
    }


def list_fields(compiled: Compiled) -> Mapping[bool, list[dict[str, int]]]:
    """List the fields of the instructions of both programs, the arrays' under True; where they jump to is left out."""
    return {
        arrays: [dict(each.fields) for each in (program.first, *program.loop)]
        for arrays, program in zip((True, False), compiled.programs, strict=True)
    }


def find_program_places(
    spec: EngineSpec, layout: data.StructLayout, program: list[dict[str, int]], start: int
) -> tuple[int, ...]:
    """Find the places of the bits of a program. start: of its loop, to which it jumps."""
    control = set(array_control_fields(spec) | value_control_fields(spec))
    always = control - {"next"} | {"writes_results"}  # for which an instruction might wait
    kinds = list_needs(spec)
    needs = [always | kinds[Kind(fields["kind"])] | ({"next"} if "jumps" in fields else set()) for fields in program]
    jumping = [fields | ({"next": start} if "jumps" in fields else {}) for fields in program]
    return find_places(layout, jumping, needs)


def find_best_radix(graph: Graph, spec: EngineSpec) -> int:
    """Find the bits of wide weights' digits with which the arrays work for the fewest cycles; 0: as for any network."""
    cycles = {}
    for bits in (0, *range(1, spec.mac.activation_bits + 1)):  # 0 wins a draw
        with suppress(InputError):  # a radix with which it takes too many passes
            cycles[bits] = count_arrays_cycles(graph, replace(spec, radix_bits=bits))
    return min(cycles, key=lambda bits: cycles[bits], default=0)


def specialise(graph: Graph, spec: EngineSpec) -> Compiled:
    """A network compiled for an engine that stores only the bits in which the network's instructions differ.

    Raises InputError as `compile_graph` does.
    """
    roomy = replace(spec, depths=replace(spec.depths, program=ENDLESS))  # whole instructions take more words
    roomy = replace(roomy, radix_bits=find_best_radix(graph, roomy))
    compiled = compile_graph(graph, roomy)
    spec = replace(spec, radix_bits=roomy.radix_bits)
    programs = list_fields(compiled)
    array, value = array_layout(spec), value_layout(spec)
    # A loop begins behind one instruction, which is as long as other places than those of `next` make it.
    first = replace(spec, stored_array=find_program_places(spec, array, programs[True], 0))
    first = replace(first, stored_value=find_program_places(spec, value, programs[False], 0))
    starts = [program_words(first, layout) + 1 for layout in (array, value)]
    spec = replace(spec, stored_array=find_program_places(spec, array, programs[True], starts[0]))
    spec = replace(spec, stored_value=find_program_places(spec, value, programs[False], starts[1]))
    return compile_graph(graph, spec, compiled.order)
