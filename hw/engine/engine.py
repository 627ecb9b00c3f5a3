"""The engine: memories, lanes, what follows them, and the sequencer that runs a program for every image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.asq.adapter import Adapter, Network
from hw.asq.layouts import index_shape, lanes
from hw.asq.memories import Row
from hw.engine.collector import Collector, values_layout
from hw.engine.convolver import Convolver
from hw.engine.drain import Drain
from hw.engine.engine_spec import WORD_BITS, EngineSpec
from hw.engine.finisher import Finisher, scales_layout, totals_layout
from hw.engine.lane import Lane, decode_weights
from hw.engine.loader import Loader
from hw.engine.places import delayed
from hw.engine.program import (
    START,
    Kind,
    collect_fields,
    convolve_fields,
    finish_fields,
    follow_fields,
    instruction_layout,
    instruction_words,
    load_fields,
    window_fields,
)
from hw.engine.quantiser import Quantiser
from hw.engine.results import Results, result_layout
from hw.engine.scaler import Scaler

CODE_READ = 2  # cycles from a lane's address to its word in the lane's registers


@dataclass(frozen=True)
class Image:
    """What the memories of an engine hold at first: the program, and what it works on."""

    program: Sequence[int]
    weights: Sequence[int]
    scales: Sequence[Sequence[int]]
    biases: Sequence[Sequence[int]]
    multipliers: Sequence[int]
    neurons: Mapping[str, Sequence[Row]]
    tables: Sequence[int]


def written_layout(spec: EngineSpec, bits: int) -> data.StructLayout:
    """A word that is made: whether there is one, whether it is stored, where, and what it is."""
    place = max(spec.depths.codes, spec.depths.values, spec.depths.results)
    return data.StructLayout({"valid": 1, "stored": 1, "address": index_shape(place), "word": unsigned(bits)})


class Engine(wiring.Component):
    """Runs a network for every image that comes in, and puts out its results.

        image ─► Loader ─► input ──┐
                                   ├─► Collector ─┐
                    ┌─► values ────┘              ├─► Finisher ─┬─► values, results, channel sums ─► Adapter, Scaler
        weights ─┐  │                             │             └─► Quantiser ─► codes, a copy a lane ─┐
                 ├─► lanes ─────────────► Drain ──┘                                                    │
                 └───▲─────────────────────────────────────────────────────────────────────────────────┘

    Everything between two memories is a pipeline that never waits: a program's cycles are known before it runs
    (`hw.engine.cycles`).

    Members
    -------
    i : In(stream of bytes, or of values)
        Images, pixel by pixel.
    o : Out(stream of `result_layout`)
    done : Out(1)
        An instruction is done. kind : Out, of which it is.
    error : Out(1)
        The program is damaged: the engine has stopped, and puts out nothing more.
    values, codes : Out(`written_layout`)
        Only if `observed`: each word of values and of codes as it is made, for test benches.
    """

    def __init__(self, spec: EngineSpec, image: Image, radix_bits: int, piece_bits: int, observed: bool = False):
        self.spec, self.image, self.radix_bits, self.piece_bits = spec, image, radix_bits, piece_bits
        self.observed = observed
        element = unsigned(8) if spec.byte_input else signed(spec.value_bits)
        ports = {
            "i": In(stream.Signature(element)),
            "o": Out(stream.Signature(result_layout(spec))),
            "done": Out(1),
            "kind": Out(3),
            "error": Out(1),
        }
        if observed:
            words = {"values": totals_layout(spec).size, "codes": spec.code_word}
            ports |= {name: Out(written_layout(spec, bits)) for name, bits in words.items()}
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec = self.spec
        instruction = Signal(instruction_layout(spec))
        starts = {kind: Signal(name=f"start_{kind.name.lower()}") for kind in Kind}
        window = self.part(m, instruction, window_fields(spec), "window")
        layer = self.part(m, instruction, convolve_fields(spec), "layer")
        follow = self.part(m, instruction, follow_fields(spec), "follow")
        collect = self.part(m, instruction, collect_fields(spec), "collect")

        m.submodules.loader = loader = Loader(spec, list(self.image.tables))
        m.submodules.convolver = convolver = Convolver(spec)
        m.submodules.drain = drain = Drain(spec)
        m.submodules.collector = collector = Collector(spec)
        m.submodules.finisher = finisher = Finisher(spec)
        m.submodules.quantiser = quantiser = Quantiser(spec, self.piece_bits)
        m.submodules.results = results = Results(spec)
        wiring.connect(m, wiring.flipped(self.i), loader.i)
        wiring.connect(m, results.o, wiring.flipped(self.o))
        group = Signal.like(layer.last_group)
        m.d.comb += [
            loader.load.eq(self.part(m, instruction, load_fields(spec), "load")),
            loader.start.eq(starts[Kind.LOAD]),
            convolver.window.eq(window),
            convolver.layer.eq(layer),
            convolver.start.eq(starts[Kind.CONVOLVE]),
            drain.follow.eq(follow),
            drain.pixels.eq(window.pixels),
            drain.last_group.eq(layer.last_group),
            drain.start.eq(starts[Kind.CONVOLVE]),
            collector.window.eq(window),
            collector.follow.eq(follow),
            collector.collect.eq(collect),
            collector.last_group.eq(layer.last_group),
            collector.start.eq(starts[Kind.COLLECT]),
            finisher.follow.eq(follow),
            quantiser.follow.eq(follow),
            results.finish.eq(self.part(m, instruction, finish_fields(spec), "finish")),
            results.start.eq(starts[Kind.FINISH]),
            group.eq(finisher.target.group),
        ]
        collecting = Signal()
        with m.If(starts[Kind.COLLECT] | starts[Kind.CONVOLVE]):
            m.d.sync += collecting.eq(starts[Kind.COLLECT])
        self.run_lanes(m, convolver, drain, quantiser, layer)
        self.feed_finisher(m, collecting, collector, drain, finisher, loader, collect)
        m.d.comb += [
            results.write.eq(finisher.done & follow.writes_results),
            results.address.eq(finisher.target.result),
            results.word.eq(finisher.values),
            quantiser.valid.eq(finisher.done),
            quantiser.address.eq(finisher.target.code),
            *(q.eq(y) for q, y in zip(quantiser.values, finisher.values, strict=True)),
        ]
        if self.observed:
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
        step = Signal(spec.step_bits)
        m.d.comb += quantiser.step.eq(Mux(follow.adapted, step, follow.step))
        busy = {Kind.CONVOLVE: convolver.busy, Kind.COLLECT: collector.busy}
        scaler = None
        if spec.adapter:
            m.submodules.scaler = scaler = Scaler(spec, list(self.image.multipliers))
            busy |= {Kind.ADAPT: self.adapt(m, instruction, starts[Kind.ADAPT], step, finisher, follow)}
            busy |= {Kind.SCALE: scaler.busy}
            m.d.comb += [
                scaler.first.eq(instruction.first_multiplier),
                scaler.last.eq(instruction.last_multiplier),
                scaler.constants.eq(instruction.constants),
                scaler.shift.eq(instruction.scale_shift),
                scaler.step.eq(step),
                scaler.start.eq(starts[Kind.SCALE]),
            ]
        self.constants(m, finisher, collecting, collector, drain, follow, scaler)
        self.sequence(m, instruction, starts, busy, loader.full, results.busy)
        return m

    def part(self, m: Module, instruction: data.View, fields: dict, name: str) -> data.View:
        """Some fields of the instruction."""
        view = Signal(data.StructLayout(fields), name=name)
        m.d.comb += [view[field].eq(instruction[field]) for field in fields]
        return view

    def run_lanes(self, m: Module, convolver: Convolver, drain: Drain, quantiser: Quantiser, layer: data.View) -> None:
        """The memories of weights and codes, and the lanes between them and the drain."""
        spec = self.spec
        bits = spec.channels**2 * spec.mac.level_set.code_bits
        m.submodules.weights = weights = Memory(
            shape=unsigned(bits), depth=max(spec.depths.weights, 2), init=self.image.weights
        )
        port = weights.read_port()
        control = Signal(spec.channels**2 * spec.control_bits)
        m.d.comb += port.addr.eq(convolver.weights)
        m.d.sync += control.eq(decode_weights(spec, port.data))
        stage = CODE_READ + spec.tree_levels + 1  # the accumulators' stage, from the addresses
        flags = {name: delayed(m, getattr(convolver, name), stage, name) for name in ("active", "first", "shifted")}
        m.d.comb += drain.whole.eq(delayed(m, convolver.last, stage + 1, "last"))
        for number in range(spec.pixels):
            m.submodules[f"codes_{number}"] = codes = Memory(
                shape=unsigned(spec.code_word), depth=max(spec.depths.codes, 2), init=[]
            )
            into, out = codes.write_port(), codes.read_port()
            m.submodules[f"lane_{number}"] = lane = Lane(spec, self.radix_bits)
            inside = Signal(name=f"inside_{number}")
            m.d.sync += inside.eq(convolver.inside[number])
            m.d.comb += [
                into.en.eq(quantiser.write),
                into.addr.eq(quantiser.code_address),
                into.data.eq(quantiser.codes),
                out.addr.eq(convolver.addresses[number]),
                lane.codes.eq(Mux(inside, out.data, layer.zero)),
                lane.control.eq(control),
                *(getattr(lane, name).eq(flag) for name, flag in flags.items()),
                drain.sums[number].eq(lane.sums),
            ]

    def feed_finisher(
        self,
        m: Module,
        collecting: Signal,
        collector: Collector,
        drain: Drain,
        finisher: Finisher,
        loader: Loader,
        collect: data.View,
    ) -> None:
        """The memories of values and of the input, and what the finisher takes: sums, or what was collected."""
        spec, follow = self.spec, finisher.follow
        m.submodules.values = values = Memory(shape=values_layout(spec), depth=max(spec.depths.values, 2), init=[])
        m.submodules.input = given = Memory(shape=values_layout(spec), depth=max(spec.depths.inputs, 2), init=[])
        into, out, load, taken = values.write_port(), values.read_port(), given.write_port(), given.read_port()
        from_values = Mux(collector.takes_side, collector.side_address, collector.address)
        side = Signal(values_layout(spec))  # of an item that was collected
        m.d.sync += side.eq(collector.side)
        m.d.comb += [
            load.en.eq(loader.write),
            load.addr.eq(loader.address),
            load.data.eq(loader.word),
            into.en.eq(finisher.done & follow.writes_values),
            into.addr.eq(finisher.target.value),
            *(v.eq(y) for v, y in zip(into.data, finisher.values, strict=True)),
            out.addr.eq(Mux(collecting, from_values, drain.item.target.side)),
            taken.addr.eq(collector.address),
            collector.read.eq(Mux(collect.from_input, taken.data, out.data)),
            finisher.valid.eq(Mux(collecting, collector.valid, drain.valid)),
            finisher.item.eq(Mux(collecting, collector.item, drain.item)),
            finisher.side.eq(Mux(collecting, side, out.data)),
        ]

    def constants(
        self,
        m: Module,
        finisher: Finisher,
        collecting: Signal,
        collector: Collector,
        drain: Drain,
        follow: data.View,
        scaler: Scaler | None,
    ) -> None:
        """The memories of scales and biases: a row for each group of channels of a layer."""
        spec = self.spec
        depth = max(spec.depths.constants, 2)
        m.submodules.scales = scales = Memory(shape=scales_layout(spec), depth=depth, init=self.image.scales)
        m.submodules.biases = biases = Memory(shape=totals_layout(spec), depth=depth, init=self.image.biases)
        scale_out, bias_out = scales.read_port(), biases.read_port()
        row = follow.constants + Mux(collecting, collector.item.target.group, drain.item.target.group)
        m.d.comb += [
            scale_out.addr.eq(row),
            bias_out.addr.eq(row),
            finisher.scales.eq(scale_out.data),
            finisher.biases.eq(bias_out.data),
        ]
        if scaler is not None:
            into = scales.write_port(granularity=1)
            m.d.comb += [
                into.en.eq(Mux(scaler.write, 1 << scaler.lane, 0)),
                into.addr.eq(scaler.address),
                *(word.eq(scaler.scale) for word in into.data),
            ]

    def adapt(
        self,
        m: Module,
        instruction: data.View,
        start: Signal,
        step: Signal,
        finisher: Finisher,
        follow: data.View,
    ) -> Signal:
        """The channel sums and the adapter; returns whether it is at work."""
        spec, block = self.spec, self.spec.adapter_block
        network = Network({"weights": spec.depths.neuron_weights, "units": spec.depths.neurons}, self.image.neurons)
        m.submodules.adapter = adapter = Adapter(block, network=network)
        shape = data.ArrayLayout(signed(block.sum_bits), spec.channels)
        m.submodules.sums = sums = Memory(shape=shape, depth=max(spec.sum_words, 2), init=[])
        into, out = sums.write_port(), sums.read_port(domain="comb")
        busy, word, sending = Signal(), Signal(index_shape(spec.sum_words)), Signal()
        m.d.comb += [
            into.en.eq(finisher.done & follow.adds_channels),
            into.addr.eq(finisher.target.group),
            out.addr.eq(Mux(sending, word, finisher.target.group)),
            adapter.i.valid.eq(sending),
            *(lane.eq(total) for lane, total in zip(lanes(adapter.i.p), out.data, strict=True)),
            adapter.words.eq(instruction.adapter_words),
            adapter.constants.eq(instruction.adapter),
            adapter.first.weights.eq(instruction.first_weight),
            adapter.first.units.eq(instruction.first_neuron),
            adapter.o.ready.eq(1),
        ]
        is_first = Signal()  # the map's first pixel
        m.d.comb += is_first.eq(finisher.target.left == instruction.pixels)
        m.d.comb += [
            i.eq(Mux(is_first, 0, o) + y) for i, o, y in zip(into.data, out.data, finisher.values, strict=True)
        ]
        with m.If(start):
            m.d.sync += [busy.eq(1), sending.eq(1), word.eq(0)]
        with m.Elif(sending & adapter.i.ready):
            m.d.sync += [word.eq(word + 1), sending.eq(word + 1 != instruction.adapter_words)]
        with m.If(adapter.o.valid):
            m.d.sync += [busy.eq(0), step.eq(adapter.o.p.step)]
        return busy

    def sequence(
        self,
        m: Module,
        instruction: data.View,
        starts: Mapping[Kind, Signal],
        busy: Mapping[Kind, Signal],
        image_full: Signal,
        results_busy: Signal,
    ) -> None:
        """Fetch, check and start instructions, one after the other.

        FETCH ──checksum right──► START ──► WORK ──all idle──► FLUSH ──► FETCH
          └──wrong──► STOP          (waits for the image, or for the results to be taken)
        """
        spec = self.spec
        words = instruction_words(spec)
        m.submodules.program = program = Memory(
            shape=unsigned(WORD_BITS), depth=max(spec.depths.program, 2), init=self.image.program
        )
        port = program.read_port()
        address, place, total = Signal(index_shape(spec.depths.program)), Signal(range(words + 2)), Signal(WORD_BITS)
        packed = Signal(words * WORD_BITS)
        flush = Signal.like(instruction.flush)
        m.d.comb += [port.addr.eq(address), instruction.eq(packed), self.kind.eq(instruction.kind)]
        kind = instruction.kind
        waits = Signal()
        m.d.comb += waits.eq(
            (kind == Kind.COLLECT) & instruction.from_input & ~image_full
            | ((kind == Kind.FINISH) | (instruction.writes_results & (kind != Kind.ADAPT))) & results_busy
        )
        known = [k for k in Kind if k in busy or k in (Kind.LOAD, Kind.FINISH)]
        with m.FSM():
            with m.State("RESET"):
                m.d.sync += [place.eq(0), total.eq(START & (1 << WORD_BITS) - 1)]
                m.next = "FETCH"
            with m.State("FETCH"):  # a word comes a cycle after its address
                m.d.sync += place.eq(place + 1)
                with m.If(place <= words):
                    m.d.sync += address.eq(address + 1)
                with m.If(place == words + 1):
                    with m.If(port.data != total):
                        m.next = "STOP"
                    with m.Else():
                        m.next = "START"
                with m.Elif(place.any()):
                    m.d.sync += [
                        packed.eq(Cat(packed, port.data) >> WORD_BITS),
                        total.eq(total.rotate_left(1) ^ port.data),
                    ]
            with m.State("START"):
                m.d.sync += [flush.eq(instruction.flush), place.eq(0), total.eq(START & (1 << WORD_BITS) - 1)]
                with m.If(~waits):
                    m.d.comb += [starts[k].eq(kind == k) for k in known]
                    m.next = "WORK"
                    with m.If(kind == Kind.FINISH):
                        m.d.sync += address.eq(instruction.next)
                    with m.If(~Cat(kind == k for k in known).any()):
                        m.next = "STOP"
            with m.State("WORK"):
                with m.If(~Cat(busy.values()).any()):
                    m.next = "FLUSH"
            with m.State("FLUSH"):
                m.d.sync += flush.eq(flush - 1)
                with m.If(~flush.any()):
                    m.d.comb += self.done.eq(1)
                    m.next = "FETCH"
            with m.State("STOP"):
                m.d.comb += self.error.eq(1)
