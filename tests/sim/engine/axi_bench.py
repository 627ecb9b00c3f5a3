"""The bench of the engine's AXI interfaces, driven by a third party's bus models."""

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

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

from hw.engine.load_words import add_checksum
from hw.engine.registers import LOAD_BIT, REGISTERS, VALUES_BIT

CASE = json.loads(Path(os.environ["ASQ_AXI_CASE"]).read_text())  # images as bytes, and the results of each
OTHER = CASE["other"]
LIMIT_US = 200
WRONG_PLACE, NOTHING_WRONG = 2, 0
DAMAGED, LOADING = 4, 8
IDLE = 500  # cycles in which a host reads counters


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
        assert 0 < await bus.read("cycles_of_image") < await bus.read("cycles")  # of this image alone


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


@cocotb.test()
async def parts_of_registers(dut) -> None:
    """A write of some bytes of a register changes these bytes and no others; a byte can be read at its own address."""
    bus = await start(dut)
    number, control = REGISTERS["instruction"], REGISTERS["control"]
    await bus.registers.write_dword(number, 0x10203)
    for place, part, left in ((0, b"\x44", 0x10244), (1, b"\x55", 0x15544), (2, b"\x00", 0x5544), (3, b"\xff", 0x5544)):
        assert (await bus.registers.write(number + place, part)).resp == AxiResp.OKAY
        assert await bus.read("instruction") == left, (place, part)
    assert (await bus.registers.read(number + 1, 1)).data == b"\x55"
    cycles = await bus.read("cycles")
    await bus.registers.write(control + 1, b"\xff")  # none of the bits that restart or load
    assert await bus.read("cycles") > cycles and await bus.read("status") == NOTHING_WRONG
    await bus.registers.write(control, b"\x01")
    assert await bus.read("cycles") < cycles


async def load(bus: Bus, words: list[int]) -> None:
    """Load a network."""
    await bus.registers.write_dword(REGISTERS["control"], 1 << LOAD_BIT)
    for word in words:
        await bus.registers.write_dword(REGISTERS["load"], word)


async def run(bus: Bus, case: dict) -> None:
    """Send all images of a network, and compare its results."""
    for image in case["images"]:
        await bus.source.send(AxiStreamFrame(bytes(image)))
    for expected in case["results"]:
        assert await bus.results() == expected


@cocotb.test()
async def another_network(dut) -> None:
    """A network that is loaded over that of the bitstream in mid-image gives its own results, and so does a third."""
    bus = await start(dut)
    await run(bus, CASE)
    await bus.source.send(AxiStreamFrame(bytes(CASE["images"][0])))
    while await bus.read("images_in") <= len(CASE["images"]):
        pass
    for case in (OTHER, CASE, OTHER):
        await load(bus, case["words"])
        assert await bus.read("status") == NOTHING_WRONG
        await run(bus, case)
        assert await bus.read("images_out") == len(case["images"])


UNFINISHED = ("a bit of word 1", "a word less")  # after which the engine waits for more


def damaged_loads() -> Iterator[tuple[str, list[int]]]:
    """Words of a network that were changed on their way, each kind once."""
    words = OTHER["words"]
    for place in (1, len(words) // 2, len(words) - 3, len(words) - 1):
        yield f"a bit of word {place}", [*words[:place], words[place] ^ 1 << 9, *words[place + 1 :]]
    yield "a word less", [*words[:-3], *words[-2:]]
    yield "a word more", [*words[:-2], 0, *words[-2:]]
    place = next(place for place in range(4, len(words)) if words[place] != words[place + 1])
    yield "two words in another order", [*words[:place], words[place + 1], words[place], *words[place + 2 :]]
    yield "words for another engine", add_checksum(np.array([words[0] ^ 1, *words[1:-1]], "<u4")).tolist()
    yield "more rows than there are", add_checksum(np.array([words[0], (9 << 24) + 257, 0], "<u4")).tolist()


@cocotb.test()
async def damaged_load(dut) -> None:
    """What was changed on its way ends in an error; the engine takes and gives nothing until a load ends well."""
    bus = await start(dut)
    for name, words in damaged_loads():
        await bus.registers.write_dword(REGISTERS["control"], 1 << LOAD_BIT)
        answers = [await bus.registers.write(REGISTERS["load"], word.to_bytes(4, "little")) for word in words]
        refused = await bus.read("status") == DAMAGED | LOADING
        unfinished = answers[-1].resp == AxiResp.OKAY and await bus.read("status") == LOADING
        assert refused or (unfinished and name in UNFINISHED), name
        await bus.registers.write_dword(REGISTERS["control"], 1)  # a restart does not help
        await bus.source.send(AxiStreamFrame(bytes(OTHER["images"][0])))
        await ClockCycles(dut.clk, 500)
        assert await bus.read("status") & LOADING
        assert await bus.read("images_in") == 0
        assert bus.sink.empty()
        await load(bus, OTHER["words"])
        assert await bus.results() == OTHER["results"][0]
        assert await bus.read("status") == NOTHING_WRONG


@cocotb.test()
async def words_that_nothing_waits_for(dut) -> None:
    """A word to load is refused before a load has begun, after its end, and where some bytes of it are left out."""
    bus = await start(dut)
    place, words = REGISTERS["load"], OTHER["words"]
    assert (await bus.registers.write(place, bytes(4))).resp == AxiResp.SLVERR
    await load(bus, words[:3])
    assert (await bus.registers.write(place, bytes(2))).resp == AxiResp.SLVERR
    for word in words[3:]:
        assert (await bus.registers.write(place, word.to_bytes(4, "little"))).resp == AxiResp.OKAY
    assert (await bus.registers.write(place, bytes(4))).resp == AxiResp.SLVERR
    await run(bus, OTHER)


async def counts(bus: Bus, instruction: dict) -> tuple[int, int]:
    """The cycles of an instruction, and those that it waited."""
    number = instruction["number"] | (instruction["program"] == "values") << VALUES_BIT
    await bus.registers.write_dword(REGISTERS["instruction"], number)
    return await bus.read("instruction_cycles"), await bus.read("instruction_waits")


@cocotb.test()
async def cycles_of_instructions(dut) -> None:
    """Each instruction took the cycles that the compiler says, with pauses, too; the first waited for its image."""
    bus = await start(dut)  # with the network that a test before has loaded: memories keep it
    for case, pausing in ((CASE, 0), (OTHER, 0), (CASE, 0.7), (OTHER, 0.7)):
        bus.source.set_pause_generator(pauses(1, pausing))
        bus.sink.set_pause_generator(pauses(2, pausing))
        await load(bus, case["words"])
        await run(bus, case)
        for instruction in case["instructions"]:
            cycles, _ = await counts(bus, instruction)
            assert cycles == instruction["cycles"], (instruction, cycles)
    begins = [each for each in OTHER["instructions"] if each["name"] == "input"]  # one of each bank
    for wait in (1000, 3000):
        await ClockCycles(dut.clk, wait)
        before = await bus.read("cycles")
        await bus.source.send(AxiStreamFrame(bytes(OTHER["images"][0])))
        assert await bus.results() == OTHER["results"][0]
        after = await bus.read("cycles")
        waited = max([(await counts(bus, begin))[1] for begin in begins])
        assert wait - IDLE < waited < wait + after - before + IDLE
