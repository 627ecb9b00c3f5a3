"""The multiply-accumulate units as stream components: operands in, one integer per dot product out.

Every unit is a chain of stages, each a stream component that passes an item on when the next one takes it: terms
(multipliers and a register, or the bit-serial expander) → (with several lanes) `Tree` → `Accumulate` → (`post-exact`
only) `TimesRootTwo`. Formulas for interval and latency: `MacSpec.interval`, `MacSpec.latency`.
"""

from amaranth.hdl import Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from asq_model.spec.mac import MacSpec
from asq_model.spec.sqrt2 import sqrt2_constant
from hw.mac.adder_tree import Tree, add, carry_of, lane_terms
from hw.multipliers import activation_shape, multiple_shapes, multiplier


def operand_layout(spec: MacSpec) -> data.StructLayout:
    """What a unit takes in a cycle: a weight code, an activation and, if the unit shares them, its multiples, and
    whether they end their dot product; with several lanes, `operands` is an array of such pairs."""
    pair = {"weight": spec.level_set.code_bits, "activation": activation_shape(spec)}
    pair |= multiple_shapes(spec) if spec.shared else {}
    if spec.lanes == 1:
        return data.StructLayout(pair | {"last": 1})
    return data.StructLayout({"operands": data.ArrayLayout(data.StructLayout(pair), spec.lanes), "last": 1})


def terms_layout(term: dict[str, Shape], lanes: int = 1) -> data.StructLayout:
    """Addends as multipliers put them out (value, and carry and lane if they have them), one per lane, and whether they
    end their dot product."""
    return data.StructLayout({"terms": data.ArrayLayout(data.StructLayout(term), lanes), "last": 1})


class Multiply(wiring.Component):
    """Multiplies and registers the products, one per lane. Interval 1, latency 1.

    Members
    -------
    i : In(stream of `operand_layout`)
    o : Out(stream of `terms_layout`)
    """

    def __init__(self, spec: MacSpec):
        self.spec = spec
        self.multipliers = [multiplier(spec) for _ in range(spec.lanes)]
        self.outputs = self.multipliers[0].product.outputs()
        super().__init__(
            {
                "i": In(stream.Signature(operand_layout(spec))),
                "o": Out(stream.Signature(terms_layout(self.outputs, spec.lanes))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid)
        accepted = self.i.ready & self.i.valid
        for lane, lane_multiplier in enumerate(self.multipliers):
            m.submodules[f"lane_{lane}"] = lane_multiplier
            operand = self.i.p if self.spec.lanes == 1 else self.i.p.operands[lane]
            given = ("weight", "activation", *(self.spec.multiples if self.spec.shared else ()))
            m.d.comb += [getattr(lane_multiplier, name).eq(getattr(operand, name)) for name in given]
            with m.If(accepted):
                m.d.sync += [self.o.p.terms[lane][name].eq(getattr(lane_multiplier, name)) for name in self.outputs]
        with m.If(accepted):
            m.d.sync += self.o.p.last.eq(self.i.p.last)
        return m


class BitSerial(wiring.Component):
    """Multiplies one weight bit a cycle: term k is `activation << k` where bit k is set; the top bit's is negative,
    as its complement and a carry.

    Interval `weight_bits`, latency 1 to the first term and `weight_bits` to the last.

    Members
    -------
    i : In(stream of `operand_layout`)
    o : Out(stream of `terms_layout`)
    """

    def __init__(self, spec: MacSpec):
        self.spec = spec
        magnitude = Shape(spec.activation_bits + spec.weight_bits - 1, spec.signed_activation)
        self.shifted = Signal(magnitude)
        value = signed(magnitude.width + (not magnitude.signed))  # the complement has a sign in any case
        super().__init__(
            {
                "i": In(stream.Signature(operand_layout(spec))),
                "o": Out(stream.Signature(terms_layout({"value": value, "carry": unsigned(1)}))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bits = self.spec.weight_bits
        weight = Signal(bits)  # the bits still to be used, the current one lowest
        shifted = self.shifted
        out = self.o.p.terms[0]
        term = Signal.like(out.value)
        remaining = Signal(range(bits))  # terms after the current one
        ends = Signal()
        is_top = ~remaining.any()
        m.d.comb += [
            term.eq(Mux(weight[0], shifted, 0)),
            out.value.eq(term ^ is_top.replicate(len(term))),
            out.carry.eq(is_top),
            self.o.p.last.eq(is_top & ends),
            self.i.ready.eq(~self.o.valid | (self.o.ready & is_top)),
        ]
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid)
        with m.If(self.i.ready & self.i.valid):
            m.d.sync += [
                weight.eq(self.i.p.weight),
                shifted.eq(self.i.p.activation),
                remaining.eq(bits - 1),
                ends.eq(self.i.p.last),
            ]
        with m.Elif(self.o.valid & self.o.ready):
            m.d.sync += [weight.eq(weight >> 1), shifted.eq(shifted << 1), remaining.eq(remaining - 1)]
        return m


class Accumulate(wiring.Component):
    """Adds up terms, one a cycle, and offers the sums when a dot product's last term is in. Interval 1, latency 1.

    The running sum is the output register: it is only in the way, and the input waits, while a finished sum has not
    been taken. The term that follows a finished sum starts the next one from zero.

    Members
    -------
    i : In(stream of `terms_layout` of one lane, or of what `Tree` puts out)
    o : Out(stream of signed sums, one field per lane)
    """

    def __init__(self, terms: data.StructLayout, widths: dict[str, int]):
        self.widths = widths
        super().__init__(
            {
                "i": In(stream.Signature(terms)),
                "o": Out(stream.Signature(data.StructLayout({name: signed(width) for name, width in widths.items()}))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        starts = Signal(init=1)  # the next term is the first of its dot product
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid & self.i.p.last)
        with m.If(self.i.ready & self.i.valid):
            m.d.sync += starts.eq(self.i.p.last)
            for name, (value, carry) in zip(self.widths, self.addends(), strict=True):
                m.d.sync += self.o.p[name].eq(add(Mux(starts, 0, self.o.p[name]).as_signed(), value, carry))
        return m

    def addends(self) -> list[tuple[Value, Value]]:
        """(value, carry) for each sum."""
        if "terms" in self.i.p.shape().members:
            return [group[0] for group in lane_terms([self.i.p.terms[0]], len(self.widths))]
        return [(self.i.p.sums[index].value, carry_of(self.i.p.sums[index])) for index in range(len(self.widths))]


class TimesRootTwo(wiring.Component):
    """round((even + odd·√2) · 2^frac), correctly rounded, by one constant multiplication. Interval 1, latency 1.

    `sqrt2_constant` proves how many bits of √2 are enough for every sum that `depth` terms can reach.

    Members
    -------
    i : In(stream of the even and the odd sum)
    o : Out(stream of signed(result_width))
    """

    def __init__(self, spec: MacSpec):
        self.spec = spec
        widths = spec.sum_widths
        super().__init__(
            {
                "i": In(stream.Signature(data.StructLayout({name: signed(width) for name, width in widths.items()}))),
                "o": Out(stream.Signature(signed(spec.result_width))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        frac = self.spec.frac
        constant, shift = sqrt2_constant(max(abs(bound) for bound in self.spec.sum_range(self.spec.odd_products)), frac)
        rooted = (self.i.p.odd * constant + (1 << shift - 1)) >> shift
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid)
        with m.If(self.i.ready & self.i.valid):
            m.d.sync += self.o.payload.eq((self.i.p.even << frac) + rooted)
        return m


def mac_ports(spec: MacSpec) -> dict[str, wiring.Member]:
    """The two streams of every unit."""
    return {
        "i": In(stream.Signature(operand_layout(spec))),
        "o": Out(stream.Signature(signed(spec.result_width))),
    }


class Mac(wiring.Component):
    """A multiply-accumulate unit by its specification: Σ weight·activation over the operands up to each `last`.

    Interval: 1 cycle per product (`serial`: `weight_bits`).
    Latency: 2 cycles from the last operand to the result (`serial`: `weight_bits` + 1, `post-exact`: 3), and one more
    for each doubling of the lanes.
    A dot product longer than `spec.depth` terms may wrap around. Reset drops whatever is inside.

    Members
    -------
    i : In(stream of `operand_layout`)
    o : Out(stream of signed(result_width)), in units of 2^-frac of the level set's unit
    """

    def __init__(self, spec: MacSpec):
        self.spec = spec
        super().__init__(mac_ports(spec))

    def elaborate(self, platform):
        m = Module()
        m.submodules.terms = terms = (BitSerial if self.spec.unit == "serial" else Multiply)(self.spec)
        wiring.connect(m, wiring.flipped(self.i), terms.i)
        widths = self.spec.sum_widths
        if self.spec.lanes > 1:
            m.submodules.tree = tree = Tree(data.StructLayout(terms.outputs), self.spec.lanes, len(widths))
            wiring.connect(m, terms.o, tree.i)
            terms = tree
        m.submodules.accumulate = accumulate = Accumulate(terms.o.p.shape(), widths)
        wiring.connect(m, terms.o, accumulate.i)
        if self.spec.unit == "post-exact":
            m.submodules.root = root = TimesRootTwo(self.spec)
            wiring.connect(m, accumulate.o, root.i)
            wiring.connect(m, root.o, wiring.flipped(self.o))
        else:
            m.d.comb += [
                self.o.valid.eq(accumulate.o.valid),
                self.o.payload.eq(accumulate.o.p.sum),
                accumulate.o.ready.eq(self.o.ready),
            ]
        return m
