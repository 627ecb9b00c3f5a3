"""The bench that every array passes: tiles of weights, vectors of activations, partial sums in and sums out.

The job is a `sim.runner.outcomes.JobFile`, at the path in `ASQ_JOB`. Which of the tests run is the runner's choice.
"""

import random
from collections.abc import Callable
from itertools import count

import numpy as np
from cocotb.triggers import FallingEdge
from cocotb.utils import get_sim_time

from asq_model.spec.array import ArraySpec
from asq_model.spec.golden_vectors import read_golden
from hw.harness.bench_top import COUNTS
from sim.benches.job import (
    JOB,
    REPORTED_FAILURES,
    bench_test,
    choose_layers,
    describe_time,
    golden_folder,
    make_random_choice,
    record,
    shorten,
)
from sim.benches.stream_driver import Dut, Stream, StreamDriver, StreamMonitor, always, run_streams
from sim.benches.transcript import Transcript, load, read_counters, reset, start
from sim.vectors.array_tiles import Tile, make_extreme_tiles, make_golden_tiles, make_random_tile
from sim.vectors.packing import unpack_word

SPEC = ArraySpec.of(JOB["spec"])
INPUTS = ("load__valid", "load__payload", "i__valid", "i__payload", "s__payload")


class PartialSums:
    """Gives partial sums to `s`, which asks for each by `ready`: a register's output, settled at the falling edge."""

    def __init__(self, dut: Dut, tile: Tile):
        self.ready, self.payload = dut.s__ready, dut.s__payload
        self.words = tile.pack_partial(SPEC)
        self.given = 0

    @property
    def done(self) -> bool:
        """Whether all partial sums were given."""
        return self.given >= len(self.words)

    @property
    def progress(self) -> str:
        """How many partial sums were given, for a message."""
        return f"{self.given} partial sums into s"

    def drive(self) -> None:
        """Give the next partial sum if the array asks for one."""
        if self.ready.value == 1:
            assert not self.done, f"the array asks for more than {self.given} partial sums"
            self.payload.value = self.words[self.given]
            self.given += 1

    def observe(self, cycle: int) -> bool:
        """See nothing: a partial sum is taken when it is given."""
        return False

    def rest(self) -> None:
        """Nothing has to be set: without being asked, partial sums are not taken."""


async def send_tile(dut: Dut, tile: Tile, offer: Callable[[], bool] = always, *beside: Stream) -> Transcript:
    """Send a tile's vectors, and partial sums as they are asked for; a vector goes in whenever `offer` says so."""
    began_ns = get_sim_time("ns")
    driver = StreamDriver(dut, "i", tile.pack_words(SPEC), offer)
    monitor = StreamMonitor(dut, "o", len(tile.activations))
    await run_streams(dut, driver, PartialSums(dut, tile), monitor, *beside)
    taken_at = monitor.taken_at
    return Transcript(monitor.results, driver.accepted_at, taken_at, taken_at, driver.stalls, 0, began_ns)


def assert_right(tile: Tile, seen: Transcript) -> None:
    """Raises AssertionError unless all sums are the expected ones, `SPEC.latency` cycles after their activations."""
    widths = SPEC.result_widths
    wrong = [
        (index, unpack_word(expected, widths), unpack_word(got, widths))
        for index, (expected, got) in enumerate(zip(tile.pack_expected(SPEC), seen.results, strict=True))
        if expected != got
    ]
    lines = [f"{tile.name} vector {index}: expected {expected}, got {got}" for index, expected, got in wrong]
    if wrong:
        message = "; ".join([*lines[:REPORTED_FAILURES], describe_first(tile, seen, *wrong[0])])
        raise AssertionError(f"{len(wrong)} wrong results; {message}")
    delays = {out - taken for taken, out in zip(seen.accepted_at, seen.taken_at, strict=True)}
    assert delays == {SPEC.latency}, f"latencies {delays}, expected {SPEC.latency}"


def describe_first(tile: Tile, seen: Transcript, index: int, expected: list[int], got: list[int]) -> str:
    """When the first wrong sums came out, and what the first wrong one is made of."""
    when = describe_time(seen.time_ns(seen.taken_at[index]))
    sums = len(expected) // SPEC.columns
    column = next(place for place, pair in enumerate(zip(expected, got, strict=True)) if pair[0] != pair[1]) // sums
    operands = zip(tile.codes[:, column].tolist(), tile.activations[index].tolist(), strict=True)
    return f"the first {when}, column {column}, of codes × activations {shorten(f'{c}×{a}' for c, a in operands)}"


async def check(dut: Dut, tile: Tile, offer: Callable[[], bool] = always) -> Transcript:
    """Load a tile and send its vectors: all sums as expected, each `SPEC.latency` cycles after its activations."""
    await load(dut, tile.pack_load(SPEC), offer)
    seen = await send_tile(dut, tile, offer)
    assert_right(tile, seen)
    return seen


@bench_test
async def golden(dut: Dut) -> None:
    """Tiles of the golden layers' weights on their activations, at full rate, to the cycle."""
    vectors, totals = 0, {name: 0 for name in COUNTS}
    await start(dut, INPUTS)
    for layer in choose_layers(read_golden(golden_folder())):
        for tile in make_golden_tiles(SPEC, layer, JOB["seed"]) if layer.fits(SPEC.mac) else ():
            await reset(dut)
            await check(dut, tile)
            counts = read_counters(dut, COUNTS)
            sent = len(tile.activations)
            wanted = dict(cycles=sent + SPEC.latency, input_stalls=0, output_stalls=0, operands=sent, results=sent)
            assert wanted.items() <= counts.items(), f"cycle counter: expected {wanted}, got {counts}"
            vectors += sent
            totals = {name: totals[name] + counts[name] for name in COUNTS}
    assert vectors, f"the golden vectors hold nothing for {SPEC.name}"
    record("golden", {"vectors": vectors, "failed": 0, "counters": totals})


@bench_test
async def timing(dut: Dut) -> None:
    """Latency and interval are exactly the formulas'; weights loaded in an activation's own cycle count."""
    await start(dut, INPUTS)
    for vectors in (1, 2, 9):
        await reset(dut)
        seen = await check(dut, make_random_tile(SPEC, JOB["seed"] + vectors, vectors))
        assert seen.accepted_at == list(range(vectors))
    first, second = (make_random_tile(SPEC, JOB["seed"] + seed, 1) for seed in (20, 21))
    await load(dut, first.pack_load(SPEC))
    old = Tile.of(SPEC, "the tile before", first.codes, second.activations, np.zeros_like(second.partial))
    cycles = count()
    # In the first cycle the activations go in; what is loaded from the next cycle on is not for them.
    loading = StreamDriver(dut, "load", second.pack_load(SPEC), lambda: next(cycles) > 0)
    assert_right(old, await send_tile(dut, old, always, loading))
    record("timing", {"latency": SPEC.latency, "interval": SPEC.interval})


@bench_test
async def products(dut: Dut) -> None:
    """Every weight code times every activation value, in every place of the array."""
    await start(dut, INPUTS)
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
async def extremes(dut: Dut) -> None:
    """The largest and the smallest sums that the widths were made for."""
    await start(dut, INPUTS)
    vectors = 0
    for tile in make_extreme_tiles(SPEC):
        await check(dut, tile)
        vectors += len(tile.activations)
    record("extremes", {"vectors": vectors})


@bench_test
async def stalls(dut: Dut) -> None:
    """Gaps between rows loaded and between vectors, from rare to nearly always."""
    await start(dut, INPUTS)
    vectors = 0
    for index, offering in enumerate([0.9, 0.5, 0.1]):
        rng = random.Random(JOB["seed"] * 100 + index)
        await reset(dut)
        tile = make_random_tile(SPEC, JOB["seed"] * 100 + index, 60)
        await check(dut, tile, make_random_choice(rng, offering))
        vectors += len(tile.activations)
    record("stalls", {"vectors": vectors})


@bench_test
async def reset_midway(dut: Dut) -> None:
    """A reset with vectors inside: nothing of them is left over."""
    await start(dut, INPUTS)
    tile = make_random_tile(SPEC, JOB["seed"], 20)
    for inside in range(1, SPEC.latency):
        dut.i__valid.value = 1
        for word in tile.pack_words(SPEC)[:inside]:
            dut.i__payload.value = word
            await FallingEdge(dut.clk)
        dut.i__valid.value = 0
        await reset(dut)
        await check(dut, tile)
    record("reset_midway", {"vectors": (SPEC.latency - 1) * len(tile.activations)})
