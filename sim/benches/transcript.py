"""A unit's clock, reset and main streams: words in at `i`, results out at `o`, and a transcript of what was seen."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cocotb.clock import Clock
from cocotb.triggers import FallingEdge
from cocotb.utils import get_sim_time

from sim.benches.stream_driver import (
    MAX_QUIET_CYCLES,
    PERIOD_NS,
    Dut,
    Stream,
    StreamDriver,
    StreamMonitor,
    always,
    run_streams,
)

MAC_INPUTS = ("i__valid", "i__payload", "o__ready")


@dataclass(frozen=True)
class Transcript:
    """What was seen: results in order, the cycle of each transfer, and stalls by the counter's definitions.

    offered_at: the cycle in which each result was first offered. began_ns: the time of the falling edge in the first
    of these cycles.
    """

    results: list[int]
    accepted_at: list[int]
    offered_at: list[int]
    taken_at: list[int]
    input_stalls: int
    output_stalls: int
    began_ns: float

    def time_ns(self, cycle: int) -> float:
        """The time of the rising edge that makes a cycle's transfers."""
        return self.began_ns + PERIOD_NS * cycle + PERIOD_NS / 2

    @property
    def cycles(self) -> int:
        """Cycles from the first accepted word to the last result taken, both included."""
        return self.taken_at[-1] - self.accepted_at[0] + 1


async def start(dut: Dut, inputs: Iterable[str] = MAC_INPUTS) -> None:
    """Start the clock, set the unit's inputs to zero, and reset it."""
    Clock(dut.clk, PERIOD_NS, unit="ns").start()
    for name in inputs:
        getattr(dut, name).value = 0
    await reset(dut)


async def reset(dut: Dut) -> None:
    """Hold reset over one rising edge, while a word is offered that must not be taken, and nothing is taken."""
    await FallingEdge(dut.clk)
    dut.i__valid.value = 1
    if hasattr(dut, "o__ready"):
        dut.o__ready.value = 0
    dut.rst.value = 1
    await FallingEdge(dut.clk)
    dut.i__valid.value = 0
    dut.rst.value = 0


async def exchange(
    dut: Dut,
    words: Iterable[int],
    results: int,
    offer: Callable[[], bool] = always,
    take: Callable[[], bool] = always,
    beside: Iterable[Stream] = (),
    patience: int = MAX_QUIET_CYCLES,
) -> Transcript:
    """Send words to `i` and collect `results` results from `o`; `offer` and `take` are asked each cycle.

    beside: the unit's other streams, stepped along. Call it on a falling edge; the first word is offered at once.
    Raises AssertionError as `run_streams` does.
    """
    began_ns = get_sim_time("ns")
    monitor, driver = StreamMonitor(dut, "o", results, take), StreamDriver(dut, "i", words, offer)
    await run_streams(dut, monitor, driver, *beside, patience=patience)
    return Transcript(
        results=monitor.results,
        accepted_at=driver.accepted_at,
        offered_at=monitor.offered_at,
        taken_at=monitor.taken_at,
        input_stalls=driver.stalls,
        output_stalls=monitor.stalls,
        began_ns=began_ns,
    )


async def load(dut: Dut, words: Iterable[int], offer: Callable[[], bool] = always) -> None:
    """Send words to `load`, which takes each at once; one is sent in each cycle in which `offer` says so."""
    for word in words:
        while not offer():
            dut.load__valid.value = 0
            dut.load__payload.value = word ^ 1  # must not be taken
            await FallingEdge(dut.clk)
        dut.load__payload.value = word
        dut.load__valid.value = 1
        await FallingEdge(dut.clk)
    dut.load__valid.value = 0


def read_counters(dut: Dut, names: Iterable[str]) -> dict[str, int]:
    """Read the hardware cycle counter, by the names of its outputs."""
    return {name: getattr(dut, name).value.to_unsigned() for name in names}
