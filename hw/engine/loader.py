"""The way in: an image's values, pixel by pixel, become words of the input's memory."""

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.asq.layouts import index_shape
from hw.engine.engine_spec import EngineSpec
from hw.engine.instruction_fields import SLOT_BITS, load_fields
from hw.engine.row_writer import BYTE, RowWriter, Section, serve


def image_layout(spec: EngineSpec) -> data.ArrayLayout:
    """A word of an image: the value of each channel of a word of codes."""
    return data.ArrayLayout(signed(spec.value_bits), spec.channels)


class Loader(wiring.Component):
    """Takes one image after each `start`, the channels of a pixel one after the other, row by row.

    Bytes are turned into values by a table for each of the first `tables` channels. A value goes to every channel of
    the word whose slot asks for it, so that a word of few channels can hold them several times.

    Members
    -------
    i : In(stream of bytes, or of values)
    load : In(fields of the instruction), start : In(1)
    takes_last : Out(1)
        The value that is taken next is the image's last.
    begun, full : Out(1)
        A part of the image has come in; the image is in the memory.
    write : Out(1), address : Out, word : Out(`image_layout`)
    """

    def __init__(self, spec: EngineSpec, tables: list[int], writer: RowWriter | None = None):
        self.spec, self.tables, self.writer = spec, tables, writer
        element = unsigned(8) if spec.byte_input else signed(spec.value_bits)
        super().__init__(
            {
                "i": In(stream.Signature(element)),
                "load": In(data.StructLayout(load_fields(spec))),
                "start": In(1),
                "takes_last": Out(1),
                "begun": Out(1),
                "full": Out(1),
                "write": Out(1),
                "address": Out(index_shape(spec.depths.inputs)),
                "word": Out(image_layout(spec)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        load = Signal.like(self.load)
        left, channel, place = Signal.like(load.input_pixels), Signal.like(load.last_input), Signal(SLOT_BITS)
        m.d.comb += [self.i.ready.eq(left.any()), self.takes_last.eq((left == 1) & (channel == load.last_input))]
        taken = self.i.valid & self.i.ready
        pixel_ends = channel == load.last_input
        word_ends = pixel_ends | (place == self.spec.channels - 1)
        with m.If(taken):
            m.d.sync += [channel.eq(channel + 1), place.eq(Mux(word_ends, 0, place + 1))]
            with m.If(pixel_ends):
                m.d.sync += [channel.eq(0), left.eq(left - 1)]
        value = self.look_up(m, channel) if self.spec.byte_input else self.delay(m, self.i.payload)
        flags = data.StructLayout({"taken": 1, "place": SLOT_BITS, "ends": 1, "last": 1})
        now, address = Signal(flags), Signal.like(self.address)
        m.d.sync += [
            now.taken.eq(taken),
            now.place.eq(place),
            now.ends.eq(word_ends),
            now.last.eq(pixel_ends & (left == 1)),
            self.write.eq(now.taken & now.ends),
            self.address.eq(address),
        ]
        with m.If(taken):
            m.d.sync += self.begun.eq(1)
        with m.If(now.taken):
            for slot, held in enumerate(self.word):
                with m.If(load.slots.word_select(slot, SLOT_BITS) == now.place):
                    m.d.sync += held.eq(value)
                with m.Elif(~now.place.any()):
                    m.d.sync += held.eq(0)
            with m.If(now.ends):
                m.d.sync += address.eq(address + 1)
        with m.If(now.taken & now.last):
            m.d.sync += self.full.eq(1)
        with m.If(self.start):
            m.d.sync += [load.eq(self.load), left.eq(self.load.input_pixels), channel.eq(0), place.eq(0)]
            m.d.sync += [address.eq(0), self.begun.eq(0), self.full.eq(0)]
        return m

    def look_up(self, m: Module, channel: Signal) -> Signal:
        """The value that a byte means, a cycle later."""
        m.submodules.tables = tables = Memory(
            shape=signed(self.spec.value_bits), depth=max(len(self.tables), BYTE), init=self.tables
        )
        serve(m, self.writer, Section.BYTES, tables)
        port = tables.read_port()
        m.d.comb += port.addr.eq(channel * BYTE + self.i.payload)
        return port.data

    def delay(self, m: Module, value: Signal) -> Signal:
        """A value a cycle later."""
        held = Signal.like(value)
        m.d.sync += held.eq(value)
        return held
