# amaranth: UnusedElaboratable=no
# A product is made only to decode weights.
"""A lane: the array of a pixel, G × G products, with an accumulator behind each column."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.engine.engine_spec import EngineSpec
from hw.mac.adder_tree import AdderTree, add, carry_of
from hw.multipliers import PRODUCTS, MultiplesOf, activation_shape


def sums_layout(spec: EngineSpec) -> data.ArrayLayout:
    """A word of sums, one for each output channel of a group."""
    return data.ArrayLayout(signed(spec.accumulator_bits), spec.channels)


def lane_latency(spec: EngineSpec) -> int:
    """Cycles from a word of codes to the sum that it is in: operands, products, the tree's levels, the accumulator."""
    return 2 + spec.tree_levels + 1


class Lane(wiring.Component):
    """Multiplies a word of G codes by G × G weights a cycle, and adds up the products of each column over cycles.

    Interval 1, latency `lane_latency`.

        codes ─► reg ─┬──────► G × G products ─► reg ─► a tree a column ─► + ─► sums
                      └ √2·a ─►                                            ▲      │
        control ──────────────►                       0, sums or sums << s ┴──────┘

    Where a layer's numbers are wider than the products, their parts are multiplied one after the other, the highest
    first, and the sums are shifted by `radix_bits` in between (Horner's rule).

    Members
    -------
    codes : In(code_word), control : In(a decoded weight for each row and column, row by row), a cycle later than codes
    first, shifted : In(1)
        With the codes' products in the accumulator's stage: begin at zero; or shift the sums first.
    active : In(1)
        In the same stage: add the products.
    sums : Out(`sums_layout`)
    """

    def __init__(self, spec: EngineSpec, radix_bits: int):
        self.spec, self.radix_bits = spec, radix_bits
        weights = spec.channels**2 * spec.control_bits
        super().__init__(
            {
                "codes": In(spec.code_word),
                "control": In(weights),
                "first": In(1),
                "shifted": In(1),
                "active": In(1),
                "sums": Out(sums_layout(spec)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows = [self.operands(m, row) for row in range(self.spec.channels)]
        for column in range(self.spec.channels):
            tree = self.column(m, column, rows)
            total = tree.o.p.sums[0]
            held = self.sums[column]
            before = Mux(self.first, 0, Mux(self.shifted, held << self.radix_bits, held))[: len(held)].as_signed()
            with m.If(self.active):
                m.d.sync += held.eq(add(before, total.value, carry_of(total)))
        return m

    def operands(self, m: Module, row: int) -> dict[str, Signal]:
        """A row's activation and its multiples in registers, by the name of the product's port."""
        mac = self.spec.mac
        activation = self.codes.word_select(row, mac.activation_bits)
        parts = {"activation": activation}
        if mac.multiples:
            m.submodules[f"multiples_{row}"] = multiples = MultiplesOf(mac)
            m.d.comb += multiples.activation.eq(activation)
            parts |= {name: getattr(multiples, name) for name in mac.multiples}
        held = {name: Signal(part.shape(), name=f"{name}_{row}") for name, part in parts.items()}
        held["activation"] = Signal(activation_shape(mac), name=f"activation_{row}")
        m.d.sync += [held[name].eq(part) for name, part in parts.items()]
        return held

    def column(self, m: Module, column: int, rows: list[dict[str, Signal]]) -> AdderTree:
        """A column's products and their tree."""
        mac, bits = self.spec.mac, self.spec.control_bits
        tree = None
        for row, held in enumerate(rows):
            product = PRODUCTS[mac.unit](mac)
            if tree is None:
                tree = AdderTree(data.StructLayout(product.outputs()), len(rows))
                m.submodules[f"tree_{column}"] = tree
                m.d.comb += [tree.i.valid.eq(1), tree.o.ready.eq(1)]
            m.submodules[f"product_{row}_{column}"] = product
            control = self.control.word_select(row * self.spec.channels + column, bits)
            m.d.comb += [product.control.eq(control), *(getattr(product, name).eq(part) for name, part in held.items())]
            term = Signal.like(tree.i.p.terms[row], name=f"term_{row}_{column}")
            m.d.sync += [term[name].eq(getattr(product, name)) for name in product.outputs()]
            m.d.comb += tree.i.p.terms[row].eq(term)
        assert tree is not None
        return tree


def decode_weights(spec: EngineSpec, codes: Signal) -> Cat:
    """The control bits of a word of weight codes, row by row."""
    product = PRODUCTS[spec.mac.unit](spec.mac)
    bits = spec.mac.level_set.code_bits
    return Cat(Cat(product.decode(codes.word_select(place, bits))) for place in range(spec.channels**2))
