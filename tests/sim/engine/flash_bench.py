"""The bench of an engine that stands alone: a model of its board's flash, and what is at the other end of its line."""

import json
import os
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, First, RisingEdge

from hw.engine.flash_reader import PLACE, READ, WAKE_UP

CASE = json.loads(Path(os.environ["ASQ_FLASH_CASE"]).read_text())
BIT, SIZE = CASE["bit_cycles"], CASE["result_bytes"]
LATER = 2 * CASE["latency"] + 1000  # cycles in which a result would have come


async def flash(dut, contents: bytes) -> None:
    """A flash in mode 0: asleep at first, then it reads on from an address."""
    awake = False
    while True:
        await FallingEdge(dut.cs)
        word, bits, sent = 0, 0, 0
        while not dut.cs.value:
            await First(RisingEdge(dut.cs), dut.sck.value_change)
            if dut.cs.value:
                break
            if dut.sck.value:
                word, bits = word << 1 | int(dut.mosi.value), bits + 1
            elif bits >= 32 and awake:
                place = (word >> (bits - 32) & 0xFFFFFF) - PLACE + sent // 8
                byte = contents[place] if 0 <= place < len(contents) else 0xFF
                dut.miso.value = byte >> (7 - sent % 8) & 1
                sent += 1
        if bits == 8:
            awake = word == WAKE_UP
        elif bits >= 32:
            assert word >> (bits - 8) == READ


async def start(dut, contents: list[int]) -> None:
    """A running clock, a flash with these bytes, and an engine after reset."""
    cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
    dut.rst.value, dut.rx.value, dut.miso.value = 1, 1, 0
    await ClockCycles(dut.clk, 3)
    cocotb.start_soon(flash(dut, bytes(contents)))
    dut.rst.value = 0
    await ClockCycles(dut.clk, 1000 + 17 * len(contents))


async def send(dut, numbers: list[int]) -> None:
    """Send bytes over the line."""
    for number in numbers:
        for bit in [0, *(number >> place & 1 for place in range(8)), 1]:
            dut.rx.value = bit
            await ClockCycles(dut.clk, BIT)


async def receive(dut, bits: list[int]) -> None:
    """Note the bytes that come over the line."""
    while True:
        await FallingEdge(dut.tx)
        await ClockCycles(dut.clk, BIT // 2)
        byte = 0
        for place in range(8):
            await ClockCycles(dut.clk, BIT)
            byte |= int(dut.tx.value) << place
        await ClockCycles(dut.clk, BIT)
        assert dut.tx.value
        bits.append(byte)


def results(numbers: list[int]) -> list[int]:
    """The results in what came."""
    whole = [bytes(numbers[place : place + SIZE]) for place in range(0, len(numbers), SIZE)]
    return [int.from_bytes(each, "little", signed=True) for each in whole]


@cocotb.test()
async def images_over_the_line(dut) -> None:
    """Weights come from the flash; every image gives the graph's results, sent one by one or while one is at work."""
    await start(dut, CASE["flash"])
    found: list[int] = []
    cocotb.start_soon(receive(dut, found))
    assert not dut.error.value
    for image in CASE["images"]:
        await send(dut, image)
        await ClockCycles(dut.clk, CASE["latency"])
    await ClockCycles(dut.clk, LATER + 100 * BIT * SIZE)
    assert results(found) == [number for image in CASE["results"] for number in image]
    assert not dut.error.value


@cocotb.test()
async def damaged_flash(dut) -> None:
    """A bit that is wrong, words for another engine, an empty flash: an error, and nothing leaves."""
    for place in (0, len(CASE["flash"]) // 2, len(CASE["flash"]) - 1, None):
        contents = list(CASE["flash"])
        if place is None:
            contents = [0xFF] * len(contents)
        else:
            contents[place] ^= 16
        await start(dut, contents)
        found: list[int] = []
        noting = cocotb.start_soon(receive(dut, found))
        assert dut.error.value
        await send(dut, CASE["images"][0])
        await ClockCycles(dut.clk, LATER)
        assert found == []
        noting.cancel()


@cocotb.test()
async def too_many_bytes(dut) -> None:
    """Bytes that come before there is room for them end in an error; no wrong result leaves."""
    await start(dut, CASE["flash"])
    found: list[int] = []
    cocotb.start_soon(receive(dut, found))
    await send(dut, CASE["images"][0] * 8)
    await ClockCycles(dut.clk, LATER)
    assert dut.error.value
    right = CASE["results"][0] * 8
    assert results(found) == right[: len(found) // SIZE]
    assert len(found) < len(right) * SIZE
