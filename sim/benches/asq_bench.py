"""The bench that every ASQ block passes: one set of cocotb tests, parameterised by the job file.

The job is a `sim.runner.outcomes.JobFile`, at the path in `ASQ_JOB`. Which of the tests run is the runner's choice.
"""

import random
from typing import Any

from cocotb.triggers import FallingEdge

from hw.harness.bench_top import COUNTS
from sim.benches.asq_checks import (
    INPUTS,
    SPEC,
    STEPS_IN,
    assert_none,
    check,
    check_timing,
    find_mismatches,
    measure_latency,
    play,
    set_up,
)
from sim.benches.job import JOB, REPORTED_FAILURES, bench_test, choose_layers, golden_folder, make_random_choice, record
from sim.benches.stream_driver import Dut
from sim.benches.transcript import read_counters, start
from sim.vectors.block_words import make_exchange
from sim.vectors.feature_map_cases import fits, make_extreme_cases, make_random_cases
from sim.vectors.feature_maps import read_golden_layers


@bench_test
async def golden(dut: Dut) -> None:
    """Every golden map at full rate, back to back: each word equal, each cycle as the formulas say."""
    layers: list[dict[str, Any]] = []
    failures: list[tuple[str, str]] = []
    await start(dut, INPUTS)
    for maps in choose_layers(read_golden_layers(golden_folder())):
        if not fits(SPEC, maps):
            continue
        layer = make_exchange(SPEC, maps)
        await set_up(dut, layer)
        seen, steps = await play(dut, layer)
        wrong = find_mismatches(layer, seen, steps)
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
    for maps in make_random_cases(SPEC, JOB["seed"], 6):
        layer = make_exchange(SPEC, maps)
        seen = await check(dut, maps)
        figures = check_timing(maps, layer, seen)
    record("timing", {"vectors": 0} | figures)


@bench_test
async def extremes(dut: Dut) -> None:
    """Zero maps, saturated ones, one channel and one pixel, the largest map; steps and β at their limits."""
    checked = 0
    await start(dut, INPUTS)
    for maps in make_extreme_cases(SPEC, JOB["seed"]):
        checked += len((await check(dut, maps)).results)
    record("extremes", {"vectors": checked})


@bench_test
async def stalls(dut: Dut) -> None:
    """Random stalls on every stream, from rare to nearly always."""
    checked = 0
    await start(dut, INPUTS)
    for index, (offering, taking) in enumerate([(0.9, 0.9), (0.5, 0.5), (1.0, 0.15), (0.15, 1.0)]):
        rng = random.Random(JOB["seed"] * 100 + index)
        for maps in make_random_cases(SPEC, JOB["seed"] * 100 + index, 2):
            seen = await check(dut, maps, offer=make_random_choice(rng, offering), take=make_random_choice(rng, taking))
            checked += len(seen.results)
            few = len(seen.results) < 50
            assert seen.output_stalls or taking == 1.0 or few, "the bench itself should have stalled the output"
    record("stalls", {"vectors": checked})


@bench_test
async def reset_midway(dut: Dut) -> None:
    """A reset after any number of words, results waiting: nothing of them is left over."""
    await start(dut, INPUTS)
    checked = 0
    maps = next(iter(make_random_cases(SPEC, JOB["seed"], 1)))
    layer = make_exchange(SPEC, maps)
    for inside in sorted({1, 2, layer.per_map[0], len(layer.words)}):
        await set_up(dut, layer)
        if STEPS_IN:
            dut.s__payload.value, dut.s__valid.value = layer.steps[0], 1
        for word in layer.words[:inside]:
            dut.i__payload.value, dut.i__valid.value = word, 1
            await FallingEdge(dut.clk)
        dut.i__valid.value = 0
        for _ in range(measure_latency(maps)):
            await FallingEdge(dut.clk)
        if STEPS_IN:
            dut.s__valid.value = 0
        checked += len((await check(dut, maps)).results)
    record("reset_midway", {"vectors": checked})
