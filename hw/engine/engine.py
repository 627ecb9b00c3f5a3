"""The engine: memories, lanes, what follows them, and the sequencer that runs a program for every image."""

from collections.abc import Mapping

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.asq.adapter import Network
from hw.engine.arrays import Arrays, modules_of
from hw.engine.collector import Collector
from hw.engine.coordinate import coordinate
from hw.engine.engine_layouts import PROGRAMS, count_layout, event_layout, written_layout
from hw.engine.engine_spec import EngineSpec
from hw.engine.finisher import Finisher, totals_layout
from hw.engine.finisher_memories import add_constants, feed_finisher
from hw.engine.image import Image
from hw.engine.loader import Loader
from hw.engine.program import (
    ARRAY_KINDS,
    VALUE_KINDS,
    Kind,
    adapt_fields,
    collect_fields,
    convolve_fields,
    finish_fields,
    follow_fields,
    load_fields,
    window_fields,
)
from hw.engine.quantiser import Quantiser
from hw.engine.results import Results, result_layout
from hw.engine.row_writer import RowWriter, Section, row_layout, serve, sizes_of
from hw.engine.scaler import Scaler
from hw.engine.sequencer import Sequencer, start_signals
from hw.engine.step_unit import StepUnit


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
        sizes = sizes_of(spec, len(image.tables))
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
        spec = self.spec
        programs = self.image.array_program, self.image.value_program
        arrays, others = (
            Sequencer(spec, layout(spec), kinds, words, self.writer, self.counted)
            for layout, kinds, words in zip(PROGRAMS.values(), (ARRAY_KINDS, VALUE_KINDS), programs, strict=True)
        )
        m.submodules.arrays, m.submodules.others = arrays, others
        starts = {**start_signals(m, others), **start_signals(m, arrays)}
        array, value = arrays.instruction, others.instruction
        through = Signal()  # values that are collected go through the finisher: the arrays rest
        m.d.comb += through.eq(others.at_work & (value.kind == Kind.COLLECT) & value.finishes)
        summed = self.part(m, array, follow_fields(spec), "summed")
        follow = Signal.like(summed)  # of what is finished
        collected = self.part(m, value, follow_fields(spec), "collected")
        m.d.comb += follow.eq(Mux(through, collected, summed))
        collecting = Signal()  # codes are made of what is collected
        m.d.comb += collecting.eq(others.at_work & (value.kind == Kind.COLLECT))

        m.submodules.loader = loader = Loader(spec, list(self.image.tables), self.writer)
        m.submodules.products = products = Arrays(spec, self.radix_bits, self.image.weights, self.writer, self.spram)
        m.submodules.collector = collector = Collector(spec)
        m.submodules.finisher = finisher = Finisher(spec)
        m.submodules.quantiser = quantiser = Quantiser(spec, self.piece_bits)
        m.submodules.results = results = Results(spec)
        wiring.connect(m, wiring.flipped(self.i), loader.i)
        wiring.connect(m, results.o, wiring.flipped(self.o))
        m.d.comb += [
            loader.load.eq(self.part(m, value, load_fields(spec), "load")),
            loader.start.eq(starts[Kind.LOAD]),
            self.takes_last.eq(loader.takes_last),
            products.window.eq(self.part(m, array, window_fields(spec), "array_window")),
            products.layer.eq(self.part(m, array, convolve_fields(spec), "layer")),
            products.follow.eq(summed),
            products.start.eq(starts[Kind.CONVOLVE]),
            products.write.eq(quantiser.write),
            products.code_address.eq(quantiser.code_address),
            products.codes.eq(quantiser.codes),
            collector.window.eq(self.part(m, value, window_fields(spec), "value_window")),
            collector.follow.eq(collected),
            collector.collect.eq(self.part(m, value, collect_fields(spec), "collect")),
            collector.last_word.eq(value.last_place_word),
            collector.start.eq(starts[Kind.COLLECT]),
            finisher.follow.eq(follow),
            quantiser.follow.eq(Mux(collecting, collected, summed)),
            results.finish.eq(self.part(m, array, finish_fields(spec), "finish")),
            results.start.eq(starts[Kind.FINISH]),
        ]
        feed_finisher(m, spec, arrays, others, through, collector, products, finisher, loader)
        self.quantise(m, collecting, through, collector, finisher, quantiser, follow)
        m.d.comb += [
            results.write.eq(finisher.done & follow.writes_results),
            results.address.eq(finisher.target.result),
            results.word.eq(finisher.results),
            arrays.busy.eq((array.kind == Kind.CONVOLVE) & products.busy),
        ]
        step: Value = Const(0, spec.step_bits)  # of the last ADAPT
        busy: dict[Kind, Value] = {Kind.COLLECT: collector.busy}
        scaler = None
        if spec.adapter:
            m.submodules.adaptation = adaptation = StepUnit(spec, self.network())
            m.submodules.scaler = scaler = Scaler(spec, list(self.image.multipliers), self.writer)
            step = adaptation.step
            busy |= {Kind.ADAPT: adaptation.busy, Kind.SCALE: scaler.busy}
            self.adapt(m, value, starts, finisher, adaptation, scaler)
            m.d.comb += adaptation.adds_bank.eq(Mux(through, value.bank, array.bank))
        m.d.comb += [
            quantiser.step.eq(Mux(quantiser.follow.adapted, step, quantiser.follow.step)),
            others.busy.eq(Cat((value.kind == kind) & flag for kind, flag in busy.items()).any()),
        ]
        add_constants(m, spec, self.image, self.writer, finisher, through, collector, products, scaler)
        coordinate(m, arrays, others, starts, loader, results.busy)
        m.d.comb += self.error.eq(arrays.error | others.error)
        for event, sequencer in ((self.array, arrays), (self.value, others)):
            m.d.comb += [event.done.eq(sequencer.done), event.kind.eq(sequencer.instruction.kind)]
        if self.observed:
            self.observe(m, finisher, quantiser, follow)
        if self.writer is not None:
            m.d.comb += self.writer.row.eq(self.rows)
        if self.counted:
            for name, sequencer in (("array", arrays), ("value", others)):
                count = self.counts[name]
                m.d.comb += [count[field].eq(getattr(sequencer, field)) for field in ("number", "waits", "skipped")]
        return m

    def adapt(
        self,
        m: Module,
        value: data.View,
        starts: Mapping[Kind, Signal],
        finisher: Finisher,
        adaptation: StepUnit,
        scaler: Scaler,
    ) -> None:
        """Connect what makes a layer's step of its map's sums, and its scales of the step."""
        follow = finisher.follow
        m.d.comb += [
            adaptation.adds.eq(finisher.done & follow.adds_channels),
            adaptation.target.eq(finisher.target),
            adaptation.values.eq(finisher.values),
            adaptation.map_pixels.eq(follow.map_pixels),
            adaptation.adapt.eq(self.part(m, value, adapt_fields(self.spec), "adapt")),
            adaptation.bank.eq(value.bank),
            adaptation.start.eq(starts[Kind.ADAPT]),
            scaler.first.eq(value.first_multiplier),
            scaler.last.eq(value.last_multiplier),
            scaler.constants.eq(value.scales),
            scaler.shift.eq(value.scale_shift),
            scaler.step.eq(adaptation.step),
            scaler.start.eq(starts[Kind.SCALE]),
        ]

    def modules(self) -> dict[str, wiring.Component]:
        """What the engine has many of, by the name of the module that it is."""
        return modules_of(self.spec, self.radix_bits)

    def network(self) -> Network:
        """The adapter's memories."""
        depths = {"weights": self.spec.depths.neuron_weights, "units": self.spec.depths.neurons}
        return Network(depths, self.image.neurons, self.serve_neurons if self.writer is not None else None)

    def observe(self, m: Module, finisher: Finisher, quantiser: Quantiser, follow: data.View) -> None:
        """Show test benches each word that is made."""
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

    def quantise(
        self,
        m: Module,
        collecting: Signal,
        through: Signal,
        collector: Collector,
        finisher: Finisher,
        quantiser: Quantiser,
        follow: data.View,
    ) -> None:
        """What is quantised: what the collector has read, or what comes out of the finisher."""
        direct = Signal()
        m.d.comb += [
            direct.eq(collecting & ~through),
            # Sums of which no codes are made may be under way when the collector begins.
            quantiser.valid.eq(Mux(direct, collector.valid, finisher.done & follow.writes_codes)),
            quantiser.address.eq(Mux(direct, collector.item.target.code, finisher.target.code)),
            quantiser.beat.eq(Mux(direct, collector.item.target.word, finisher.target.word)),
            *(
                value.eq(Mux(direct, read, finished))
                for value, read, finished in zip(
                    quantiser.values, collector.item.operands, finisher.values, strict=True
                )
            ),
        ]

    def serve_neurons(self, m: Module, name: str, memory: Memory) -> None:
        """Add a write port to one of the adapter's memories."""
        serve(m, self.writer, {"weights": Section.NEURON_WEIGHTS, "units": Section.NEURONS}[name], memory)

    def part(self, m: Module, instruction: data.View, fields: dict, name: str) -> data.View:
        """Some fields of the instruction."""
        view = Signal(data.StructLayout(fields), name=name)
        m.d.comb += [view[field].eq(instruction[field]) for field in fields]
        return view
