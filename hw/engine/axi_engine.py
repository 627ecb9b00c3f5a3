"""The engine with AXI interfaces: images and results as AXI4-Stream, control, status and counters as AXI4-Lite."""

from amaranth.hdl import Cat, Const, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.engine.engine import Engine

RESULT_BITS = 64  # of a result, sign extended
DATA_BITS, ADDRESS_BITS = 32, 6  # of the registers
OKAY, SLAVE_ERROR = 0, 2
REGISTERS = {
    "control": 0x00,  # writable: bit 0 restarts the engine and clears all counters
    "status": 0x04,  # bit 0: a program is damaged; bit 1: an image's last value was not where TLAST was
    "images_in": 0x08,
    "images_out": 0x0C,
    "cycles": 0x10,  # since the restart
    "cycles_of_image": 0x14,  # between the last results of the last two images
    "input_waits": 0x18,  # cycles in which a value was offered and not taken
    "output_waits": 0x1C,  # cycles in which a result was offered and not taken
}


class AxiEngine(wiring.Component):
    """Runs a network for images from an AXI4-Stream; results leave by another, the last of an image with TLAST.

    TLAST marks an image's last value. Where it comes elsewhere the engine stops: nothing is taken and nothing leaves
    until it is restarted. The registers are `REGISTERS`; others, and writing to those that only tell, give SLVERR.

    Members
    -------
    s_axis_… : In, a value each; bytes, or signed numbers in whole bytes
    m_axis_… : Out, a result each, `RESULT_BITS` bits
    s_axil_… : AXI4-Lite, `DATA_BITS` bits
    """

    def __init__(self, engine: Engine):
        self.engine = engine
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
        counters = self.count(m, takes, gives)
        self.read(m, counters | {"status": Cat(engine.error, misplaced)})
        self.write(m, restart)
        with m.If(restart):
            m.d.sync += [misplaced.eq(0), *(counter.eq(0) for counter in counters.values())]
        return m

    def count(self, m: Module, takes: Signal, gives: Signal) -> dict[str, Signal]:
        """The counters, by their register's name."""
        names = ("images_in", "images_out", "cycles", "cycles_of_image", "input_waits", "output_waits")
        counters = {name: Signal(DATA_BITS, name=name) for name in names}
        since = Signal(DATA_BITS)  # cycles since the last image's last result
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
        return counters

    def read(self, m: Module, values: dict[str, Value]) -> None:
        """Answer a read: an address is taken when no answer waits."""
        m.d.comb += self.s_axil_arready.eq(~self.s_axil_rvalid)
        with m.If(self.s_axil_rvalid & self.s_axil_rready):
            m.d.sync += self.s_axil_rvalid.eq(0)
        with m.If(self.s_axil_arvalid & self.s_axil_arready):
            m.d.sync += [self.s_axil_rvalid.eq(1), self.s_axil_rdata.eq(0), self.s_axil_rresp.eq(SLAVE_ERROR)]
            with m.Switch(self.s_axil_araddr):
                for name, address in REGISTERS.items():
                    with m.Case(address):
                        value = values.get(name, Const(0, DATA_BITS))
                        m.d.sync += [self.s_axil_rdata.eq(value), self.s_axil_rresp.eq(OKAY)]

    def write(self, m: Module, restart: Signal) -> None:
        """Answer a write: address and data are taken together, when no answer waits."""
        both = self.s_axil_awvalid & self.s_axil_wvalid & ~self.s_axil_bvalid
        chosen = self.s_axil_awaddr == REGISTERS["control"]
        m.d.comb += [self.s_axil_awready.eq(both), self.s_axil_wready.eq(both)]
        m.d.sync += restart.eq(both & chosen & self.s_axil_wstrb[0] & self.s_axil_wdata[0])
        with m.If(self.s_axil_bvalid & self.s_axil_bready):
            m.d.sync += self.s_axil_bvalid.eq(0)
        with m.If(both):
            m.d.sync += [self.s_axil_bvalid.eq(1), self.s_axil_bresp.eq(Mux(chosen, OKAY, SLAVE_ERROR))]
