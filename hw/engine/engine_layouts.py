"""What an engine shows of its programs and of the words that it makes."""

from amaranth.hdl import unsigned
from amaranth.lib import data

from hw.asq.layouts import index_shape
from hw.engine.engine_spec import EngineSpec
from hw.engine.program import array_layout, value_layout
from hw.engine.sequencer import count_instructions

PROGRAMS = {"array": array_layout, "value": value_layout}


def event_layout() -> data.StructLayout:
    """Whether an instruction is done in this cycle, and which kind it is."""
    return data.StructLayout({"done": 1, "kind": 3})


def written_layout(spec: EngineSpec, bits: int) -> data.StructLayout:
    """A word that is made, of so many bits: whether there is one, whether it is stored, its address, its contents."""
    place = max(spec.depths.codes, spec.depths.values, spec.depths.results)
    return data.StructLayout({"valid": 1, "stored": 1, "address": index_shape(place), "word": unsigned(bits)})


def count_layout(spec: EngineSpec) -> data.StructLayout:
    """What is counted of instructions in a cycle, for each program.

    number: of the instruction that leaves. begins_to_leave: that one is new in this cycle. waits, starts, skipped: what
    the next instruction does.
    """
    counts = {name: count_instructions(spec, layout(spec)) for name, layout in PROGRAMS.items()}
    flags = {"begins_to_leave": 1, "waits": 1, "starts": 1, "skipped": 1}
    fields = {name: data.StructLayout({"number": range(count)} | flags) for name, count in counts.items()}
    return data.StructLayout(fields)
