"""The engine: memories, lanes, what follows them, and the sequencer that runs a program for every image."""

from collections.abc import Mapping

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.asq.adapter import Network
from hw.asq.layouts import index_shape
from hw.engine.arrays import Arrays, modules_of
from hw.engine.collector import Collector, values_layout
from hw.engine.engine_spec import EngineSpec
from hw.engine.finisher import Finisher, scales_layout, totals_layout
from hw.engine.image import Image
from hw.engine.loader import Loader, image_layout
from hw.engine.program import (
    ARRAY_KINDS,
    VALUE_KINDS,
    Kind,
    adapt_fields,
    array_layout,
    collect_fields,
    convolve_fields,
    finish_fields,
    follow_fields,
    load_fields,
    value_layout,
    window_fields,
)
from hw.engine.quantiser import Quantiser
from hw.engine.results import Results, result_layout
from hw.engine.row_writer import RowWriter, Section, row_layout, serve, sizes_of
from hw.engine.scaler import Scaler
from hw.engine.sequencer import Sequencer, instruction_count, start_signals
from hw.engine.step_unit import StepUnit

PROGRAMS = {"array": array_layout, "value": value_layout}


def event_layout() -> data.StructLayout:
    """An instruction is done: which kind."""
    return data.StructLayout({"done": 1, "kind": 3})


def written_layout(spec: EngineSpec, bits: int) -> data.StructLayout:
    """A word that is made: whether there is one, whether it is stored, where, and what it is."""
    place = max(spec.depths.codes, spec.depths.values, spec.depths.results)
    return data.StructLayout({"valid": 1, "stored": 1, "address": index_shape(place), "word": unsigned(bits)})


def count_layout(spec: EngineSpec) -> data.StructLayout:
    """The number of the instruction at hand, whether it waits, and whether it is left out now, for each program."""
    counts = {name: instruction_count(spec, layout(spec)) for name, layout in PROGRAMS.items()}
    fields = {
        name: data.StructLayout({"number": range(count), "waits": 1, "skipped": 1}) for name, count in counts.items()
    }
    return data.StructLayout(fields)


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
        self.feed_finisher(m, arrays, others, through, collector, products, finisher, loader)
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
            m.d.comb += [
                adaptation.adds.eq(finisher.done & follow.adds_channels),
                adaptation.adds_bank.eq(Mux(through, value.bank, array.bank)),
                adaptation.target.eq(finisher.target),
                adaptation.values.eq(finisher.values),
                adaptation.map_pixels.eq(follow.map_pixels),
                adaptation.adapt.eq(self.part(m, value, adapt_fields(spec), "adapt")),
                adaptation.bank.eq(value.bank),
                adaptation.start.eq(starts[Kind.ADAPT]),
                scaler.first.eq(value.first_multiplier),
                scaler.last.eq(value.last_multiplier),
                scaler.constants.eq(value.scales),
                scaler.shift.eq(value.scale_shift),
                scaler.step.eq(step),
                scaler.start.eq(starts[Kind.SCALE]),
            ]
        m.d.comb += [
            quantiser.step.eq(Mux(quantiser.follow.adapted, step, quantiser.follow.step)),
            others.busy.eq(Cat((value.kind == kind) & flag for kind, flag in busy.items()).any()),
        ]
        self.constants(m, finisher, through, collector, products, follow, scaler)
        self.coordinate(m, arrays, others, starts, loader, results.busy)
        if self.observed:
            self.observe(m, finisher, quantiser, follow)
        if self.writer is not None:
            m.d.comb += self.writer.row.eq(self.rows)
        if self.counted:
            for name, sequencer in (("array", arrays), ("value", others)):
                count = self.counts[name]
                m.d.comb += [count[field].eq(getattr(sequencer, field)) for field in ("number", "waits", "skipped")]
        return m

    def modules(self) -> dict[str, wiring.Component]:
        """What the engine has many of, by the name of the module that it is."""
        return modules_of(self.spec, self.radix_bits)

    def network(self) -> Network:
        """The adapter's memories."""
        depths = {"weights": self.spec.depths.neuron_weights, "units": self.spec.depths.neurons}
        return Network(depths, self.image.neurons, self.serve_neurons if self.writer is not None else None)

    def coordinate(
        self,
        m: Module,
        arrays: Sequencer,
        others: Sequencer,
        starts: Mapping[Kind, Signal],
        loader: Loader,
        results_busy: Value,
    ) -> None:
        """What the programs wait for, and which images are there.

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
            self.error.eq(arrays.error | others.error),
        ]
        for event, sequencer in ((self.array, arrays), (self.value, others)):
            m.d.comb += [event.done.eq(sequencer.done), event.kind.eq(sequencer.instruction.kind)]

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

    def feed_finisher(
        self,
        m: Module,
        arrays: Sequencer,
        others: Sequencer,
        through: Signal,
        collector: Collector,
        products: Arrays,
        finisher: Finisher,
        loader: Loader,
    ) -> None:
        """The memories of values and of the input, and what the finisher takes: sums, or what was collected."""
        spec, follow = self.spec, finisher.follow
        m.submodules.input = given = Memory(shape=image_layout(spec), depth=max(spec.depths.inputs, 2), init=[])
        load, taken = given.write_port(), given.read_port()
        from_values = Mux(collector.takes_side, collector.side_address, collector.address)
        array, value = arrays.instruction, others.instruction
        reads = []
        for bank in range(spec.banks):
            values = Memory(shape=values_layout(spec), depth=max(spec.depths.values, 2), init=[])
            m.submodules[f"values_{bank}"] = values
            into, out = values.write_port(), values.read_port()
            written = Mux(through, value.bank, array.bank) == bank
            drains = arrays.at_work & (array.kind == Kind.CONVOLVE) & array.has_side & (array.bank == bank)
            m.d.comb += [
                into.en.eq(finisher.done & follow.writes_values & written),
                into.addr.eq(finisher.target.value),
                *(v.eq(y) for v, y in zip(into.data, finisher.values, strict=True)),
                out.addr.eq(Mux(drains, products.item.target.side, from_values)),
            ]
            reads.append(out.data)
        side, read = (Signal(values_layout(spec), name=name) for name in ("side", "read"))
        collected_side = Signal(values_layout(spec))
        m.d.sync += collected_side.eq(collector.side)
        m.d.comb += [
            side.eq(Mux(array.bank, reads[-1], reads[0])),
            read.eq(Mux(value.bank, reads[-1], reads[0])),
            load.en.eq(loader.write),
            load.addr.eq(loader.address),
            load.data.eq(loader.word),
            taken.addr.eq(collector.address >> spec.beats.bit_length() - 1),
            collector.read.eq(
                Mux(value.from_input, self.image_word(m, taken.data, collector.address), read.as_value())
            ),
            finisher.valid.eq(Mux(through, collector.valid, products.valid)),
            finisher.item.eq(Mux(through, collector.item, products.item)),
            finisher.side.eq(Mux(through, collected_side, side)),
        ]

    def image_word(self, m: Module, word: data.View, address: Value) -> Value:
        """The values of an image's word that an address names, a cycle after it."""
        beats = self.spec.beats
        beat = Signal(range(max(beats, 2)))
        m.d.sync += beat.eq(address % beats)
        return word.as_value().word_select(beat, self.spec.lanes * self.spec.value_bits)

    def constants(
        self,
        m: Module,
        finisher: Finisher,
        through: Signal,
        collector: Collector,
        products: Arrays,
        follow: data.View,
        scaler: Scaler | None,
    ) -> None:
        """The memories of scales and biases: a row for each group of channels of a layer."""
        spec = self.spec
        depth = max(spec.depths.constants, 2)
        every = depth * spec.banks  # each image has scales of its own
        m.submodules.scales = scales = Memory(shape=scales_layout(spec), depth=every, init=self.image.scales)
        m.submodules.biases = biases = Memory(shape=totals_layout(spec), depth=depth, init=self.image.biases)
        serve(m, self.writer, Section.BIASES, biases)
        scale_out, bias_out = scales.read_port(), biases.read_port()
        row = Mux(through, collector.item.target.word, products.item.target.word)
        m.d.comb += [
            scale_out.addr.eq(follow.scales + row),
            bias_out.addr.eq(follow.biases + row),
            finisher.scales.eq(scale_out.data),
            finisher.biases.eq(bias_out.data),
        ]
        if scaler is None:
            serve(m, self.writer, Section.SCALES, scales)
            return
        into = scales.write_port(granularity=1)
        m.d.comb += [
            into.en.eq(Mux(scaler.write, 1 << scaler.lane, 0)),
            into.addr.eq(scaler.address),
            *(word.eq(scaler.scale) for word in into.data),
        ]
        if self.writer is not None and Section.SCALES in self.writer.sizes:
            with m.If(self.writer.chosen(Section.SCALES)):
                m.d.comb += [into.en.eq(~0), into.addr.eq(self.writer.row.address)]
                m.d.comb += into.data.as_value().eq(self.writer.contents(Section.SCALES))
