"""What the two programs of an engine wait for, beside each other's instructions."""

from collections.abc import Mapping

from amaranth.hdl import Module, Mux, Signal, Value

from hw.engine.loader import Loader
from hw.engine.program import Kind
from hw.engine.sequencer import Sequencer


def coordinate(
    m: Module,
    arrays: Sequencer,
    others: Sequencer,
    starts: Mapping[Kind, Signal],
    loader: Loader,
    results_busy: Value,
) -> None:
    """Connect the two programs: what they wait for, and which images are there for them.

    A program that may begin with an image waits for it if nothing else is under way, or if it has begun to come in.
    """
    array, value = arrays.instruction, others.instruction
    begins = (value.kind == Kind.COLLECT) & value.begins
    arrives = Signal(2)  # whether there is an image, by its bank, as an instruction that begins has found
    there = {name: Signal(2, name=f"{name}_there") for name in ("array", "value")}  # as far as a program has come
    with m.If(begins & (starts[Kind.COLLECT] | others.skipped)):
        m.d.sync += arrives.bit_select(value.bank, 1).eq(starts[Kind.COLLECT])
    is_there = {}
    for name, sequencer in (("array", arrays), ("value", others)):
        instruction = sequencer.instruction
        own, last = (bits.bit_select(instruction.bank, 1) for bits in (there[name], arrives))
        is_there[name] = Mux(instruction.enters | (instruction.kind == Kind.LOAD), last, own)
        with m.If(instruction.enters & (sequencer.starts | sequencer.skipped)):
            m.d.sync += own.eq(last)
    m.d.comb += [
        arrays.other_ends.eq(others.ends),
        others.other_ends.eq(arrays.ends),
        arrays.ready.eq(~((array.kind == Kind.FINISH) | array.writes_results) | ~results_busy),
        arrays.skips.eq(~is_there["array"] & (array.kind != Kind.NOTHING)),
        others.ready.eq(~(begins & ~loader.full | value.writes_results & results_busy)),
        others.skips.eq(Mux(begins, ~loader.begun & arrives.any(), ~is_there["value"] & ~value.begins)),
    ]
