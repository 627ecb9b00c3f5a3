"""The bench that every ASQ block passes: one set of cocotb tests, parameterised by the job file.

The job is a `sim.runner.outcomes.JobFile`, at the path in `ASQ_JOB`. Which of the tests run is the runner's choice.
"""

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from cocotb.triggers import FallingEdge

from asq_model.spec.asq_blocks import BlockSpec
from hw.harness.bench_top import COUNTS
from sim.benches.job import (
    JOB,
    REPORTED_FAILURES,
    bench_test,
    chosen_layers,
    golden_folder,
    moment,
    record,
    shortened,
    sometimes,
)
from sim.benches.stream_driver import MAX_QUIET_CYCLES, Dut, Stream, StreamDriver, StreamMonitor, always
from sim.benches.transcript import MAC_INPUTS, Transcript, exchange, load, read_counters, reset, start
from sim.vectors.block_words import Exchange, exchange_for
from sim.vectors.feature_map_cases import extreme_cases, fits, random_cases
from sim.vectors.feature_maps import LayerMaps, golden_layers

SPEC = BlockSpec(**JOB["spec"])
STEPS_IN, STEPS_OUT = SPEC.unit == "rescale", SPEC.unit == "adapter-step"
LOADED = SPEC.unit in ("adapter", "adapter-step", "rescale")
INPUTS = [*MAC_INPUTS, *(["s__valid"] if STEPS_IN else []), *(["s__ready"] if STEPS_OUT else [])]
INPUTS += ["load__valid"] if LOADED else []


async def set_up(dut: Dut, layer: Exchange) -> None:
    """Reset the block, set its constants to a layer's, and load its memories."""
    await reset(dut)
    for port, value in layer.ports.items():
        getattr(dut, port).value = value
    if layer.load:
        await load(dut, layer.load)


async def play(
    dut: Dut, layer: Exchange, offer: Callable[[], bool] = always, take: Callable[[], bool] = always
) -> tuple[Transcript, list[int]]:
    """Send a layer's words; return what was seen, and the steps that came out."""
    patience = MAX_QUIET_CYCLES + 2 * SPEC.adapter_latency(SPEC.words, SPEC.hidden)
    steps_in = [StreamDriver(dut, "s", layer.steps, offer)] if STEPS_IN else []
    steps_out = [StreamMonitor(dut, "s", len(layer.steps), take)] if STEPS_OUT else []
    beside: list[Stream] = [*steps_in, *steps_out]
    seen = await exchange(dut, layer.words, len(layer.results), offer, take, beside, patience)
    return seen, steps_out[0].results if STEPS_OUT else []


def mismatches(layer: Exchange, seen: Transcript, steps: list[int]) -> list[str]:
    """A line for every wrong result and step: layer, place, expected and got.

    The first line, if it is of a result, also says when that was taken and of which map.
    """
    pairs = [("word", layer.results, seen.results)] + ([("step", layer.steps, steps)] if STEPS_OUT else [])
    wrong = [
        (what, index, f"{layer.name} {what} {index}: expected {expected:#x}, got {got:#x}")
        for what, right, results in pairs
        for index, (expected, got) in enumerate(zip(right, results, strict=True))
        if expected != got
    ]
    lines = [line for _, _, line in wrong]
    if wrong and wrong[0][0] == "word":
        sent, taken = layer.per_map
        number = wrong[0][1] // taken
        words = shortened(f"{word:#x}" for word in layer.words[number * sent : (number + 1) * sent])
        lines[0] += f" {moment(seen.time_ns(seen.taken_at[wrong[0][1]]))}, of map {number}, words in {words}"
    return lines


def assert_none(failures: list[str]) -> None:
    """Raises AssertionError, with the first failures, if there are any."""
    assert not failures, f"{len(failures)} wrong results; " + "; ".join(failures[:REPORTED_FAILURES])


async def check(dut: Dut, maps: LayerMaps, **willing: Callable[[], bool]) -> Transcript:
    """Play a layer; all results must be those expected."""
    layer = exchange_for(SPEC, maps)
    await set_up(dut, layer)
    seen, steps = await play(dut, layer, **willing)
    assert_none(mismatches(layer, seen, steps))
    return seen


def latency(maps: LayerMaps) -> int:
    """Cycles from the word that completes a map's first result to that result."""
    if maps.adapter is not None and SPEC.unit in ("adapter", "adapter-step"):
        adapter = SPEC.adapter_latency(maps.adapter.channels // SPEC.lanes, maps.adapter.hidden)
        return adapter if SPEC.unit == "adapter" else SPEC.step_latency(adapter)
    return SPEC.latency


def check_timing(maps: LayerMaps, layer: Exchange, seen: Transcript) -> dict[str, int]:
    """Latency of the first map's first result, exactly the formula's; cycles between maps, at most the formula's."""
    words, results = layer.per_map
    count = len(layer.words) // words
    # The word that the first result waits for: its own, or the map's last, or in a map's last pixel the first.
    waits_for = {"quantiser": 0, "rescale": 0, "channel-sums": words - results}.get(SPEC.unit, words - 1)
    measured = seen.offered_at[0] - seen.accepted_at[waits_for]
    assert measured == latency(maps), f"latency {measured}, expected {latency(maps)}"
    starts = seen.accepted_at[::words]
    gaps = [b - a for a, b in pairwise(starts)]
    busy = words
    if maps.adapter is not None and SPEC.unit in ("adapter", "adapter-step"):
        busy = max(words, SPEC.adapter_period(maps.adapter.channels // SPEC.lanes, maps.adapter.hidden))
    # The buffer lets the first maps in faster than those that wait for the adapter.
    assert not gaps or max(gaps) <= busy, f"{max(gaps)} cycles between maps, expected at most {busy}"
    ends = [seen.taken_at[results * (k + 1) - 1] for k in range(count)]
    return {
        "words": words,
        "latency": measured,
        "interval": max((b - a for a, b in pairwise(ends)), default=words),
    }


@bench_test
async def golden(dut: Dut) -> None:
    """Every golden map at full rate, back to back: each word equal, each cycle as the formulas say."""
    layers: list[dict[str, Any]] = []
    failures: list[tuple[str, str]] = []
    await start(dut, INPUTS)
    for maps in chosen_layers(golden_layers(golden_folder())):
        if not fits(SPEC, maps):
            continue
        layer = exchange_for(SPEC, maps)
        await set_up(dut, layer)
        seen, steps = await play(dut, layer)
        wrong = mismatches(layer, seen, steps)
        failures += [(maps.name, line) for line in wrong]
        entry = {"layer": maps.name, "vectors": len(layer.results) + len(steps), "failed": len(wrong)}
        entry |= read_counters(dut, COUNTS)
        if not wrong:
            entry |= check_timing(maps, layer, seen)
        if SPEC.unit == "adapter":
            mask = (1 << SPEC.beta_bits) - 1
            entry |= {"precision": SPEC.precision}
            entry |= {"betas": [word & mask for word in seen.results]}
            entry |= {"steps": [word >> SPEC.beta_bits for word in seen.results]}
        layers.append(entry)
    record(
        "golden",
        {
            "vectors": sum(layer["vectors"] for layer in layers),
            "failed": len(failures),
            "failures": [{"layer": name, "message": line} for name, line in failures[:REPORTED_FAILURES]],
            "layers": layers,
        },
    )
    assert layers, f"the golden vectors hold nothing for unit {SPEC.name}"
    assert_none([line for _, line in failures])


@bench_test
async def timing(dut: Dut) -> None:
    """Latency and interval are the formulas', on maps of several sizes and adapters of both forms."""
    await start(dut, INPUTS)
    figures = {}
    for maps in random_cases(SPEC, JOB["seed"], 6):
        layer = exchange_for(SPEC, maps)
        seen = await check(dut, maps)
        figures = check_timing(maps, layer, seen)
    record("timing", {"vectors": 0} | figures)


@bench_test
async def extremes(dut: Dut) -> None:
    """Zero maps, saturated ones, one channel and one pixel, the largest map; steps and β at their limits."""
    checked = 0
    await start(dut, INPUTS)
    for maps in extreme_cases(SPEC, JOB["seed"]):
        checked += len((await check(dut, maps)).results)
    record("extremes", {"vectors": checked})


@bench_test
async def stalls(dut: Dut) -> None:
    """Random stalls on every stream, from rare to nearly always."""
    checked = 0
    await start(dut, INPUTS)
    for index, (offering, taking) in enumerate([(0.9, 0.9), (0.5, 0.5), (1.0, 0.15), (0.15, 1.0)]):
        rng = random.Random(JOB["seed"] * 100 + index)
        for maps in random_cases(SPEC, JOB["seed"] * 100 + index, 2):
            seen = await check(dut, maps, offer=sometimes(rng, offering), take=sometimes(rng, taking))
            checked += len(seen.results)
            few = len(seen.results) < 50
            assert seen.output_stalls or taking == 1.0 or few, "the bench itself should have stalled the output"
    record("stalls", {"vectors": checked})


@bench_test
async def reset_midway(dut: Dut) -> None:
    """A reset after any number of words, results waiting: nothing of them is left over."""
    await start(dut, INPUTS)
    checked = 0
    maps = next(iter(random_cases(SPEC, JOB["seed"], 1)))
    layer = exchange_for(SPEC, maps)
    for inside in sorted({1, 2, layer.per_map[0], len(layer.words)}):
        await set_up(dut, layer)
        if STEPS_IN:
            dut.s__payload.value, dut.s__valid.value = layer.steps[0], 1
        for word in layer.words[:inside]:
            dut.i__payload.value, dut.i__valid.value = word, 1
            await FallingEdge(dut.clk)
        dut.i__valid.value = 0
        for _ in range(latency(maps)):
            await FallingEdge(dut.clk)
        if STEPS_IN:
            dut.s__valid.value = 0
        checked += len((await check(dut, maps)).results)
    record("reset_midway", {"vectors": checked})
