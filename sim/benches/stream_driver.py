"""Driving and watching a unit's streams from cocotb.

One coroutine a bench does it all, once a cycle: on the falling edge it sets the inputs, lets them settle, and sees
which transfers the coming rising edge will make. So nothing depends on the order in which a simulator runs things.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from cocotb.clock import Clock
from cocotb.handle import LogicArrayObject
from cocotb.triggers import FallingEdge, ReadOnly
from cocotb.utils import get_sim_time

PERIOD_NS = 10
MAX_QUIET_CYCLES = 1000


@dataclass
class Transcript:
    """What was seen: results in order, the cycle of each transfer, and stalls by the counter's definitions.

    began_ns: the time of the falling edge in the first of these cycles.
    """

    results: list[int] = field(default_factory=list)
    accepted_at: list[int] = field(default_factory=list)
    offered_at: list[int] = field(default_factory=list)
    taken_at: list[int] = field(default_factory=list)
    input_stalls: int = 0
    output_stalls: int = 0
    began_ns: float = 0

    def time_ns(self, cycle: int) -> float:
        """The time of the rising edge that makes a cycle's transfers."""
        return self.began_ns + PERIOD_NS * cycle + PERIOD_NS / 2

    @property
    def cycles(self) -> int:
        """From the first accepted operand to the last result taken, both included."""
        return self.taken_at[-1] - self.accepted_at[0] + 1


async def start(dut) -> None:
    """Start the clock and reset the unit, streams idle."""
    Clock(dut.clk, PERIOD_NS, unit="ns").start()
    dut.i__valid.value = 0
    dut.i__payload.value = 0
    dut.o__ready.value = 0
    await reset(dut)


async def reset(dut) -> None:
    """Hold reset over one rising edge, while an operand is offered that must not be taken, and nothing is taken."""
    await FallingEdge(dut.clk)
    dut.i__valid.value = 1
    dut.o__ready.value = 0
    dut.rst.value = 1
    await FallingEdge(dut.clk)
    dut.i__valid.value = 0
    dut.rst.value = 0


def reader(port) -> Callable[[], int]:
    """Reads a port as an unsigned integer."""
    if isinstance(port, LogicArrayObject):
        return lambda: port.value.to_unsigned()
    return lambda: int(port.value)  # a single bit


def always() -> bool:
    return True


async def exchange(
    dut,
    words: Iterable[int],
    results: int,
    offer: Callable[[], bool] = always,
    take: Callable[[], bool] = always,
    patience: int = MAX_QUIET_CYCLES,
) -> Transcript:
    """Send operand words and collect `results` results, unsigned; `offer` and `take` are asked each cycle.

    Call it on a falling edge; the first operand is offered at once. An operand once offered stays offered, as the
    stream's rule demands. Raises AssertionError when the unit breaks the rule (withdraws or changes a result not yet
    taken) or hangs: moves nothing for `patience` cycles.
    """
    seen = Transcript(began_ns=get_sim_time("ns"))
    queue = iter(words)
    word = next(queue, None)
    steady = offer is always and take is always
    offered, held, waiting, cycle, quiet = False, None, 0, 0, 0
    i_valid, i_ready, i_payload = dut.i__valid, dut.i__ready, dut.i__payload
    o_valid, o_ready, o_payload = dut.o__valid, dut.o__ready, reader(dut.o__payload)
    if steady:
        o_ready.value = 1
    while len(seen.results) < results:
        ready_now = True if steady else take()
        if not offered and word is not None and offer():
            offered = True
            i_payload.value = word
            i_valid.value = 1
        if not steady:
            o_ready.value = int(ready_now)
        await ReadOnly()
        accepts = i_ready.value == 1
        if o_valid.value == 1:
            payload = o_payload()
            assert held is None or payload == held, f"result changed from {held} to {payload} before it was taken"
            if held is None:
                seen.offered_at.append(cycle)
            if ready_now:
                seen.results.append(payload)
                seen.taken_at.append(cycle)
                held, quiet = None, 0
            else:
                held = payload
                seen.output_stalls += 1
        else:
            assert held is None, f"result {held} was withdrawn before it was taken"
        if offered and accepts:
            seen.accepted_at.append(cycle)
            seen.input_stalls += waiting
            offered, waiting, quiet = False, 0, 0
            word = next(queue, None)
        elif accepts and seen.accepted_at:
            waiting += 1
        quiet += 1
        assert quiet < patience, f"nothing moved for {quiet} cycles after {len(seen.results)} of {results} results"
        cycle += 1
        await FallingEdge(dut.clk)
        if not offered:
            i_valid.value = 0
    return seen


async def feed(dut, stream: str, words: Iterable[int], offer: Callable[[], bool] | None = None) -> None:
    """Send words to another input stream than `i`, beside an `exchange`."""
    valid, ready, payload = (getattr(dut, f"{stream}__{name}") for name in ("valid", "ready", "payload"))
    for word in words:
        await FallingEdge(dut.clk)
        while offer is not None and not offer():
            valid.value = 0
            await FallingEdge(dut.clk)
        payload.value = word
        valid.value = 1
        await ReadOnly()
        while ready.value != 1:
            await FallingEdge(dut.clk)
            await ReadOnly()
    await FallingEdge(dut.clk)
    valid.value = 0


async def take_all(dut, stream: str, count: int, results: list[int], take: Callable[[], bool] | None = None) -> None:
    """Append `count` payloads of another output stream than `o` to `results`, beside an `exchange`."""
    valid, ready = getattr(dut, f"{stream}__valid"), getattr(dut, f"{stream}__ready")
    payload = reader(getattr(dut, f"{stream}__payload"))
    while len(results) < count:
        await FallingEdge(dut.clk)
        willing = take is None or take()
        ready.value = int(willing)
        await ReadOnly()
        if willing and valid.value == 1:
            results.append(payload())
    await FallingEdge(dut.clk)
    ready.value = 0


def counters(dut, names: Iterable[str]) -> dict[str, int]:
    """Read the cycle counter out."""
    return {name: getattr(dut, name).value.to_unsigned() for name in names}
