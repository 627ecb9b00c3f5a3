"""What follows a sum or a value: times K, plus B, plus the side branch, shifted, rounded, kept between two bounds."""

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.engine.collector import values_layout
from hw.engine.engine_spec import EngineSpec
from hw.engine.instruction_fields import follow_fields
from hw.engine.places import delay, item_layout, target_layout

FINISHER_LATENCY = 8  # cycles from an item to its values


def scales_layout(spec: EngineSpec) -> data.ArrayLayout:
    """A word of scales K, one for each lane."""
    return data.ArrayLayout(signed(spec.scale_bits), spec.lanes)


def totals_layout(spec: EngineSpec) -> data.ArrayLayout:
    """A word of biases B, of acc · K + B, or of results."""
    return data.ArrayLayout(signed(spec.total_bits), spec.lanes)


class Finisher(wiring.Component):
    """Computes y = clamp(round_shift(x · K + B + side · 2^align, n), low, high) of every channel of a word.

    Results may be wider than values: they are not kept between two bounds, at most not below 0.

    Interval 1, latency `FINISHER_LATENCY`. Scales, biases and the side branch of an item come a cycle after it, from
    memories.

        x ─► reg ─► reg ─► × K ─► reg ─► reg ──────────────┐
                                                           + ─► reg ─► >> n ─► reg ─► +½ ─► reg ─► clamp ─► reg ─► y
        side ────► reg ─► << align ─► reg ─► + B ─► reg ───┘

    Members
    -------
    follow : In(fields of the instruction)
    valid : In(1), item : In(`item_layout`)
    scales, biases, side : In(a word each), a cycle later
    done : Out(1), target : Out(`target_layout`)
    values : Out(a word of values), results : Out(a word of totals, of which a value's bits count if it is not wide)
    """

    def __init__(self, spec: EngineSpec):
        self.spec = spec
        super().__init__(
            {
                "follow": In(data.StructLayout(follow_fields(spec))),
                "valid": In(1),
                "item": In(item_layout(spec)),
                "scales": In(scales_layout(spec)),
                "biases": In(totals_layout(spec)),
                "side": In(values_layout(spec)),
                "done": Out(1),
                "target": Out(target_layout(spec)),
                "values": Out(values_layout(spec)),
                "results": Out(totals_layout(spec)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [
            self.done.eq(delay(m, self.valid, FINISHER_LATENCY, "valid")),
            self.target.eq(delay(m, self.item.target, FINISHER_LATENCY, "target")),
        ]
        for lane in range(self.spec.lanes):
            self.finish(m, lane)
        return m

    def finish(self, m: Module, lane: int) -> None:
        """One lane's pipeline."""
        spec, follow = self.spec, self.follow
        total_shape = signed(spec.total_bits)

        def register(value: Value, name: str, shape: Shape | None = None) -> Signal:
            held = Signal(shape or value.shape(), name=f"{name}_{lane}")
            m.d.sync += held.eq(value)
            return held

        x = register(register(self.item.operands[lane], "operand"), "factor")
        scale, bias = register(self.scales[lane], "scale"), register(self.biases[lane], "bias")
        side = register(Mux(follow.has_side, self.side[lane], 0).as_signed(), "side")
        product = register(register(x * scale, "product"), "product_held")
        aligned = (side << follow.align) << spec.least_align
        shifted = register(aligned[: spec.total_bits].as_signed(), "aligned", total_shape)
        added = register(shifted + register(bias, "bias_held"), "added", total_shape)
        total = register(product + added, "total", total_shape)
        doubled = Cat(Const(0, 1), total).as_signed()
        moved = (doubled >> spec.least_shift) >> follow.shift
        halves = register(Mux(follow.shifts_total, moved, doubled).as_signed(), "halves")
        rounded = register((halves + 1) >> 1, "rounded", total_shape)
        self.bound(m, rounded, lane)

    def bound(self, m: Module, total: Signal, lane: int) -> None:
        """Keep a lane's total between the bounds, or from 0 on if it may be wider than a value and `low` is 0."""
        follow, bits = self.follow, self.spec.value_bits
        above, number = total[bits:], total[:bits].as_signed()
        negative = total[-1]
        fits = (above == negative.replicate(len(above))) & (total[bits - 1] == negative)
        below = Mux(follow.is_wide, negative & ~follow.low[-1], Mux(fits, number < follow.low, negative))
        over = ~follow.is_wide & Mux(fits, number > follow.high, ~negative)
        kept = Signal(signed(bits), name=f"kept_{lane}")
        rest = Signal(len(above), name=f"rest_{lane}")
        m.d.sync += [
            kept.eq(Mux(below, follow.low, Mux(over, follow.high, number))),
            rest.eq(Mux(below, 0, above)),
        ]
        m.d.comb += [self.values[lane].eq(kept), self.results[lane].eq(Cat(kept, rest))]
