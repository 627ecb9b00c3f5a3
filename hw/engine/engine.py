# amaranth: UnusedElaboratable=no
# A lane is made, too, to know its ports: it is a module of its own (`ModuleInstance`).
"""The engine: memories, lanes, what follows them, and the sequencer that runs a program for every image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.asq.adapter import Adapter, Network
from hw.asq.layouts import index_shape, lanes
from hw.asq.memories import Row
from hw.column import column_of
from hw.engine.collector import Collector, values_layout
from hw.engine.convolver import Convolver
from hw.engine.drain import Drain
from hw.engine.engine_spec import EngineSpec
from hw.engine.finisher import Finisher, scales_layout, totals_layout
from hw.engine.lane import Lane, WeightDecoder
from hw.engine.loader import Loader, image_layout
from hw.engine.module_instance import ModuleInstance
from hw.engine.places import delayed
from hw.engine.program import (
    ARRAY_KINDS,
    VALUE_KINDS,
    Kind,
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
from hw.engine.spram import SpramWeights

PROGRAMS = {"array": array_layout, "value": value_layout}
LANE, COLUMN = "engine_lane", "engine_column"  # modules of their own
CODE_READ = 2  # cycles from a lane's address to its word in the lane's registers


@dataclass(frozen=True)
class Image:
    """What the memories of an engine hold at first: both programs, and what they work on."""

    array_program: Sequence[int]
    value_program: Sequence[int]
    weights: Sequence[int]
    scales: Sequence[Sequence[int]]
    biases: Sequence[Sequence[int]]
    multipliers: Sequence[int]
    neurons: Mapping[str, Sequence[Row]]
    tables: Sequence[int]


def event_layout() -> data.StructLayout:
    """An instruction is done: which kind."""
    return data.StructLayout({"done": 1, "kind": 3})


def written_layout(spec: EngineSpec, bits: int) -> data.StructLayout:
    """A word that is made: whether there is one, whether it is stored, where, and what it is."""
    place = max(spec.depths.codes, spec.depths.values, spec.depths.results)
    return data.StructLayout({"valid": 1, "stored": 1, "address": index_shape(place), "word": unsigned(bits)})


def count_layout(spec: EngineSpec) -> data.StructLayout:
    """Of each program: the number of the instruction that is at hand, whether it waits, whether it is left out now."""
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
        layer = self.part(m, array, convolve_fields(spec), "layer")
        summed = self.part(m, array, follow_fields(spec), "summed")
        follow = Signal.like(summed)  # of what is finished
        collected = self.part(m, value, follow_fields(spec), "collected")
        m.d.comb += follow.eq(Mux(through, collected, summed))
        collecting = Signal()  # codes are made of what is collected
        m.d.comb += collecting.eq(others.at_work & (value.kind == Kind.COLLECT))

        m.submodules.loader = loader = Loader(spec, list(self.image.tables), self.writer)
        m.submodules.convolver = convolver = Convolver(spec)
        m.submodules.drain = drain = Drain(spec)
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
            convolver.window.eq(self.part(m, array, window_fields(spec), "array_window")),
            convolver.layer.eq(layer),
            convolver.start.eq(starts[Kind.CONVOLVE]),
            drain.follow.eq(summed),
            drain.pixels.eq(array.pixels),
            drain.last_group.eq(array.last_group),
            drain.start.eq(starts[Kind.CONVOLVE]),
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
        self.run_lanes(m, convolver, drain, quantiser)
        self.feed_finisher(m, arrays, others, through, collector, drain, finisher, loader)
        self.quantise(m, collecting, through, collector, finisher, quantiser, follow)
        m.d.comb += [
            results.write.eq(finisher.done & follow.writes_results),
            results.address.eq(finisher.target.result),
            results.word.eq(finisher.values),
            arrays.busy.eq((array.kind == Kind.CONVOLVE) & convolver.busy),
        ]
        step = Signal(spec.step_bits)
        m.d.comb += quantiser.step.eq(Mux(quantiser.follow.adapted, step, quantiser.follow.step))
        scaler = None
        adapting: Value = Const(0, 1)
        if spec.adapter:
            m.submodules.scaler = scaler = Scaler(spec, list(self.image.multipliers), self.writer)
            adapting = self.adapt(
                m, value, starts[Kind.ADAPT], step, finisher, follow, Mux(through, value.bank, array.bank)
            )
            m.d.comb += [
                scaler.first.eq(value.first_multiplier),
                scaler.last.eq(value.last_multiplier),
                scaler.constants.eq(value.scales),
                scaler.shift.eq(value.scale_shift),
                scaler.step.eq(step),
                scaler.start.eq(starts[Kind.SCALE]),
            ]
        scaling = scaler.busy if scaler is not None else Const(0, 1)
        busy = {Kind.COLLECT: collector.busy, Kind.ADAPT: adapting, Kind.SCALE: scaling}
        m.d.comb += others.busy.eq(Cat((value.kind == kind) & flag for kind, flag in busy.items()).any())
        self.constants(m, finisher, through, collector, drain, follow, scaler)
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
        there = Signal(2)  # an image is under way, by its bank
        array, value = arrays.instruction, others.instruction
        begins = (value.kind == Kind.COLLECT) & value.begins
        alone = ~there.bit_select(~value.bank, 1).any()
        with m.If(begins & (starts[Kind.COLLECT] | others.skipped)):
            m.d.sync += there.bit_select(value.bank, 1).eq(starts[Kind.COLLECT])
        is_there = {name: there.bit_select(which.bank, 1).any() for name, which in (("array", array), ("value", value))}
        m.d.comb += [
            arrays.met.eq(others.meets),
            others.met.eq(arrays.meets),
            arrays.ready.eq(~((array.kind == Kind.FINISH) | array.writes_results) | ~results_busy),
            arrays.skips.eq(~is_there["array"] & (array.kind != Kind.NOTHING)),
            others.ready.eq(~(begins & ~loader.full | value.writes_results & results_busy)),
            others.skips.eq(
                Mux(begins, ~loader.begun & ~alone, ~is_there["value"] & ~value.begins & (value.kind != Kind.NOTHING))
            ),
            self.error.eq(arrays.error | others.error),
        ]
        for event, sequencer in ((self.array, arrays), (self.value, others)):
            m.d.comb += [event.done.eq(sequencer.done), event.kind.eq(sequencer.instruction.kind)]

    def observe(self, m: Module, finisher: Finisher, quantiser: Quantiser, follow: data.View) -> None:
        """Show test benches each word that is made."""
        m.d.comb += [
            self.values.valid.eq(finisher.done),
            self.values.stored.eq(follow.writes_values),
            self.values.address.eq(Mux(follow.writes_values, finisher.target.value, finisher.target.result)),
            self.values.word.eq(finisher.values),
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

    def run_lanes(self, m: Module, convolver: Convolver, drain: Drain, quantiser: Quantiser) -> None:
        """The memories of weights and codes, and the lanes between them and the drain."""
        spec = self.spec
        m.submodules.decoder = decoder = WeightDecoder(spec)
        m.d.comb += decoder.codes.eq(self.read_weights(m, convolver.weights))
        stage = CODE_READ + spec.array.column_latency - 1  # the accumulators' stage, from the addresses
        flags = {name: delayed(m, getattr(convolver, name), stage, name) for name in ("first", "shifted")}
        m.d.comb += drain.whole.eq(delayed(m, convolver.last, stage + 1, "last"))
        zero = Signal.like(convolver.zero)
        m.d.sync += zero.eq(convolver.zero)
        for number in range(spec.pixels):
            m.submodules[f"codes_{number}"] = codes = Memory(
                shape=unsigned(spec.code_word), depth=max(spec.depths.codes, 2), init=[]
            )
            into, out = codes.write_port(), codes.read_port()
            m.submodules[f"lane_{number}"] = lane = ModuleInstance(LANE, self.lane())
            inside = Signal(name=f"inside_{number}")
            m.d.sync += inside.eq(convolver.inside[number])
            m.d.comb += [
                into.en.eq(quantiser.write),
                into.addr.eq(quantiser.code_address),
                into.data.eq(quantiser.codes),
                out.addr.eq(convolver.addresses[number]),
                lane.codes.eq(Mux(inside, out.data, zero)),
                lane.control.eq(decoder.control),
                *(getattr(lane, name).eq(flag) for name, flag in flags.items()),
                drain.sums[number].eq(lane.sums),
            ]

    def lane(self) -> Lane:
        """A lane."""
        return Lane(self.spec, self.radix_bits, COLUMN)

    def modules(self) -> dict[str, wiring.Component]:
        """What the engine has many of, by the name of the module that it is."""
        return {LANE: self.lane(), COLUMN: column_of(self.spec.array)}

    def read_weights(self, m: Module, address: Value) -> Value:
        """The memory of weights; returns the row of an address, a cycle after it."""
        spec = self.spec
        if self.spram:
            assert self.writer is not None
            m.submodules.weights = words = SpramWeights(self.writer)
            m.d.comb += words.address.eq(address)
            return words.data
        bits = spec.channels**2 * spec.mac.level_set.code_bits
        m.submodules.weights = weights = Memory(
            shape=unsigned(bits), depth=max(spec.depths.weights, 2), init=self.image.weights
        )
        serve(m, self.writer, Section.WEIGHTS, weights)
        port = weights.read_port()
        m.d.comb += port.addr.eq(address)
        return port.data

    def feed_finisher(
        self,
        m: Module,
        arrays: Sequencer,
        others: Sequencer,
        through: Signal,
        collector: Collector,
        drain: Drain,
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
            drains = arrays.at_work & (array.kind == Kind.CONVOLVE) & (array.bank == bank)
            m.d.comb += [
                into.en.eq(finisher.done & follow.writes_values & written),
                into.addr.eq(finisher.target.value),
                *(v.eq(y) for v, y in zip(into.data, finisher.values, strict=True)),
                out.addr.eq(Mux(drains, drain.item.target.side, from_values)),
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
            finisher.valid.eq(Mux(through, collector.valid, drain.valid)),
            finisher.item.eq(Mux(through, collector.item, drain.item)),
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
        drain: Drain,
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
        row = Mux(through, collector.item.target.word, drain.item.target.word)
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

    def adapt(
        self,
        m: Module,
        instruction: data.View,
        start: Signal,
        step: Signal,
        finisher: Finisher,
        follow: data.View,
        bank: Value,
    ) -> Signal:
        """The channel sums, a bank for each image, and the adapter; returns whether it is at work.

        bank: of what is finished.
        """
        spec, block = self.spec, self.spec.adapter_block
        depths = {"weights": spec.depths.neuron_weights, "units": spec.depths.neurons}
        network = Network(depths, self.image.neurons, self.serve_neurons if self.writer is not None else None)
        m.submodules.adapter = adapter = Adapter(block, network=network)
        busy, word, sending = Signal(), Signal(index_shape(spec.sum_words)), Signal()
        is_first = Signal()  # the map's first pixel
        pixels = Signal.like(finisher.target.left)
        m.d.comb += is_first.eq(finisher.target.left == pixels)
        reads = []
        for number in range(spec.banks):
            shape = data.ArrayLayout(signed(block.sum_bits), spec.lanes)
            m.submodules[f"sums_{number}"] = sums = Memory(shape=shape, depth=max(spec.sum_words, 2), init=[])
            into, out = sums.write_port(), sums.read_port(domain="comb")
            taken = sending & (instruction.bank == number)
            m.d.comb += [
                into.en.eq(finisher.done & follow.adds_channels & (bank == number)),
                into.addr.eq(finisher.target.word),
                out.addr.eq(Mux(taken, word, finisher.target.word)),
                *(i.eq(Mux(is_first, 0, o) + y) for i, o, y in zip(into.data, out.data, finisher.values, strict=True)),
            ]
            reads.append(out.data)
        totals = Signal(reads[0].shape())
        m.d.comb += [
            pixels.eq(follow.map_pixels),
            totals.eq(Mux(instruction.bank, reads[-1], reads[0])),
            adapter.i.valid.eq(sending),
            *(lane.eq(total) for lane, total in zip(lanes(adapter.i.p), totals, strict=True)),
            adapter.words.eq(instruction.adapter_words),
            adapter.constants.eq(instruction.adapter),
            adapter.first.weights.eq(instruction.first_weight),
            adapter.first.units.eq(instruction.first_neuron),
            adapter.o.ready.eq(1),
        ]
        with m.If(start):
            m.d.sync += [busy.eq(1), sending.eq(1), word.eq(0)]
        with m.Elif(sending & adapter.i.ready):
            m.d.sync += [word.eq(word + 1), sending.eq(word + 1 != instruction.adapter_words)]
        with m.If(adapter.o.valid):
            m.d.sync += [busy.eq(0), step.eq(adapter.o.p.step)]
        return busy
