# amaranth: UnusedElaboratable=no
# A column is made, too, to know its ports and its control bits: it is a module of its own (`ModuleInstance`).
"""A lane: the array of a pixel, G × G products, with an accumulator behind each column."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.column import make_column, make_multiples
from hw.engine.engine_spec import EngineSpec
from hw.engine.module_instance import ModuleInstance
from hw.engine.places import delay
from hw.fpga.cells import Term
from hw.fpga.pipeline import name_bits
from hw.fpga.xc7 import pack_terms
from hw.multipliers import activation_shape


def sums_layout(spec: EngineSpec) -> data.ArrayLayout:
    """A word of sums, one for each output channel of a group."""
    return data.ArrayLayout(signed(spec.sum_bits), spec.channels)


def control_layout(spec: EngineSpec) -> data.ArrayLayout:
    """The weights of an array in control bits: rows of columns."""
    word = len(make_column(spec.array).control_times)
    return data.ArrayLayout(data.ArrayLayout(word, spec.channels), spec.channels)


def lane_latency(spec: EngineSpec) -> int:
    """Cycles from a word of codes to the sum that it is in: the operands' register, and those of a column."""
    return 1 + spec.array.column_latency


@dataclass(frozen=True)
class Feedback:
    """What an accumulator adds the next sum to: 0 where `first` is set, its sum so far, moved up if `shifted` is."""

    first: Value
    shifted: Value
    radix_bits: int  # of the move


def add_feedback(m: Module, fpga_family: str, held: list[Signal], flags: Feedback, name: str) -> Value:
    """Add the choice of what a column's products are added to. held: the bits of its sum so far.

    7-series' tables have two outputs: bits that share a bit of the sum share a table.
    """
    up = flags.radix_bits
    if fpga_family != "xc7":
        moved = Cat(0 if place < up else held[place - up] for place in range(len(held)))
        return Mux(flags.first, 0, Mux(flags.shifted, moved, Cat(held))).as_signed()
    terms = []
    for place, bit in enumerate(held):
        lower = held[place - up : place - up + 1] if place >= up else []
        terms.append(
            Term(
                (flags.first, flags.shifted, bit, *lower),
                lambda first, shifted, same, moved=0: 0 if first else moved if shifted else same,
            )
        )
    return Cat(pack_terms(m, name, terms)).as_signed()


class WeightDecoder(wiring.Component):
    """Makes the control bits of a word of weight codes, once for all lanes.

    Members
    -------
    codes : In(G × G weight codes, row by row)
    control : Out(`control_layout`)
        A cycle after the codes; bits that products use later are as much later (`control_times`).
    """

    def __init__(self, spec: EngineSpec):
        self.spec = spec
        self.array = data.ArrayLayout(data.ArrayLayout(spec.mac.level_set.code_bits, spec.channels), spec.channels)
        super().__init__({"codes": In(self.array.size), "control": Out(control_layout(spec))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        codes, size = data.View(self.array, self.codes), self.spec.channels
        column = make_column(self.spec.array)  # for what it decodes
        times = column.control_times
        for place in range(size):
            below: Value | None = None
            for row in reversed(range(size)):
                decoded = Signal(len(times), name=f"decoded_{row}_{place}")
                m.d.comb += decoded.eq(column.decode(codes[row][place], below))
                bits = [
                    delay(m, decoded[bit], 1 + time, f"control_{row}_{place}_{bit}") for bit, time in enumerate(times)
                ]
                m.d.comb += self.control[row][place].eq(Cat(bits))
                below = decoded
        return m


class Lane(wiring.Component):
    """Multiplies a word of G codes by G × G weights a cycle, and adds up the products of each column over cycles.

    Interval 1, latency `lane_latency`.

        codes ─► reg ─┬────► a column: G products ─► a tree ─► + ─► sums
                      └ √2·a ─►        ▲                       ▲      │
        control ───────────────────────┘    0, sums or sums << s ─────┘

    Where a layer's numbers are wider than the products, their parts are multiplied one after the other, the highest
    first, and the sums are shifted by `radix_bits` in between (Horner's rule). Sums are whole for one cycle: what comes
    after them is added, too, until sums begin anew.

    Members
    -------
    codes : In(code_word), control : In(`control_layout`), of weights that came a cycle later than the codes
    first, shifted : In(1)
        With the codes' products in the accumulator's stage: begin at zero; or shift the sums first.
    sums : Out(`sums_layout`)
    """

    def __init__(self, spec: EngineSpec, radix_bits: int, column_name: str):
        self.spec, self.radix_bits, self.column_name = spec, radix_bits, column_name
        super().__init__(
            {
                "codes": In(spec.code_word),
                "control": In(control_layout(spec)),
                "first": In(1),
                "shifted": In(1),
                "sums": Out(sums_layout(spec)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows = [self.register_operands(m, row) for row in range(self.spec.channels)]
        flags = Feedback(self.first, self.shifted, self.radix_bits)
        for place in range(self.spec.channels):
            column = ModuleInstance(self.column_name, make_column(self.spec.array))
            m.submodules[f"column_{place}"] = column
            for row, held in enumerate(rows):
                m.d.comb += column.control[row].eq(self.control[row][place])
                m.d.comb += [getattr(column, name)[row].eq(part) for name, part in held.items()]
            (name,) = self.spec.array.sum_widths
            sums = name_bits(m, column.total[name], f"sum_{place}")
            before = add_feedback(m, self.spec.fpga_family, sums, flags, f"before_{place}")
            m.d.comb += [column.partial[name].eq(before), self.sums[place].eq(column.total[name])]
        return m

    def register_operands(self, m: Module, row: int) -> dict[str, Signal]:
        """Put a row's activation and its multiples in registers; returns them by the name of the product's port."""
        mac = self.spec.mac
        activation = self.codes.word_select(row, mac.activation_bits)
        parts = {"activation": activation}
        if mac.multiples:
            m.submodules[f"multiples_{row}"] = multiples = make_multiples(self.spec.array)
            m.d.comb += multiples.activation.eq(activation)
            parts |= {name: getattr(multiples, name) for name in mac.multiples}
        held = {name: Signal(part.shape(), name=f"{name}_{row}") for name, part in parts.items()}
        held["activation"] = Signal(activation_shape(mac), name=f"activation_{row}")
        m.d.sync += [held[name].eq(part) for name, part in parts.items()]
        return held
