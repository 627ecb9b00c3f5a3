"""The engine: memories, lanes, what follows them, and the sequencer that runs a program for every image."""

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.engine.adaptation import add_adaptation
from hw.engine.arrays import modules_of
from hw.engine.coordinate import coordinate
from hw.engine.engine_layouts import count_layout, event_layout, written_layout
from hw.engine.engine_parts import Control, EngineParts, add_control, add_parts, select_fields
from hw.engine.engine_spec import EngineSpec
from hw.engine.finisher import totals_layout
from hw.engine.finisher_memories import add_constants, feed_finisher
from hw.engine.image import Image
from hw.engine.instruction_fields import (
    collect_fields,
    convolve_fields,
    finish_fields,
    load_fields,
    window_fields,
)
from hw.engine.program import Kind
from hw.engine.results import result_layout
from hw.engine.row_writer import RowWriter, Section, find_sizes, row_layout


class Engine(wiring.Component):
    """Runs a network for every image that comes in, and puts out its results.

        image ─► Loader ─► input ──┐
                                   ├─► Collector ─┐
                    ┌─► values ────┘              ├─► Finisher ─┬─► values, results, channel sums ─► Adapter, Scaler
        weights ─┐  │                             │             └─► Quantiser ─► codes, a copy a lane ─┐
                 ├─► lanes ─────────────► Drain ──┘                                                    │
                 └───▲─────────────────────────────────────────────────────────────────────────────────┘

    Everything between two memories is a pipeline that never waits: a program's cycles are known before it runs
    (`hw.engine.compiler.cycles`). Two programs run at the same time, on two images if steps adapt: each has a bank of
    its own of values and of channel sums.

    Members
    -------
    i : In(stream of bytes, or of values)
        Images, pixel by pixel. takes_last : Out(1): the value that is taken next is an image's last.
    o : Out(stream of `result_layout`)
    array, value : Out(`event_layout`)
        What each program has just done.
    error : Out(1)
        A program is damaged: the engine has stopped, and puts out nothing more.
    values, codes : Out(`written_layout`)
        Only if `observed`: each word of values and of codes as it is made, for test benches.
    rows : In(`row_layout`)
        Only if `loaded` or `spram`: rows of a network's memories to be written, while the engine is in reset. `spram`:
        weights are in SPRAM, which holds nothing at first, and nothing else is loaded.
    counts : Out(`count_layout`)
        Only if `counted`: what each program does with the instruction that it has at hand.
    """

    def __init__(
        self,
        spec: EngineSpec,
        image: Image,
        radix_bits: int,
        piece_bits: int,
        observed: bool = False,
        loaded: bool = False,
        counted: bool = False,
        spram: bool = False,
    ):
        self.spec, self.image, self.radix_bits, self.piece_bits = spec, image, radix_bits, piece_bits
        self.observed, self.counted = observed, counted
        self.spram = spram
        sizes = find_sizes(spec, len(image.tables))
        loads = [Section.WEIGHTS] if spram else [*sizes] if loaded else []
        self.writer = RowWriter({section: sizes[section] for section in loads}) if loads else None
        element = unsigned(8) if spec.byte_input else signed(spec.value_bits)
        ports = {
            "i": In(stream.Signature(element)),
            "o": Out(stream.Signature(result_layout(spec))),
            "takes_last": Out(1),
            "array": Out(event_layout()),
            "value": Out(event_layout()),
            "error": Out(1),
        }
        if observed:
            words = {"values": totals_layout(spec).size, "codes": spec.code_word}
            ports |= {name: Out(written_layout(spec, bits)) for name, bits in words.items()}
        if self.writer is not None:
            ports["rows"] = In(row_layout(self.writer.sizes))
        if counted:
            ports["counts"] = Out(count_layout(spec))
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        control = add_control(m, self.spec, self.image, self.writer, self.counted)
        parts = add_parts(m, self.spec, self.image, self.radix_bits, self.piece_bits, self.writer, self.spram)
        self.connect_instructions(m, control, parts)
        feed_finisher(m, self.spec, control, parts)
        self.feed_quantiser(m, control, parts)
        self.keep_results(m, control, parts)
        scaler = add_adaptation(m, self.spec, self.image, self.writer, control, parts)
        add_constants(m, self.spec, self.image, self.writer, control, parts, scaler)
        coordinate(m, control, parts.loader, parts.results.busy)
        self.show_programs(m, control)
        if self.observed:
            self.show_words(m, control.follow, parts)
        if self.writer is not None:
            m.d.comb += self.writer.row.eq(self.rows)
        if self.counted:
            self.show_counts(m, control)
        return m

    def connect_instructions(self, m: Module, control: Control, parts: EngineParts) -> None:
        """Give each part its fields of an instruction, and start it with the instruction; connect the streams."""
        spec, array, value, starts = self.spec, control.array, control.value, control.starts
        loader, products, collector, results = parts.loader, parts.products, parts.collector, parts.results
        wiring.connect(m, wiring.flipped(self.i), loader.i)
        wiring.connect(m, results.o, wiring.flipped(self.o))
        m.d.comb += [
            loader.load.eq(select_fields(m, value, load_fields(spec), "load")),
            loader.start.eq(starts[Kind.LOAD]),
            self.takes_last.eq(loader.takes_last),
            products.window.eq(select_fields(m, array, window_fields(spec), "array_window")),
            products.layer.eq(select_fields(m, array, convolve_fields(spec), "layer")),
            products.follow.eq(control.summed),
            products.pixels.eq(control.leaving.pixels),
            products.last_group.eq(control.leaving.last_group),
            products.begins_to_leave.eq(control.array_sequencer.begins_to_leave),
            products.start.eq(starts[Kind.CONVOLVE]),
            products.write.eq(parts.quantiser.write),
            products.code_address.eq(parts.quantiser.code_address),
            products.codes.eq(parts.quantiser.codes),
            collector.window.eq(select_fields(m, value, window_fields(spec), "value_window")),
            collector.follow.eq(control.collected),
            collector.collect.eq(select_fields(m, value, collect_fields(spec), "collect")),
            collector.last_word.eq(value.last_place_word),
            collector.start.eq(starts[Kind.COLLECT]),
            parts.finisher.follow.eq(control.follow),
            parts.quantiser.follow.eq(Mux(control.collecting, control.collected, control.summed)),
            results.finish.eq(select_fields(m, array, finish_fields(spec), "finish")),
            results.start.eq(starts[Kind.FINISH]),
        ]

    def feed_quantiser(self, m: Module, control: Control, parts: EngineParts) -> None:
        """Quantise what the collector has read, or what comes out of the finisher."""
        collector, finisher, quantiser = parts.collector, parts.finisher, parts.quantiser
        direct = Signal()
        m.d.comb += [
            direct.eq(control.collecting & ~control.through),
            # Sums of which no codes are made may be under way when the collector begins.
            quantiser.valid.eq(Mux(direct, collector.valid, finisher.done & control.follow.writes_codes)),
            quantiser.address.eq(Mux(direct, collector.item.target.code, finisher.target.code)),
            quantiser.beat.eq(Mux(direct, collector.item.target.word, finisher.target.word)),
            *(
                value.eq(Mux(direct, read, finished))
                for value, read, finished in zip(
                    quantiser.values, collector.item.operands, finisher.values, strict=True
                )
            ),
        ]

    def keep_results(self, m: Module, control: Control, parts: EngineParts) -> None:
        """Keep what is finished if it is a result, and say whether the arrays' instruction is still at work."""
        finisher, results = parts.finisher, parts.results
        m.d.comb += [
            results.write.eq(finisher.done & control.follow.writes_results),
            results.address.eq(finisher.target.result),
            results.word.eq(finisher.results),
            control.array_sequencer.busy.eq((control.array.kind == Kind.CONVOLVE) & parts.products.busy),
        ]

    def show_programs(self, m: Module, control: Control) -> None:
        """Show which instruction each program has just done, and whether one of them is damaged."""
        array_sequencer, value_sequencer = control.array_sequencer, control.value_sequencer
        m.d.comb += self.error.eq(array_sequencer.error | value_sequencer.error)
        for event, sequencer in ((self.array, array_sequencer), (self.value, value_sequencer)):
            m.d.comb += [event.done.eq(sequencer.done), event.kind.eq(sequencer.leaving.kind)]

    def show_counts(self, m: Module, control: Control) -> None:
        """Show which instruction each program has at hand, and what it does with it."""
        for name, sequencer in (("array", control.array_sequencer), ("value", control.value_sequencer)):
            count = self.counts[name]
            m.d.comb += [count[field].eq(getattr(sequencer, field)) for field, _ in count.shape()]

    def show_words(self, m: Module, follow: data.View, parts: EngineParts) -> None:
        """Show test benches each word that is made."""
        finisher, quantiser = parts.finisher, parts.quantiser
        extended = Signal(totals_layout(self.spec))
        m.d.comb += [
            *(wide.eq(value) for wide, value in zip(extended, finisher.values, strict=True)),
            self.values.valid.eq(finisher.done),
            self.values.stored.eq(follow.writes_values),
            self.values.address.eq(Mux(follow.writes_values, finisher.target.value, finisher.target.result)),
            self.values.word.eq(Mux(follow.is_wide, finisher.results.as_value(), extended.as_value())),
            self.codes.valid.eq(quantiser.write),
            self.codes.stored.eq(1),
            self.codes.address.eq(quantiser.code_address),
            self.codes.word.eq(quantiser.codes),
        ]

    def modules(self) -> dict[str, wiring.Component]:
        """The modules that the engine has many copies of, by their names."""
        return modules_of(self.spec, self.radix_bits)
