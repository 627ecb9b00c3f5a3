"""What the two programs of an engine wait for, beside each other's instructions."""

from amaranth.hdl import Module, Mux, Signal, Value

from hw.engine.engine_parts import Control
from hw.engine.loader import Loader
from hw.engine.program import Kind


def coordinate(m: Module, control: Control, loader: Loader, results_busy: Value) -> None:
    """Connect the two programs: what they wait for, and which images are there for them.

    A program that may begin with an image waits for it if nothing else is under way, or if it has begun to come in.
    """
    array_sequencer, value_sequencer = control.array_sequencer, control.value_sequencer
    array, value, starts = control.array, control.value, control.starts
    begins = (value.kind == Kind.COLLECT) & value.begins
    arrives = Signal(2)  # whether there is an image, by its bank, as an instruction that begins has found
    there = {name: Signal(2, name=f"{name}_there") for name in ("array", "value")}  # as far as a program has come
    with m.If(begins & (starts[Kind.COLLECT] | value_sequencer.skipped)):
        m.d.sync += arrives.bit_select(value.bank, 1).eq(starts[Kind.COLLECT])
    is_there = {}
    for name, sequencer in (("array", array_sequencer), ("value", value_sequencer)):
        instruction = sequencer.instruction
        own, last = (bits.bit_select(instruction.bank, 1) for bits in (there[name], arrives))
        is_there[name] = Mux(instruction.enters | (instruction.kind == Kind.LOAD), last, own)
        with m.If(instruction.enters & (sequencer.starts | sequencer.skipped)):
            m.d.sync += own.eq(last)
    m.d.comb += [
        array_sequencer.other_ends.eq(value_sequencer.ends),
        value_sequencer.other_ends.eq(array_sequencer.ends),
        array_sequencer.ready.eq(~((array.kind == Kind.FINISH) | array.writes_results) | ~results_busy),
        array_sequencer.skips.eq(~is_there["array"] & (array.kind != Kind.NOTHING)),
        value_sequencer.ready.eq(~(begins & ~loader.full | value.writes_results & results_busy)),
        value_sequencer.skips.eq(Mux(begins, ~loader.begun & arrives.any(), ~is_there["value"] & ~value.begins)),
    ]
