"""The bench of the engine's AXI interfaces, driven by a third party's bus models."""

import json
import os
import random
from collections.abc import Iterator

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, with_timeout
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiResp,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

from hw.engine.axi_engine import REGISTERS

CASE = json.loads(os.environ["ASQ_AXI_CASE"])  # images as bytes, and the results of each
LIMIT_US = 200
WRONG_PLACE, NOTHING_WRONG = 2, 0


class Bus:
    """The three interfaces of an engine under test."""

    def __init__(self, dut):
        self.dut = dut
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.clk, dut.rst)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.clk, dut.rst)
        self.registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)

    async def read(self, name: str) -> int:
        return await self.registers.read_dword(REGISTERS[name])

    async def results(self) -> list[int]:
        frame = await with_timeout(self.sink.recv(), LIMIT_US, "us")
        return np.frombuffer(bytes(frame.tdata), "<i8").tolist()


async def start(dut) -> Bus:
    """A running clock, and an engine after reset."""
    cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
    dut.rst.value = 1
    bus = Bus(dut)
    await ClockCycles(dut.clk, 3)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 3)
    return bus


def pauses(seed: int, part: float) -> Iterator[bool]:
    rng = random.Random(seed)
    while True:
        yield rng.random() < part


@cocotb.test()
async def images_with_pauses(dut) -> None:
    """Images back to back, with pauses on both streams: all results are right, and the counters say so."""
    bus = await start(dut)
    for seed, part in enumerate((0, 0.5, 0.9)):
        bus.source.set_pause_generator(pauses(seed, part))
        bus.sink.set_pause_generator(pauses(seed + 10, part))
        for image in CASE["images"]:
            await bus.source.send(AxiStreamFrame(bytes(image)))
        for expected in CASE["results"]:
            assert await bus.results() == expected
    count = 3 * len(CASE["images"])
    assert [await bus.read(name) for name in ("images_in", "images_out", "status")] == [count, count, NOTHING_WRONG]
    assert await bus.read("input_waits") > 0
    assert await bus.read("output_waits") > 0
    assert 0 < await bus.read("cycles_of_image") < await bus.read("cycles")


@cocotb.test()
async def misplaced_last(dut) -> None:
    """An image that ends too early or too late stops the engine, nothing leaves, and a restart sets it right."""
    bus = await start(dut)
    image, expected = CASE["images"][0], CASE["results"][0]
    for wrong in (image[:-1], [*image, 0]):
        await bus.source.send(AxiStreamFrame(bytes(wrong)))
        await ClockCycles(dut.clk, 3000)
        assert await bus.read("status") == WRONG_PLACE
        assert bus.sink.empty()
        await restart(bus)
        await bus.source.send(AxiStreamFrame(bytes(image)))
        assert await bus.results() == expected
        assert await bus.read("images_out") == 1


async def restart(bus: Bus) -> None:
    """Restart until a source that still offers a value of a wrong image has got rid of it, and all is well."""
    while True:
        await bus.registers.write_dword(REGISTERS["control"], 1)
        await ClockCycles(bus.dut.clk, 60)
        if bus.source.idle() and await bus.read("status") == NOTHING_WRONG:
            return


@cocotb.test()
async def restart_midway(dut) -> None:
    """A restart in the middle of an image's way through the engine leaves nothing of it behind."""
    bus = await start(dut)
    for cycles in (1, 100, 350):
        await bus.source.send(AxiStreamFrame(bytes(CASE["images"][1])))
        while await bus.read("images_in") == 0:
            pass
        await ClockCycles(dut.clk, cycles)
        await restart(bus)
        assert bus.sink.empty()
        await bus.source.send(AxiStreamFrame(bytes(CASE["images"][0])))
        assert await bus.results() == CASE["results"][0]
        await restart(bus)


@cocotb.test()
async def registers_that_are_not(dut) -> None:
    """Other addresses, and writing to what only tells, give an error response."""
    bus = await start(dut)
    assert (await bus.registers.read(0x3C, 4)).resp == AxiResp.SLVERR
    assert (await bus.registers.write(REGISTERS["status"], bytes(4))).resp == AxiResp.SLVERR
    assert (await bus.registers.read(REGISTERS["status"], 4)).resp == AxiResp.OKAY
