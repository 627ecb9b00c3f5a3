"""The memories that the finisher takes what it computes with from: values, the image, scales and biases."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.memory import Memory

from hw.engine.arrays import Arrays
from hw.engine.collector import Collector, values_layout
from hw.engine.engine_spec import EngineSpec
from hw.engine.finisher import Finisher, scales_layout, totals_layout
from hw.engine.image import Image
from hw.engine.loader import Loader, image_layout
from hw.engine.program import Kind
from hw.engine.row_writer import RowWriter, Section, serve
from hw.engine.scaler import Scaler
from hw.engine.sequencer import Sequencer


def feed_finisher(
    m: Module,
    spec: EngineSpec,
    arrays: Sequencer,
    others: Sequencer,
    through: Signal,
    collector: Collector,
    products: Arrays,
    finisher: Finisher,
    loader: Loader,
) -> None:
    """Add the memories of values and of the image, and give the finisher sums, or what was collected of them."""
    follow = finisher.follow
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
        collector.read.eq(Mux(value.from_input, image_word(m, spec, taken.data, collector.address), read.as_value())),
        finisher.valid.eq(Mux(through, collector.valid, products.valid)),
        finisher.item.eq(Mux(through, collector.item, products.item)),
        finisher.side.eq(Mux(through, collected_side, side)),
    ]


def image_word(m: Module, spec: EngineSpec, word: data.View, address: Value) -> Value:
    """The values of an image's word that an address names, a cycle after it."""
    beats = spec.beats
    beat = Signal(range(max(beats, 2)))
    m.d.sync += beat.eq(address % beats)
    return word.as_value().word_select(beat, spec.lanes * spec.value_bits)


def add_constants(
    m: Module,
    spec: EngineSpec,
    image: Image,
    writer: RowWriter | None,
    finisher: Finisher,
    through: Signal,
    collector: Collector,
    products: Arrays,
    scaler: Scaler | None,
) -> None:
    """Add the memories of scales and biases, a row for each group of channels of a layer, for the finisher."""
    depth = max(spec.depths.constants, 2)
    every = depth * spec.banks  # each image has scales of its own
    m.submodules.scales = scales = Memory(shape=scales_layout(spec), depth=every, init=image.scales)
    m.submodules.biases = biases = Memory(shape=totals_layout(spec), depth=depth, init=image.biases)
    serve(m, writer, Section.BIASES, biases)
    follow = finisher.follow
    scale_out, bias_out = scales.read_port(), biases.read_port()
    row = Mux(through, collector.item.target.word, products.item.target.word)
    m.d.comb += [
        scale_out.addr.eq(follow.scales + row),
        bias_out.addr.eq(follow.biases + row),
        finisher.scales.eq(scale_out.data),
        finisher.biases.eq(bias_out.data),
    ]
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
        with m.If(writer.chosen(Section.SCALES)):
            m.d.comb += [into.en.eq(~0), into.addr.eq(writer.row.address)]
            m.d.comb += into.data.as_value().eq(writer.contents(Section.SCALES))
