"""The loops inside a tile of a layer: which word of which place of the kernel meets which weights, in which pass."""

from collections.abc import Mapping
from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data

from hw.engine.instruction_fields import PIECE_BITS


@dataclass(frozen=True)
class TileLoops:
    """Where the loops inside a tile are, the innermost first: words of a place, kernel columns and rows, passes.

    window, layer: fields of the instruction. stepping: there is a step. repeat, first_word: of groups of output
    channels that see the same words, and the first word that they see. row, column: of the map, from the window's
    first place. tap: from the window's first word to the one that is read. weights: the row of weights that meets it.
    """

    window: data.View
    layer: data.View
    stepping: Signal
    word: Signal
    kernel_row: Signal
    kernel_column: Signal
    number: Signal
    repeat: Signal
    tap: Signal
    first_word: Signal
    row: Signal
    column: Signal
    weights: Signal

    @classmethod
    def create(cls, window: data.View, layer: data.View) -> "TileLoops":
        """Counters for the loops of an instruction."""
        stepping = Signal()
        word, kernel_row, kernel_column = (
            Signal.like(window[name], name=name) for name in ("last_word", "last_kernel_row", "last_kernel_column")
        )
        number, repeat = Signal.like(layer.last_pass), Signal.like(layer.last_repeat)
        tap, first_word = Signal.like(window.source), Signal.like(window.source)
        row, column = Signal.like(window.first_row), Signal.like(window.first_column)
        weights = Signal.like(layer.weights)
        loops = stepping, word, kernel_row, kernel_column, number, repeat, tap, first_word, row, column, weights
        return cls(window, layer, *loops)

    def starts_pass(self) -> Value:
        """Whether this is a pass's first step."""
        return ~(self.word.any() | self.kernel_row.any() | self.kernel_column.any())

    def in_last(self) -> dict[str, Value]:
        """Whether each loop is in its last step, the innermost first."""
        return {
            "word": self.word == self.window.last_word,
            "column": self.kernel_column == self.window.last_kernel_column,
            "row": self.kernel_row == self.window.last_kernel_row,
            "pass": self.number == self.layer.last_pass,
        }

    def advance(self, m: Module, in_last: Mapping[str, Value]) -> None:
        """Go on by a step, from the innermost loop outwards. in_last: what the method of that name gives."""
        window = self.window
        following = self.number + 1
        m.d.sync += [self.weights.eq(self.weights + 1), self.word.eq(self.word + 1), self.tap.eq(self.tap + 1)]
        with m.If(in_last["word"]):
            m.d.sync += [self.word.eq(0), self.kernel_column.eq(self.kernel_column + 1)]
            m.d.sync += self.tap.eq(self.tap + window.kernel_column_step)
            m.d.sync += self.column.eq(self.column + window.column_dilation)
            with m.If(in_last["column"]):
                m.d.sync += [self.kernel_column.eq(0), self.column.eq(0), self.kernel_row.eq(self.kernel_row + 1)]
                m.d.sync += self.row.eq(self.row + window.row_dilation)
                m.d.sync += self.tap.eq(self.tap + window.kernel_row_step)
                with m.If(in_last["row"]):
                    m.d.sync += [self.kernel_row.eq(0), self.row.eq(0), self.number.eq(following)]
                    m.d.sync += self.tap.eq(self.first_word + self.piece_offset(following))
                    with m.If(in_last["pass"]):
                        m.d.sync += [self.number.eq(0), self.stepping.eq(0)]

    def begin(self, m: Module, begins: Signal, goes_on: Value) -> None:
        """Begin a tile: of other pixels with the first group of output channels, or of the same with the next."""
        layer = self.layer
        moves_on = self.repeat == layer.last_repeat
        after = Signal.like(self.first_word)  # the first word of the next group of output channels
        m.d.comb += after.eq(self.first_word + Mux(moves_on, self.window.last_word + 1, 0))
        with m.If(begins):
            m.d.sync += [self.stepping.eq(1), self.weights.eq(layer.weights)]
            m.d.sync += [self.repeat.eq(0), self.first_word.eq(0), self.tap.eq(self.piece_offset(0))]
        with m.Elif(goes_on):
            m.d.sync += [self.stepping.eq(1), self.repeat.eq(Mux(moves_on, 0, self.repeat + 1))]
            m.d.sync += [self.first_word.eq(after), self.tap.eq(after + self.piece_offset(0))]

    def piece_offset(self, number: Value | int) -> Value:
        """How far into a pixel's words the piece begins that a pass multiplies. number: of the pass."""
        fields = self.layer.pieces
        piece = fields[:PIECE_BITS] if isinstance(number, int) else fields.word_select(number, PIECE_BITS)
        step = self.layer.piece_step
        return Mux(piece[0], step, 0) + Mux(piece[1], step << 1, 0)
