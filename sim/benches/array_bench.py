"""The bench that every array passes: tiles of weights, vectors of activations, partial sums in and sums out.

The job is as that of `sim.benches.mac_bench`, `spec` an array's.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, NextTimeStep, ReadOnly
from cocotb.utils import get_sim_time

from asq_model.spec.array import ArraySpec
from asq_model.spec.golden_vectors import read_golden
from hw.harness.bench_top import COUNTS
from sim.benches.job import JOB, REPORTED_FAILURES, bench_test, chosen_layers, moment, record, shortened, sometimes
from sim.benches.stream_driver import PERIOD_NS, always, counters
from sim.vectors.array_tiles import Tile, extreme_tiles, golden_tiles, random_tile
from sim.vectors.packing import unpacked

SPEC = ArraySpec.of(JOB["spec"])


@dataclass
class Seen:
    """Sums in order, the cycles in which activations went in and sums came out, and the first cycle's falling edge."""

    results: list[int] = field(default_factory=list)
    accepted_at: list[int] = field(default_factory=list)
    offered_at: list[int] = field(default_factory=list)
    began_ns: float = 0


async def begin(dut) -> None:
    """Start the clock and reset the array."""
    Clock(dut.clk, PERIOD_NS, unit="ns").start()
    for name in ("load__valid", "load__payload", "i__payload", "s__payload"):
        getattr(dut, name).value = 0
    await restart(dut)


async def restart(dut) -> None:
    """Hold reset over one rising edge, while activations are offered that must not be taken."""
    await FallingEdge(dut.clk)
    dut.i__valid.value = 1
    dut.rst.value = 1
    await FallingEdge(dut.clk)
    dut.i__valid.value = 0
    dut.rst.value = 0


async def load(dut, tile: Tile, offer: Callable[[], bool] = always) -> None:
    """Load a tile's weights, a row whenever `offer` says so."""
    for word in tile.load_words(SPEC):
        while not offer():
            dut.load__valid.value = 0
            dut.load__payload.value = word ^ 1  # must not be taken
            await FallingEdge(dut.clk)
        dut.load__valid.value = 1
        dut.load__payload.value = word
        await FallingEdge(dut.clk)
    dut.load__valid.value = 0


async def stream(dut, tile: Tile, offer: Callable[[], bool] = always) -> Seen:
    """Send a tile's vectors, and partial sums as they are asked for; a vector goes in whenever `offer` says so."""
    seen = Seen(began_ns=get_sim_time("ns"))
    words, partial = iter(tile.words(SPEC)), iter(tile.partial_words(SPEC))
    sent, results = 0, len(tile.activations)
    for cycle in range(100 * results + 100):
        offered = sent < results and offer()
        dut.i__valid.value = int(offered)
        if offered:
            dut.i__payload.value = next(words)
            seen.accepted_at.append(cycle)
            sent += 1
        await ReadOnly()
        asked = dut.s__ready.value == 1
        if dut.o__valid.value == 1:
            seen.results.append(dut.o__payload.value.to_unsigned())
            seen.offered_at.append(cycle)
        if len(seen.results) == results:
            break
        await NextTimeStep()
        if asked:
            dut.s__payload.value = next(partial)
        await FallingEdge(dut.clk)
    await FallingEdge(dut.clk)
    dut.i__valid.value = 0
    return seen


def assert_right(tile: Tile, seen: Seen) -> None:
    widths = SPEC.result_widths
    wrong = [
        (index, unpacked(expected, widths), unpacked(got, widths))
        for index, (expected, got) in enumerate(zip(tile.expected_words(SPEC), seen.results, strict=False))
        if expected != got
    ]
    lines = [f"{tile.name} vector {index}: expected {expected}, got {got}" for index, expected, got in wrong]
    if wrong:
        said = "; ".join([*lines[:REPORTED_FAILURES], first_of(tile, seen, *wrong[0])])
        raise AssertionError(f"{len(wrong)} wrong results; {said}")
    assert len(seen.results) == len(tile.activations), f"{len(seen.results)} results of {len(tile.activations)}"
    delays = {out - taken for taken, out in zip(seen.accepted_at, seen.offered_at, strict=True)}
    assert delays == {SPEC.latency}, f"latencies {delays}, expected {SPEC.latency}"


def first_of(tile: Tile, seen: Seen, index: int, expected: list[int], got: list[int]) -> str:
    """When the first wrong sums came out, and what the first wrong one is made of."""
    when = moment(seen.began_ns + PERIOD_NS * seen.offered_at[index] + PERIOD_NS / 2)
    sums = len(expected) // SPEC.columns
    column = next(place for place, pair in enumerate(zip(expected, got, strict=True)) if pair[0] != pair[1]) // sums
    operands = zip(tile.codes[:, column].tolist(), tile.activations[index].tolist(), strict=True)
    return f"the first {when}, column {column}, of codes × activations {shortened(f'{c}×{a}' for c, a in operands)}"


async def check(dut, tile: Tile, offer: Callable[[], bool] = always) -> Seen:
    """Load a tile and send its vectors: all sums as expected, each `SPEC.latency` cycles after its activations."""
    await load(dut, tile, offer)
    seen = await stream(dut, tile, offer)
    assert_right(tile, seen)
    return seen


@bench_test
async def golden(dut):
    """Tiles of the golden layers' weights on their activations, at full rate, to the cycle."""
    vectors, totals = 0, {name: 0 for name in COUNTS}
    await begin(dut)
    for layer in chosen_layers(read_golden(Path(JOB["golden"]))):
        for tile in golden_tiles(SPEC, layer, JOB["seed"]) if layer.fits(SPEC.mac) else ():
            await restart(dut)
            await check(dut, tile)
            counts = counters(dut, COUNTS)
            count = len(tile.activations)
            wanted = dict(cycles=count + SPEC.latency, input_stalls=0, output_stalls=0, operands=count, results=count)
            assert wanted.items() <= counts.items(), f"cycle counter: expected {wanted}, got {counts}"
            vectors += count
            totals = {name: totals[name] + counts[name] for name in COUNTS}
    assert vectors, f"the golden vectors hold nothing for {SPEC.name}"
    record("golden", {"vectors": vectors, "failed": 0, "counters": totals})


@bench_test
async def timing(dut):
    """Latency and interval are exactly the formulas'; weights loaded in an activation's own cycle count."""
    await begin(dut)
    for count in (1, 2, 9):
        await restart(dut)
        seen = await check(dut, random_tile(SPEC, JOB["seed"] + count, count))
        assert seen.accepted_at == list(range(count))
    first, second = (random_tile(SPEC, JOB["seed"] + seed, 1) for seed in (20, 21))
    await load(dut, first)
    old = Tile.of(SPEC, "the tile before", first.codes, second.activations, np.zeros_like(second.partial))
    sent = cocotb.start_soon(stream(dut, old))
    await FallingEdge(dut.clk)  # its activations are in; what is loaded from now on is not for them
    await load(dut, second)
    assert_right(old, await sent)
    record("timing", {"latency": SPEC.latency, "interval": SPEC.interval})


@bench_test
async def products(dut):
    """Every weight code times every activation value, in every place of the array."""
    await begin(dut)
    vectors = 0
    codes = 1 << SPEC.mac.level_set.code_bits
    for first in range(codes):
        places = np.arange(SPEC.rows)[:, None] * 7 + np.arange(SPEC.columns) + first
        values = SPEC.mac.activations
        activations = values[(np.arange(len(values))[:, None] + np.arange(SPEC.rows)) % len(values)]
        await check(dut, Tile.of(SPEC, f"codes from {first}", places % codes, activations))
        vectors += len(activations)
    record("products", {"vectors": vectors})


@bench_test
async def extremes(dut):
    """The largest and the smallest sums that the widths were made for."""
    await begin(dut)
    vectors = 0
    for tile in extreme_tiles(SPEC):
        await check(dut, tile)
        vectors += len(tile.activations)
    record("extremes", {"vectors": vectors})


@bench_test
async def stalls(dut):
    """Gaps between rows loaded and between vectors, from rare to nearly always."""
    await begin(dut)
    vectors = 0
    for index, offering in enumerate([0.9, 0.5, 0.1]):
        rng = random.Random(JOB["seed"] * 100 + index)
        await restart(dut)
        tile = random_tile(SPEC, JOB["seed"] * 100 + index, 60)
        await check(dut, tile, sometimes(rng, offering))
        vectors += len(tile.activations)
    record("stalls", {"vectors": vectors})


@bench_test
async def reset_midway(dut):
    """A reset with vectors inside: nothing of them is left over."""
    await begin(dut)
    tile = random_tile(SPEC, JOB["seed"], 20)
    for inside in range(1, SPEC.latency):
        dut.i__valid.value = 1
        for word in tile.words(SPEC)[:inside]:
            dut.i__payload.value = word
            await FallingEdge(dut.clk)
        dut.i__valid.value = 0
        await restart(dut)
        await check(dut, tile)
    record("reset_midway", {"vectors": (SPEC.latency - 1) * len(tile.activations)})
