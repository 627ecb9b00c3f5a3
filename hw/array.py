"""The array: R × C multipliers around held weights, activations broadcast, a pipelined adder tree per column."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from asq_model.spec.array import ArraySpec
from hw.column import column_layout, make_column, make_multiples
from hw.mac.adder_tree import AdderTree, add, carry_of
from hw.multipliers import PRODUCTS, activation_shape


def stream_without_ready(shape: data.Layout) -> wiring.Signature:
    """The signature of a stream whose payload is taken at once. (`stream.Signature` has an option for that, which
    Amaranth 0.5 cannot write as Verilog.)
    """
    return wiring.Signature({"payload": Out(shape), "valid": Out(1)})


class Array(wiring.Component):
    """Computes W·a + s for the R × C weights W that it holds, a vector of activations and C partial sums a cycle.

    Interval 1, latency `ArraySpec.latency` from activations to their sums.

        i[0] ─► reg ─┬─► × weight[0][0] ─► reg ─┐       ┌─► × weight[0][1] ─► reg ─┐
                     └──────────────────────────┼───────┘                          │
        i[1] ─► reg ─┬─► × weight[1][0] ─► reg ─┤       ┌─► × weight[1][1] ─► reg ─┤
                     └──────────────────────────┼───────┘                          │
                                            AdderTree                          AdderTree
                                                ▼                                  ▼
                                      s[0] ───► + ─► reg ─► o[0]         s[1] ───► + ─► reg ─► o[1]

        load ─► weight[0][·] ─► weight[1][·] ─► …       a row of codes at a time

    The pipeline never waits, and what takes its sums has room: nothing in it depends on a handshake, so the arithmetic
    alone sets its clock. Partial sums join in the last stage: they are taken in the cycle in which `s.ready` is set,
    one before their sums come out.

    Weights are decoded when they are loaded, a row at a time, the last row first: each load moves all rows one
    further. An activation meets the weights loaded in its own cycle and before. Reset drops what is inside; the
    weights are then unknown.

    Members
    -------
    load : In(valid, payload: C weight codes)
    i : In(valid, payload: R activations)
    s : In(payload: C partial sums), s.ready : Out
    o : Out(valid, payload: C sums)
    """

    def __init__(self, spec: ArraySpec):
        self.spec = spec
        columns = data.ArrayLayout(column_layout(spec), spec.columns)
        codes = data.ArrayLayout(spec.mac.level_set.code_bits, spec.columns)
        activations = data.ArrayLayout(activation_shape(spec.mac), spec.rows)
        super().__init__(
            {
                "load": In(stream_without_ready(codes)),
                "i": In(stream_without_ready(activations)),
                "s": In(wiring.Signature({"payload": Out(columns), "ready": In(1)})),
                "o": Out(stream_without_ready(columns)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        before_products = 1 + self.spec.mac.splits_root
        held = Signal(before_products + self.spec.stages)  # which stages hold something, the first one lowest
        load = self.delay_load(m) if self.spec.mac.splits_root else self.load
        rows = [self.register_row(m, row) for row in range(self.spec.rows)]
        trees = [self.add_column(m, column, rows, load) for column in range(self.spec.columns)]
        m.d.sync += [held.eq(Cat(self.i.valid, held)), self.o.valid.eq(trees[0].o.valid)]
        m.d.comb += self.s.ready.eq(trees[0].o.valid)
        for column, tree in enumerate(trees):
            m.d.comb += [tree.i.valid.eq(held[-1]), tree.o.ready.eq(1)]
            for index, name in enumerate(self.spec.sum_widths):
                total = tree.o.p.sums[index]
                m.d.sync += self.o.payload[column][name].eq(
                    add(self.s.payload[column][name], total.value, carry_of(total))
                )
        return m

    def register_row(self, m: Module, row: int) -> dict[str, Signal]:
        """Put a row's activation and its multiples in registers; returns them by the name of the product's port."""
        parts = {"activation": self.i.payload[row]}
        if self.spec.mac.multiples:
            splits = self.spec.mac.splits_root
            m.submodules[f"multiples_{row}"] = multiples = make_multiples(self.spec, splits)
            m.d.comb += multiples.activation.eq(parts["activation"])
            if splits:  # the activation waits for its root
                parts["activation"] = Signal.like(multiples.activation, name=f"waiting_{row}")
                m.d.sync += parts["activation"].eq(self.i.payload[row])
            parts |= {name: getattr(multiples, name) for name in self.spec.mac.multiples}
        held = {name: Signal.like(part, name=f"{name}_{row}") for name, part in parts.items()}
        m.d.sync += [held[name].eq(part) for name, part in parts.items()]
        return held

    def delay_load(self, m: Module) -> wiring.PureInterface:
        """Delay `load` by a cycle, so that it is as late as activations that wait for their root."""
        load = self.load.signature.create(path=("delayed_load",))
        m.d.sync += [load.valid.eq(self.load.valid), load.payload.eq(self.load.payload)]
        return load

    def add_column(
        self, m: Module, column: int, rows: list[dict[str, Signal]], load: wiring.PureInterface
    ) -> AdderTree:
        """Add a column's weights and products; returns its tree."""
        mac = self.spec.mac
        products = [PRODUCTS[mac.unit](mac, self.spec.stages) for _ in rows]
        tree = AdderTree(data.StructLayout(products[0].outputs()), len(rows), len(self.spec.sum_widths))
        m.submodules[f"tree_{column}"] = tree
        loaded = products[0].decode(load.payload[column])
        for row, (product, held) in enumerate(zip(products, rows, strict=True)):
            m.submodules[f"product_{row}_{column}"] = product
            weight = Signal(product.control_bits(), name=f"weight_{row}_{column}")
            with m.If(load.valid):
                m.d.sync += weight.eq(loaded)
            loaded = weight
            m.d.comb += [product.control.eq(weight), *(getattr(product, name).eq(part) for name, part in held.items())]
            term = Signal.like(tree.i.p.terms[row], name=f"term_{row}_{column}")
            m.d.sync += [term[name].eq(getattr(product, name)) for name in product.outputs()]
            m.d.comb += tree.i.p.terms[row].eq(term)
        return tree


class MappedArray(Array):
    """An array whose columns are made of an FPGA family's own cells; what it computes, and its ports, are the same.

    A weight's control bits are loaded when they are used, some of them later than others, so that they need not wait
    beside their products.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        held = Signal(self.spec.latency)  # which stages hold something, the first one lowest
        m.d.sync += held.eq(Cat(self.i.valid, held))
        m.d.comb += [self.s.ready.eq(held[-2]), self.o.valid.eq(held[-1])]
        rows = [self.register_row(m, row) for row in range(self.spec.rows)]
        columns = [make_column(self.spec) for _ in range(self.spec.columns)]
        load = self.delay_load(m) if self.spec.mac.splits_root else self.load
        valids = [load.valid]
        for time in range(1, max(columns[0].control_times) + 1):
            valids.append(Signal(name=f"load_valid_{time}"))
            m.d.sync += valids[-1].eq(valids[-2])
        for place, column in enumerate(columns):
            m.submodules[f"column_{place}"] = column
            weights = self.hold_weights(m, place, column, load.payload[place], valids)
            for row, (weight, parts) in enumerate(zip(weights, rows, strict=True)):
                m.d.comb += column.control[row].eq(weight)
                m.d.comb += [getattr(column, name)[row].eq(part) for name, part in parts.items()]
            m.d.comb += [column.partial.eq(self.s.payload[place]), self.o.payload[place].eq(column.total)]
        return m

    def hold_weights(
        self, m: Module, place: int, column: wiring.Component, code: Value, valids: list[Signal]
    ) -> list[Signal]:
        """Hold a column's weights as control bits, a word a row. valids: when a row is loaded, and cycles later."""
        times = column.control_times
        before = Signal(len(times), name=f"loaded_{place}")  # the weight of the next row
        decoded = column.decode(code, before)
        with m.If(valids[0]):
            m.d.sync += before.eq(decoded)
        weights = [Signal(len(times), name=f"weight_{row}_{place}") for row in range(self.spec.rows)]
        for bit, time in enumerate(times):
            following = decoded[bit]
            for step in range(time):
                later = Signal(name=f"decoded_{place}_{bit}_{step}")
                m.d.sync += later.eq(following)
                following = later
            with m.If(valids[time]):
                for weight in weights:
                    m.d.sync += weight[bit].eq(following)
                    following = weight[bit]
        return weights
