"""Driving and watching a unit's streams from cocotb.

One coroutine a bench does it all, once a cycle: on the falling edge it sets the inputs, lets them settle, and sees
which transfers the coming rising edge will make. So nothing depends on the order in which a simulator runs things.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly

PERIOD_NS = 10
MAX_QUIET_CYCLES = 1000  # without a transfer although both sides are willing: the unit hangs


@dataclass
class Transcript:
    """What was seen: results in order, the cycle of each transfer, and stalls by the counter's definitions."""

    results: list[int] = field(default_factory=list)
    accepted_at: list[int] = field(default_factory=list)
    offered_at: list[int] = field(default_factory=list)
    taken_at: list[int] = field(default_factory=list)
    input_stalls: int = 0
    output_stalls: int = 0

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
    """Hold reset over one rising edge, nothing offered and nothing taken."""
    await FallingEdge(dut.clk)
    dut.i__valid.value = 0
    dut.o__ready.value = 0
    dut.rst.value = 1
    await FallingEdge(dut.clk)
    dut.rst.value = 0


def always() -> bool:
    return True


async def exchange(
    dut,
    words: Iterable[int],
    results: int,
    offer: Callable[[], bool] = always,
    take: Callable[[], bool] = always,
) -> Transcript:
    """Send operand words and collect `results` results; `offer` and `take` are asked each cycle.

    An operand once offered stays offered, as the stream's rule demands. Raises AssertionError when the unit breaks
    the rule (withdraws or changes a result not yet taken) or hangs.
    """
    seen = Transcript()
    queue = iter(words)
    word = next(queue, None)
    steady = offer is always and take is always
    offered, held, waiting, cycle, quiet = False, None, 0, 0, 0
    i_valid, i_ready, i_payload = dut.i__valid, dut.i__ready, dut.i__payload
    o_valid, o_ready, o_payload = dut.o__valid, dut.o__ready, dut.o__payload
    await FallingEdge(dut.clk)
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
            payload = o_payload.value.to_signed()
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
        assert quiet < MAX_QUIET_CYCLES, (
            f"nothing moved for {quiet} cycles after {len(seen.results)} of {results} results"
        )
        cycle += 1
        await FallingEdge(dut.clk)
        if not offered:
            i_valid.value = 0
    return seen


def counters(dut, names: Iterable[str]) -> dict[str, int]:
    """Read the cycle counter out."""
    return {name: getattr(dut, name).value.to_unsigned() for name in names}
