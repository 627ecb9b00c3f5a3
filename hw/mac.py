"""The multiply-accumulate units as stream components: operands in, one integer per dot product out.

Every unit is a chain of two or three stages, each a stream component that holds at most one item and passes it on
when the next one takes it: terms (a multiplier and a register, or the bit-serial expander) → `Accumulate` →
(`post-exact` only) `TimesRootTwo`. Formulas for interval and latency: `MacSpec.interval`, `MacSpec.latency`.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from asq_model.integer.mac import MacSpec, signed_width
from asq_model.integer.sqrt2 import sqrt2_constant
from hw.products import PRODUCTS, activation_shape


def operand_layout(spec: MacSpec) -> data.StructLayout:
    """One operand pair: a weight code, an activation, and whether it ends its dot product."""
    return data.StructLayout({"weight": spec.level_set.code_bits, "activation": activation_shape(spec), "last": 1})


def term_layout(term: dict[str, Shape]) -> data.StructLayout:
    """One addend as multipliers put it out (value, and carry and lane if they have them), and whether it ends its dot
    product."""
    return data.StructLayout(term | {"last": unsigned(1)})


def lane_widths(spec: MacSpec) -> dict[str, int]:
    """Widths of the running sums, from the specification's product tables: overflow within `depth` cannot happen."""
    if spec.unit != "post-exact":
        return {"sum": spec.result_width}
    return {
        "even": signed_width(*spec.sum_range(spec.even_products)),
        "odd": signed_width(*spec.sum_range(spec.odd_products)),
    }


class Multiply(wiring.Component):
    """Multiplies and registers the product. Interval 1, latency 1.

    Members
    -------
    i : In(stream of `operand_layout`)
    o : Out(stream of `term_layout`)
    """

    def __init__(self, spec: MacSpec):
        self.product = product = PRODUCTS[spec.unit](spec)
        terms = term_layout(product.outputs())
        super().__init__(
            {
                "i": In(stream.Signature(operand_layout(spec))),
                "o": Out(stream.Signature(terms)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.product = product = self.product
        m.d.comb += [
            product.weight.eq(self.i.p.weight),
            product.activation.eq(self.i.p.activation),
            self.i.ready.eq(~self.o.valid | self.o.ready),
        ]
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid)
        with m.If(self.i.ready & self.i.valid):
            m.d.sync += [self.o.p[name].eq(getattr(product, name)) for name in product.outputs()]
            m.d.sync += self.o.p.last.eq(self.i.p.last)
        return m


class BitSerial(wiring.Component):
    """Multiplies one weight bit a cycle: term k is `activation << k` where bit k is set; the top bit's is negative,
    as its complement and a carry.

    Interval `weight_bits`, latency 1 to the first term and `weight_bits` to the last.

    Members
    -------
    i : In(stream of `operand_layout`)
    o : Out(stream of `term_layout`)
    """

    def __init__(self, spec: MacSpec):
        self.spec = spec
        magnitude = Shape(spec.activation_bits + spec.weight_bits - 1, spec.signed_activation)
        self.shifted = Signal(magnitude)
        value = signed(magnitude.width + (not magnitude.signed))  # the complement has a sign in any case
        super().__init__(
            {
                "i": In(stream.Signature(operand_layout(spec))),
                "o": Out(stream.Signature(term_layout({"value": value, "carry": unsigned(1)}))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bits = self.spec.weight_bits
        weight = Signal(bits)  # the bits still to be used, the current one lowest
        shifted = self.shifted
        term = Signal.like(self.o.p.value)
        remaining = Signal(range(bits))  # terms after the current one
        ends = Signal()
        is_top = ~remaining.any()
        m.d.comb += [
            term.eq(Mux(weight[0], shifted, 0)),
            self.o.p.value.eq(term ^ is_top.replicate(len(term))),
            self.o.p.carry.eq(is_top),
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
    i : In(stream of `term_layout`)
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
            for lane, name in enumerate(self.widths):
                m.d.sync += self.o.p[name].eq(self.next_sum(name, starts, lane))
        return m

    def next_sum(self, name: str, starts: Signal, lane: int):
        """The running sum (zero where a dot product starts) + value + carry, by one adder.

        The carry, if there is one, goes in as a bit below the lowest on both sides, which every synthesis tool maps to
        the carry chain; `a + b + c` becomes a second adder in some.
        """
        addend = self.i.p.value
        carry = self.i.p.carry if "carry" in self.i.p.shape().members else Const(0, 0)
        if len(self.widths) > 1:
            mine = self.i.p.lane == lane
            addend, carry = Mux(mine, addend, 0), carry & mine
        base = Mux(starts, 0, self.o.p[name])
        # Not extended here: Yosys maps a short signed operand to fewer LUTs than a copy of its sign bits.
        total = Cat(carry, base).as_signed() + Cat(carry, addend).as_signed()
        return total[len(carry) :]


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
        widths = lane_widths(spec)
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
    Latency: 2 cycles from the last operand to the result (`serial`: `weight_bits` + 1, `post-exact`: 3).
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
        m.submodules.accumulate = accumulate = Accumulate(terms.o.p.shape(), lane_widths(self.spec))
        wiring.connect(m, wiring.flipped(self.i), terms.i)
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
