"""Playing maps through an ASQ block: words and steps in, results and steps out, each compared, and each cycle.

The block is that of the job.
"""

from collections.abc import Callable
from itertools import pairwise

from asq_model.spec.asq_blocks import BlockSpec
from sim.benches.job import JOB, REPORTED_FAILURES, describe_time, shorten
from sim.benches.stream_driver import MAX_QUIET_CYCLES, Dut, Stream, StreamDriver, StreamMonitor, always
from sim.benches.transcript import MAC_INPUTS, Transcript, exchange, load, reset
from sim.vectors.block_words import Exchange, make_exchange
from sim.vectors.feature_maps import LayerMaps

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


def find_mismatches(layer: Exchange, seen: Transcript, steps: list[int]) -> list[str]:
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
        words = shorten(f"{word:#x}" for word in layer.words[number * sent : (number + 1) * sent])
        lines[0] += f" {describe_time(seen.time_ns(seen.taken_at[wrong[0][1]]))}, of map {number}, words in {words}"
    return lines


def assert_none(failures: list[str]) -> None:
    """Raises AssertionError, with the first failures, if there are any."""
    assert not failures, f"{len(failures)} wrong results; " + "; ".join(failures[:REPORTED_FAILURES])


async def check(dut: Dut, maps: LayerMaps, **willing: Callable[[], bool]) -> Transcript:
    """Play a layer; all results must be those expected."""
    layer = make_exchange(SPEC, maps)
    await set_up(dut, layer)
    seen, steps = await play(dut, layer, **willing)
    assert_none(find_mismatches(layer, seen, steps))
    return seen


def measure_latency(maps: LayerMaps) -> int:
    """Measure cycles from the word that completes a map's first result to that result."""
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
    assert measured == measure_latency(maps), f"latency {measured}, expected {measure_latency(maps)}"
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
