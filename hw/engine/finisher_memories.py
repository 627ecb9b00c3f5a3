"""The memories that the finisher takes what it computes with from: values, the image, scales and biases."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.memory import Memory

from hw.engine.collector import values_layout
from hw.engine.engine_parts import Control, EngineParts
from hw.engine.engine_spec import EngineSpec
from hw.engine.finisher import Finisher, scales_layout, totals_layout
from hw.engine.image import Image
from hw.engine.loader import image_layout
from hw.engine.program import Kind
from hw.engine.row_layouts import piece_layout
from hw.engine.row_writer import RowWriter, Section, serve
from hw.engine.scaler import Scaler


def feed_finisher(m: Module, spec: EngineSpec, control: Control, parts: EngineParts) -> None:
    """Add the memories of values and of the image, and give the finisher sums, or what was collected of them."""
    finisher, collector, products = parts.finisher, parts.collector, parts.products
    m.submodules.input = image = Memory(shape=image_layout(spec), depth=max(spec.depths.inputs, 2), init=[])
    read, side = add_value_memories(m, spec, control, parts)
    collected_side = Signal(values_layout(spec))
    m.d.sync += collected_side.eq(collector.side)
    given = connect_image_memory(m, spec, image, parts)
    m.d.comb += [
        collector.read.eq(Mux(control.value.from_input, given, read.as_value())),
        finisher.valid.eq(Mux(control.through, collector.valid, products.valid)),
        finisher.item.eq(Mux(control.through, collector.item, products.item)),
        finisher.side.eq(Mux(control.through, collected_side, side)),
    ]


def connect_image_memory(m: Module, spec: EngineSpec, image: Memory, parts: EngineParts) -> Value:
    """Keep the image as it comes in; returns the values that the collector addresses, a cycle after their address."""
    loader, address = parts.loader, parts.collector.address
    load, taken = image.write_port(), image.read_port()
    m.d.comb += [
        load.en.eq(loader.write),
        load.addr.eq(loader.address),
        load.data.eq(loader.word),
        taken.addr.eq(address >> spec.beats.bit_length() - 1),
    ]
    beat = Signal(range(max(spec.beats, 2)))
    m.d.sync += beat.eq(address % spec.beats)
    return taken.data.as_value().word_select(beat, spec.lanes * spec.value_bits)


def add_value_memories(
    m: Module, spec: EngineSpec, control: Control, parts: EngineParts
) -> tuple[data.View, data.View]:
    """Add a memory of values for each image under way; returns the words for the collector, and for a side branch."""
    leaving, value = control.leaving, control.value
    finisher, collector = parts.finisher, parts.collector
    collected = Mux(collector.takes_side, collector.side_address, collector.address)
    reads = []
    for bank in range(spec.banks):
        values = Memory(shape=values_layout(spec), depth=max(spec.depths.values, 2), init=[])
        m.submodules[f"values_{bank}"] = values
        into, out = values.write_port(), values.read_port()
        written = Mux(control.through, value.bank, leaving.bank) == bank
        convolves = control.array_sequencer.at_work & (leaving.kind == Kind.CONVOLVE)
        drains = convolves & leaving.has_side & (leaving.bank == bank)
        m.d.comb += [
            into.en.eq(finisher.done & finisher.follow.writes_values & written),
            into.addr.eq(finisher.target.value),
            *(stored.eq(finished) for stored, finished in zip(into.data, finisher.values, strict=True)),
            out.addr.eq(Mux(drains, parts.products.item.target.side, collected)),
        ]
        reads.append(out.data)
    side, read = (Signal(values_layout(spec), name=name) for name in ("side", "read"))
    m.d.comb += [side.eq(Mux(leaving.bank, reads[-1], reads[0])), read.eq(Mux(value.bank, reads[-1], reads[0]))]
    return read, side


def add_constants(
    m: Module,
    spec: EngineSpec,
    image: Image,
    writer: RowWriter | None,
    control: Control,
    parts: EngineParts,
    scaler: Scaler | None,
) -> None:
    """Add the memories of scales and biases, a row for each group of channels of a layer, for the finisher."""
    depth = max(spec.depths.constants, 2)
    every = depth * spec.banks  # each image has scales of its own
    m.submodules.scales = scales = Memory(shape=scales_layout(spec), depth=every, init=image.scales)
    m.submodules.biases = biases = Memory(shape=totals_layout(spec), depth=depth, init=image.biases)
    serve(m, writer, Section.BIASES, biases)
    finisher, follow = parts.finisher, parts.finisher.follow
    scale_out, bias_out = scales.read_port(), biases.read_port()
    row = Mux(control.through, parts.collector.item.target.word, parts.products.item.target.word)
    m.d.comb += [
        scale_out.addr.eq(follow.scales + row),
        bias_out.addr.eq(follow.biases + row),
        finisher.scales.eq(scale_out.data),
        finisher.biases.eq(bias_out.data),
    ]
    if spec.functions:
        add_functions(m, spec, image, writer, finisher)
    if scaler is None:
        serve(m, writer, Section.SCALES, scales)
        return
    into = scales.write_port(granularity=1)
    m.d.comb += [
        into.en.eq(Mux(scaler.write, 1 << scaler.lane, 0)),
        into.addr.eq(scaler.address),
        *(word.eq(scaler.scale) for word in into.data),
    ]
    if writer is not None and Section.SCALES in writer.sizes:
        with m.If(writer.is_chosen(Section.SCALES)):
            m.d.comb += [into.en.eq(~0), into.addr.eq(writer.row.address)]
            m.d.comb += into.data.as_value().eq(writer.contents(Section.SCALES))


def add_functions(m: Module, spec: EngineSpec, image: Image, writer: RowWriter | None, finisher: Finisher) -> None:
    """Add the memory of functions, a copy for each lane; where one is applied, scale and bias are those of its piece.

    The piece is found by the upper bits of the value.
    """
    follow = finisher.follow
    for lane in range(spec.lanes):
        pieces = Memory(shape=piece_layout(spec), depth=max(spec.depths.functions, 2), init=image.functions)
        m.submodules[f"functions_{lane}"] = pieces
        serve(m, writer, Section.FUNCTIONS, pieces)
        out = pieces.read_port()
        m.d.comb += out.addr.eq(follow.function + (finisher.item.operands[lane] >> follow.function_shift))
        with m.If(follow.applies):
            m.d.comb += [finisher.scales[lane].eq(out.data.scale), finisher.biases[lane].eq(out.data.bias)]
