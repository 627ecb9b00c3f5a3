"""The sequencer: starts the instructions of one program, one after the other."""

from collections.abc import Mapping, Sequence

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.engine.engine_spec import EngineSpec
from hw.engine.fetcher import Fetcher, instruction_of
from hw.engine.instruction_fields import AFTER_BITS
from hw.engine.program import Kind, program_words
from hw.engine.row_writer import RowWriter


class Sequencer(wiring.Component):
    """Runs one of an engine's two programs; if the engine `reads_ahead`, the next instruction is fetched meanwhile.

        LOAD ─► START ──────► WORK ──all idle──► LOAD
          ▲       │ waits for the other program, for the image, or for room for results
          └───────┘ an instruction for an image that is not there

    What an instruction has made is written when `flush` more cycles are over: then it is done. If `overlaps`, as the
    arrays' do, the next one is loaded before that, and starts at most `early` cycles before the end. Those of values
    say when the other program need not wait for them any more (`released`).

        instruction   START  WORK …        │ START  WORK …
        leaving              work ……… flush│ed     work ………
                                     └early┘

    Members
    -------
    instruction : Out(its layout)
        Constant from START to the end of WORK; if not `overlaps`, until it is done.
    ready : In(1)
        What the instruction in START waits for is there, but for the other program.
    skips : In(1)
        The instruction in START is not for any image that is there. skipped : Out(1): it is left out in this cycle.
    ends : Out(1), other_ends : In(1)
        An instruction is done, released or left out; one of the other program is.
    starts : Out(1), with the instruction's kind. busy : In(1)
    done : Out(1)
    leaving : Out(its layout)
        The instruction that is done next, or was last. begins_to_leave : Out(1): it is new in this cycle.
    at_work : Out(1)
        `leaving` is not done.
    error : Out(1)
    number : Out, waits : Out(1)
        Only if `counted`: which of its program's instructions is leaving; the one in START waits.
    """

    def __init__(
        self,
        spec: EngineSpec,
        layout: data.StructLayout,
        kinds: Sequence[Kind],
        words: Sequence[int],
        writer: RowWriter | None = None,
        counted: bool = False,
        overlaps: bool = False,
    ):
        self.spec, self.layout, self.kinds = spec, layout, kinds
        self.counted, self.overlaps = counted, overlaps
        self.fetcher = Fetcher(spec, layout, kinds, words, writer)
        count = {"number": Out(range(count_instructions(spec, layout))), "waits": Out(1)} if counted else {}
        super().__init__(
            {
                "instruction": Out(layout),
                "ready": In(1),
                "skips": In(1),
                "skipped": Out(1),
                "ends": Out(1),
                "other_ends": In(1),
                "starts": Out(1),
                "busy": In(1),
                "done": Out(1),
                "leaving": Out(layout),
                "begins_to_leave": Out(1),
                "at_work": Out(1),
                "error": Out(1),
            }
            | count
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.fetcher = fetcher = self.fetcher
        ahead = self.spec.reads_ahead
        stored = Signal.like(fetcher.stored) if ahead else fetcher.stored
        flush, flushing = Signal.like(self.instruction.flush), Signal()
        rests = Signal()  # nothing leaves from the next cycle on
        lead = Signal(signed(AFTER_BITS + 2))  # instructions of the other program that none has waited for yet
        left = Signal.like(lead)
        begins = self.starts | self.skipped
        m.d.comb += [
            self.instruction.eq(instruction_of(self.spec, self.layout, stored)),
            left.eq(lead - self.instruction.after),
            self.done.eq(flushing & ~flush.any()),
            self.ends.eq(self.skipped | self.release(m)),
            rests.eq(~flushing | self.done),
            self.error.eq(fetcher.error),
        ]
        m.d.sync += lead.eq(Mux(begins, left, lead) + self.other_ends)
        with m.If(self.done):
            m.d.sync += flushing.eq(0)
        with m.Elif(flushing):
            m.d.sync += flush.eq(flush - 1)
        with m.FSM():
            with m.State("LOAD"):
                if ahead:
                    m.d.comb += fetcher.take.eq(fetcher.full & (1 if self.overlaps else rests))
                    m.d.sync += stored.eq(Mux(fetcher.take, fetcher.stored, stored))
                with m.If(fetcher.take if ahead else fetcher.full & ~flushing):
                    m.next = "START"
            with m.State("START"):
                self.start(m, left, flush, flushing)
                if self.counted:
                    m.d.comb += self.waits.eq(~begins)
            with m.State("WORK"), m.If(~self.busy & rests):
                m.d.sync += [flush.eq(self.instruction.flush), flushing.eq(1)]
                m.next = "LOAD"
        if not ahead:
            m.d.comb += fetcher.take.eq(self.done | self.skipped)
        follows = self.leave(m, stored, rests)
        if self.counted:
            self.count(m, follows)
        return m

    def start(self, m: Module, left: Signal, flush: Signal, flushing: Signal) -> None:
        """Start the instruction, or leave it out, when all that it waits for is there.

        left: below zero while the other program has not done what the instruction comes after. flush: cycles until the
        instruction before is done, while it is `flushing`.
        """
        with m.If(left >= 0):
            with m.If(self.skips):
                with m.If(~flushing):  # the next one may start early after its neighbour only
                    m.d.comb += self.skipped.eq(1)
                    m.next = "LOAD"
            with m.Elif(self.ready & (flush <= (self.instruction.early if self.overlaps else 0))):
                m.d.comb += self.starts.eq(1)
                m.next = "WORK"

    def release(self, m: Module) -> Value:
        """Whether the other program need not wait any more for the instruction at hand, from the next cycle on."""
        if self.overlaps or not self.spec.reads_ahead:
            return self.done
        released = self.instruction.released
        left = Signal.like(released)
        with m.If(self.starts):
            m.d.sync += left.eq(released)
        with m.Elif(left.any()):
            m.d.sync += left.eq(left - 1)
        return Mux(released.any(), left == 1, self.done)

    def leave(self, m: Module, stored: Signal, rests: Signal) -> Value:
        """Say which instruction's results leave; returns whether it is another one in the next cycle."""
        waiting, follows = Signal(), Signal()  # one has started that does not leave yet
        m.d.comb += follows.eq((self.starts | waiting) & rests)
        m.d.sync += [waiting.eq((self.starts | waiting) & ~rests), self.begins_to_leave.eq(follows)]
        with m.If(follows):
            m.d.sync += self.at_work.eq(1)
        with m.Elif(self.done):
            m.d.sync += self.at_work.eq(0)
        if self.overlaps:
            kept = Signal.like(stored)
            with m.If(follows):
                m.d.sync += kept.eq(stored)
            m.d.comb += self.leaving.eq(instruction_of(self.spec, self.layout, kept))
        else:
            m.d.comb += self.leaving.eq(self.instruction)
        return follows

    def count(self, m: Module, follows: Value) -> None:
        """Number the instructions. A program jumps to its second one. follows: another one leaves in the next cycle."""
        taken, loaded = Signal.like(self.number), Signal.like(self.number)  # the next to be loaded; the one at hand
        instruction = self.fetcher.instruction
        with m.If(self.fetcher.take):
            m.d.sync += [loaded.eq(taken), taken.eq(Mux(instruction.jumps, instruction.next.any(), taken + 1))]
        with m.If(follows):
            m.d.sync += self.number.eq(loaded)


def count_instructions(spec: EngineSpec, layout: data.StructLayout) -> int:
    """Count the instructions that fit into the memory of a program."""
    return max(spec.depths.program // (program_words(spec, layout) + 1), 2)


def make_start_signals(m: Module, sequencer: Sequencer) -> Mapping[Kind, Signal]:
    """Make a signal for each kind of instruction that a sequencer starts."""
    starts = {kind: Signal(name=f"start_{kind.name.lower()}") for kind in sequencer.kinds}
    kind = sequencer.instruction.kind
    m.d.comb += [start.eq(sequencer.starts & (kind == which)) for which, start in starts.items()]
    return starts
