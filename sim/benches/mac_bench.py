"""The bench that every multiply-accumulate unit passes: one set of cocotb tests, parameterised by the job file.

The job is a `sim.runner.outcomes.JobFile`, at the path in `ASQ_JOB`. Which of the tests run is the runner's choice.
"""

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from cocotb.triggers import FallingEdge

from asq_model.spec.mac import MacSpec
from hw.harness.bench_top import COUNTS
from hw.mac.operands import operand_layout
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
from sim.benches.stream_driver import Dut, always
from sim.benches.transcript import Transcript, exchange, read_counters, reset, start
from sim.runner.outcomes import WrongResult
from sim.vectors.dot_products import (
    Workload,
    make_extreme_workload,
    make_golden_workloads,
    make_product_workload,
    make_random_workload,
)

SPEC = MacSpec(**JOB["spec"])


def find_mismatches(workload: Workload, seen: Transcript) -> list[WrongResult]:
    """Layer, vector, expected and got of every wrong result, when it was taken, and the operands it was made of."""
    half = 1 << SPEC.result_width - 1
    signed = [(result ^ half) - half for result in seen.results]
    starts = [0, *workload.ends[:-1].tolist()]
    return [
        {
            "layer": workload.name,
            "vector": index,
            "expected": int(expected),
            "got": got,
            "when": describe_time(seen.time_ns(seen.taken_at[index])),
            "codes": workload.codes[starts[index] : workload.ends[index]].tolist(),
            "activations": workload.activations[starts[index] : workload.ends[index]].tolist(),
        }
        for index, (expected, got) in enumerate(zip(workload.expected, signed, strict=True))
        if expected != got
    ]


def assert_none(failures: list[WrongResult]) -> None:
    """Raises AssertionError, with the first failures, if there are any."""
    lines = [f"{f['layer']} vector {f['vector']}: expected {f['expected']}, got {f['got']}" for f in failures]
    assert not lines, f"{len(lines)} wrong results; {'; '.join(lines[:REPORTED_FAILURES])}; {describe_first(failures)}"


def describe_first(failures: list[WrongResult]) -> str:
    """When the first wrong result was taken, and what it is made of: each weight code times its activation."""
    first = failures[0]
    pairs = shorten(f"{code}×{value}" for code, value in zip(first["codes"], first["activations"], strict=True))
    return f"the first {first['when']}, of codes × activations {pairs}"


async def check(
    dut: Dut, workload: Workload, offer: Callable[[], bool] = always, take: Callable[[], bool] = always
) -> Transcript:
    """Send a workload; all results must be those expected. Returns the transcript."""
    seen = await exchange(dut, workload.pack_words(SPEC), len(workload.ends), offer, take)
    assert_none(find_mismatches(workload, seen))
    return seen


@bench_test
async def golden(dut: Dut) -> None:
    """Every golden vector at full rate: each result equal, the cycle counter as the formulas say, to the cycle."""
    layers: list[dict[str, Any]] = []
    failures: list[WrongResult] = []
    totals = {name: 0 for name in COUNTS}
    await start(dut)
    for workload in choose_layers(make_golden_workloads(SPEC, golden_folder())):
        await reset(dut)
        seen = await exchange(dut, workload.pack_words(SPEC), len(workload.ends))
        wrong = find_mismatches(workload, seen)
        failures += wrong
        counts = read_counters(dut, COUNTS)
        layers.append({"layer": workload.name, "vectors": len(workload.ends), "failed": len(wrong), **counts})
        for name, value in counts.items():
            totals[name] += value
    record(
        "golden",
        {
            "vectors": sum(layer["vectors"] for layer in layers),
            "failed": len(failures),
            "failures": failures[:REPORTED_FAILURES],
            "counters": totals,
            "layers": layers,
        },
    )
    assert layers, f"the golden vectors hold nothing for unit {SPEC.name}"
    assert_none(failures)
    for layer in layers:
        wanted = dict(cycles=SPEC.cycles(layer["operands"]), input_stalls=0, output_stalls=0, results=layer["vectors"])
        assert wanted.items() <= layer.items(), f"cycle counter: expected {wanted}, got {layer}"


@bench_test
async def timing(dut: Dut) -> None:
    """Latency and interval are exactly the formulas', on a lone operand, on two, and on a dot product of 9."""
    await start(dut)
    rng = random.Random(JOB["seed"])
    for beats in (1, 2, 9):
        length = min(beats * SPEC.lanes, SPEC.depth)
        code, activation = rng.randrange(1 << SPEC.level_set.code_bits), int(SPEC.activations[-1])
        workload = Workload.of(SPEC, f"{length} terms", [(np.full(length, code), np.full(length, activation))])
        await reset(dut)
        seen = await check(dut, workload)
        latency = seen.offered_at[0] - seen.accepted_at[-1]
        assert latency == SPEC.latency, f"latency {latency}, expected {SPEC.latency}"
        gaps = {b - a for a, b in pairwise(seen.accepted_at)}
        assert gaps <= {SPEC.interval}, f"intervals {gaps}, expected {SPEC.interval}"
        assert read_counters(dut, ["cycles"])["cycles"] == SPEC.cycles(workload.count_beats(SPEC)) == seen.cycles
    record("timing", {"latency": SPEC.latency, "interval": SPEC.interval})


@bench_test
async def products(dut: Dut) -> None:
    """Every weight code times every activation value."""
    await start(dut)
    workload = make_product_workload(SPEC)
    await check(dut, workload)
    record("products", {"vectors": workload.products})


@bench_test
async def extremes(dut: Dut) -> None:
    """The longest accumulation at its extreme values, back to back."""
    await start(dut)
    workload = make_extreme_workload(SPEC)
    await check(dut, workload)
    assert {SPEC.result_range[0], SPEC.result_range[1]} <= {int(x) for x in workload.expected} | {0}
    record("extremes", {"vectors": len(workload.ends), "terms": SPEC.depth})


@bench_test
async def stalls(dut: Dut) -> None:
    """Random stalls on both sides, from rare to nearly always; the counter sees each of them."""
    checked = 0
    await start(dut)
    for index, (offering, taking) in enumerate([(0.9, 0.9), (0.5, 0.5), (1.0, 0.1), (0.1, 1.0)]):
        rng = random.Random(JOB["seed"] * 100 + index)
        workload = make_random_workload(SPEC, JOB["seed"] * 100 + index)
        await reset(dut)
        seen = await check(dut, workload, offer=make_random_choice(rng, offering), take=make_random_choice(rng, taking))
        counted = read_counters(dut, COUNTS)
        expected = dict(
            cycles=seen.cycles,
            input_stalls=seen.input_stalls,
            output_stalls=seen.output_stalls,
            operands=workload.count_beats(SPEC),
            results=len(workload.ends),
        )
        assert counted == expected, f"cycle counter: expected {expected}, got {counted}"
        assert seen.output_stalls or taking == 1.0, "the bench itself should have stalled the output"
        checked += len(workload.ends)
    record("stalls", {"vectors": checked})


async def leave_inside(dut: Dut, words: list[int]) -> None:
    """Offer words for as many cycles as the unit needs to take them in, and never take a result."""
    await FallingEdge(dut.clk)
    dut.o__ready.value = 0
    for word in words:
        dut.i__payload.value = word
        dut.i__valid.value = 1
        for _ in range(SPEC.interval):
            await FallingEdge(dut.clk)
    dut.i__valid.value = 0
    for _ in range(SPEC.latency):
        await FallingEdge(dut.clk)


@bench_test
async def reset_midway(dut: Dut) -> None:
    """A reset in the middle of a dot product, or on a result that waits: nothing of it is left over."""
    await start(dut)
    workload = make_random_workload(SPEC, JOB["seed"])
    words = workload.pack_words(SPEC)
    last = 1 << operand_layout(SPEC).size - 1
    unfinished = [[word & ~last for word in words[:sent]] for sent in (1, 2, 3, 7)]
    for inside in [*unfinished, [words[0] | last], [words[0] | last, words[1] | last]]:
        await leave_inside(dut, inside)
        await reset(dut)
        await check(dut, workload)
        await reset(dut)
    record("reset_midway", {"vectors": (len(unfinished) + 2) * len(workload.ends)})
