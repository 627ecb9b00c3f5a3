"""The window of a lane's pixel, kept so that a word of codes can be put together of several of its places.

An image has few channels: a word that holds one place of it leaves most of an array's rows without work. A lane
therefore keeps all places of a kernel's window, and a step picks as many of them as a word has room for.
"""

from amaranth.hdl import Cat, Module, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.engine.engine_spec import MOST_PLACES, WIDEST_CODE, EngineSpec
from hw.engine.instruction_fields import PIECE_BITS

BANKS = 2  # windows: one is filled while words are picked of the other
PLACE_BITS = (MOST_PLACES - 1).bit_length()


def pick_layout() -> data.StructLayout:
    """A place of a window, and which piece of its codes."""
    return data.StructLayout({"place": unsigned(PLACE_BITS), "piece": unsigned(PIECE_BITS)})


class WindowBuffer(wiring.Component):
    """Keeps two windows of a pixel's codes, and puts together a word of picked places.

    A place is a word whose lowest channels are those of the image, once for each piece of a code: the lowest piece
    first. It is read in the cycle in which it is picked.

    Members
    -------
    fills : In(1), place : In, codes : In(code_word)
        A place of the window that is filled.
    bank : In(1)
        The window that is filled; words are picked of the other.
    picks : In(a `pick_layout` for each part of the word, the lowest channels first)
    word : Out(code_word)
    """

    def __init__(self, spec: EngineSpec, piece_bits: int):
        self.spec, self.pieces = spec, -(-WIDEST_CODE // piece_bits)
        super().__init__(
            {
                "fills": In(1),
                "place": In(PLACE_BITS),
                "codes": In(spec.code_word),
                "bank": In(1),
                "picks": In(data.ArrayLayout(pick_layout(), spec.picks)),
                "word": Out(spec.code_word),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        field = self.spec.window_channels * self.spec.mac.activation_bits
        kept = min(self.pieces * field, self.spec.code_word)
        m.submodules.places = places = Memory(shape=unsigned(kept), depth=BANKS * MOST_PLACES, init=[])
        into = places.write_port()
        m.d.comb += [into.en.eq(self.fills), into.addr.eq(Cat(self.place, self.bank)), into.data.eq(self.codes)]
        fields = []
        for pick in self.picks:
            out = places.read_port(domain="comb")
            m.d.comb += out.addr.eq(Cat(pick.place, ~self.bank))
            fields.append(out.data.word_select(pick.piece, field))
        m.d.comb += self.word.eq(Cat(fields))
        return m
