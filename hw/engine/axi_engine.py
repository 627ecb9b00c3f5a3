"""The engine with AXI interfaces: images and results as AXI4-Stream, control, status and counters as AXI4-Lite."""

from amaranth.hdl import Cat, Const, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.engine.engine import Engine
from hw.engine.instruction_counts import InstructionCounts
from hw.engine.load_words import compute_engine_number
from hw.engine.memory_loader import MemoryLoader
from hw.engine.registers import LOAD_BIT, REGISTERS, RESTART_BIT, VALUES_BIT, WRITABLE

RESULT_BITS = 64  # of a result, sign extended
DATA_BITS, ADDRESS_BITS = 32, 6  # of the registers
BYTE_BITS = 2  # of an address: which byte of its register
OKAY, SLAVE_ERROR = 0, 2


class AxiEngine(wiring.Component):
    """Runs a network for images from an AXI4-Stream; results leave by another, the last of an image with TLAST.

    TLAST marks an image's last value. Where it comes elsewhere the engine stops: nothing is taken and nothing leaves
    until it is restarted. The registers are `REGISTERS`; others, and writing to those that only tell, give SLVERR. A
    write leaves bytes as they are that its strobes do not name. The two lowest bits of an address are those of a byte
    in its register, and are not looked at.

    Where the engine can be loaded, bit 1 of `control` stops it, and the words of `hw.engine.load_words` go to `load`,
    one after the other. It starts with the last if their checksum is right; otherwise it stays stopped.

    Members
    -------
    s_axis_… : In, a value each; bytes, or signed numbers in whole bytes
    m_axis_… : Out, a result each, `RESULT_BITS` bits
    s_axil_… : AXI4-Lite, `DATA_BITS` bits
    """

    def __init__(self, engine: Engine):
        self.engine = engine
        self.number = compute_engine_number(engine.spec, engine.radix_bits, engine.piece_bits)
        value = -(-len(engine.i.payload) // 8) * 8
        super().__init__(
            {
                "s_axis_tdata": In(value),
                "s_axis_tvalid": In(1),
                "s_axis_tready": Out(1),
                "s_axis_tlast": In(1),
                "m_axis_tdata": Out(RESULT_BITS),
                "m_axis_tvalid": Out(1),
                "m_axis_tready": In(1),
                "m_axis_tlast": Out(1),
                "s_axil_awaddr": In(ADDRESS_BITS),
                "s_axil_awprot": In(3),
                "s_axil_awvalid": In(1),
                "s_axil_awready": Out(1),
                "s_axil_wdata": In(DATA_BITS),
                "s_axil_wstrb": In(DATA_BITS // 8),
                "s_axil_wvalid": In(1),
                "s_axil_wready": Out(1),
                "s_axil_bresp": Out(2),
                "s_axil_bvalid": Out(1),
                "s_axil_bready": In(1),
                "s_axil_araddr": In(ADDRESS_BITS),
                "s_axil_arprot": In(3),
                "s_axil_arvalid": In(1),
                "s_axil_arready": Out(1),
                "s_axil_rdata": Out(DATA_BITS),
                "s_axil_rresp": Out(2),
                "s_axil_rvalid": Out(1),
                "s_axil_rready": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        restart, misplaced = Signal(), Signal()
        control, load = Signal(2), Signal()  # bits of control that are set now; a word for `load` is there
        expected = Signal()  # a word for `load` is expected
        m.submodules.engine = engine = ResetInserter(restart)(self.engine)
        takes, gives = Signal(), Signal()
        offered = Signal()  # a result that has been offered stays
        m.d.sync += offered.eq(self.m_axis_tvalid & ~self.m_axis_tready)
        lets_out = ~misplaced | offered
        m.d.comb += [
            engine.i.payload.eq(self.s_axis_tdata),
            engine.i.valid.eq(self.s_axis_tvalid & ~misplaced),
            self.s_axis_tready.eq(engine.i.ready & ~misplaced),
            takes.eq(self.s_axis_tvalid & self.s_axis_tready),
            self.m_axis_tdata.eq(engine.o.payload.value),
            self.m_axis_tvalid.eq(engine.o.valid & lets_out),
            self.m_axis_tlast.eq(engine.o.payload.last),
            engine.o.ready.eq(self.m_axis_tready & lets_out),
            gives.eq(self.m_axis_tvalid & self.m_axis_tready),
        ]
        with m.If(takes & (self.s_axis_tlast != engine.takes_last)):
            m.d.sync += misplaced.eq(1)
        counters = self.count(m, restart, takes, gives)
        damaged, waits = self.load_network(m, control, load, expected)
        m.d.comb += restart.eq(control[RESTART_BIT] | waits)
        instruction = Signal(VALUES_BIT + 1)
        values = counters | {"status": Cat(engine.error, misplaced, damaged, waits)}
        self.read(m, values | self.count_instructions(m, restart, instruction) | {"instruction": instruction})
        self.write(m, control, load, expected, instruction)
        with m.If(restart):
            m.d.sync += misplaced.eq(0)
        return m

    def load_network(self, m: Module, control: Signal, load: Signal, expected: Signal) -> tuple[Value, Value]:
        """Load a network; returns whether what came is damaged, and whether the engine waits for the rest of it."""
        writer = self.engine.writer
        if writer is None:
            return Const(0, 1), Const(0, 1)
        m.submodules.loader = loader = MemoryLoader(writer.sizes, self.number)
        m.d.comb += [
            loader.begin.eq(control[LOAD_BIT]),
            loader.valid.eq(load),
            loader.word.eq(self.s_axil_wdata),
            self.engine.rows.eq(loader.rows),
            expected.eq(loader.expects),
        ]
        return loader.damaged, ~loader.whole

    def count_instructions(self, m: Module, restart: Signal, instruction: Signal) -> dict[str, Value]:
        """Add the counts of both programs; returns those of the instruction that is asked for, by their register."""
        engine, counts = self.engine, {}
        for name, event in (("array", engine.array), ("value", engine.value)):
            m.submodules[f"{name}_counts"] = counts[name] = InstructionCounts(engine.spec, name)
            m.d.comb += [
                counts[name].count.eq(engine.counts[name]),
                counts[name].event.eq(event),
                counts[name].restart.eq(restart),
                counts[name].number.eq(instruction),
            ]
        array, value = counts["array"], counts["value"]
        return {
            "instruction_cycles": Mux(instruction[VALUES_BIT], value.cycles, array.cycles),
            "instruction_waits": Mux(instruction[VALUES_BIT], value.waits, array.waits),
        }

    def count(self, m: Module, restart: Signal, takes: Signal, gives: Signal) -> dict[str, Signal]:
        """Add the counters, which a restart clears; returns them by their register's name."""
        names = ("images_in", "images_out", "cycles", "cycles_of_image", "input_waits", "output_waits")
        counters = {name: Signal(DATA_BITS, name=name) for name in names}
        since = Signal(DATA_BITS)  # cycles since the last image's last result, or since the restart
        out = gives & self.m_axis_tlast
        waits = self.s_axis_tvalid & ~self.s_axis_tready, self.m_axis_tvalid & ~self.m_axis_tready
        m.d.sync += [
            counters["images_in"].eq(counters["images_in"] + (takes & self.s_axis_tlast)),
            counters["images_out"].eq(counters["images_out"] + out),
            counters["cycles"].eq(counters["cycles"] + 1),
            counters["input_waits"].eq(counters["input_waits"] + waits[0]),
            counters["output_waits"].eq(counters["output_waits"] + waits[1]),
            since.eq(Mux(out, 1, since + 1)),
        ]
        with m.If(out):
            m.d.sync += counters["cycles_of_image"].eq(since)
        with m.If(restart):
            m.d.sync += [counter.eq(0) for counter in (since, *counters.values())]
        return counters

    def read(self, m: Module, values: dict[str, Value]) -> None:
        """Answer a read: an address is taken when no answer waits."""
        m.d.comb += self.s_axil_arready.eq(~self.s_axil_rvalid)
        with m.If(self.s_axil_rvalid & self.s_axil_rready):
            m.d.sync += self.s_axil_rvalid.eq(0)
        with m.If(self.s_axil_arvalid & self.s_axil_arready):
            m.d.sync += [self.s_axil_rvalid.eq(1), self.s_axil_rdata.eq(0), self.s_axil_rresp.eq(SLAVE_ERROR)]
            with m.Switch(self.s_axil_araddr[BYTE_BITS:]):
                for name, address in REGISTERS.items():
                    with m.Case(address >> BYTE_BITS):
                        value = values.get(name, Const(0, DATA_BITS))
                        m.d.sync += [self.s_axil_rdata.eq(value), self.s_axil_rresp.eq(OKAY)]

    def write(self, m: Module, control: Signal, load: Signal, expected: Signal, instruction: Signal) -> None:
        """Answer a write: address and data are taken together, when no answer waits."""
        both = self.s_axil_awvalid & self.s_axil_wvalid & ~self.s_axil_bvalid
        number = self.s_axil_awaddr[BYTE_BITS:]
        chosen = {name: both & (number == REGISTERS[name] >> BYTE_BITS) for name in WRITABLE}
        chosen["load"] &= expected & self.s_axil_wstrb.all()
        m.d.comb += [self.s_axil_awready.eq(both), self.s_axil_wready.eq(both)]
        m.d.sync += control.eq(Mux(chosen["control"] & self.s_axil_wstrb[0], self.s_axil_wdata, 0))
        m.d.comb += load.eq(chosen["load"])
        for byte, strobe in enumerate(self.s_axil_wstrb[: -(-len(instruction) // 8)]):
            with m.If(chosen["instruction"] & strobe):
                m.d.sync += instruction.word_select(byte, 8).eq(self.s_axil_wdata.word_select(byte, 8))
        with m.If(self.s_axil_bvalid & self.s_axil_bready):
            m.d.sync += self.s_axil_bvalid.eq(0)
        with m.If(both):
            right = Cat(chosen.values()).any()
            m.d.sync += [self.s_axil_bvalid.eq(1), self.s_axil_bresp.eq(Mux(right, OKAY, SLAVE_ERROR))]
