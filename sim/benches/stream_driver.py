"""Driving and watching a unit's streams from cocotb: drivers, monitors, the streams' rule, and the clock they step by.

`run_streams` is the only coroutine. Once a cycle, on the falling edge, it lets each stream set its inputs, waits until
they have settled, and lets each stream see which transfers the coming rising edge will make. So nothing depends on the
order in which a simulator runs things.
"""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from cocotb.handle import LogicArrayObject
from cocotb.triggers import FallingEdge, ReadOnly

Dut = Any  # cocotb finds a module's ports when the simulation runs
PERIOD_NS = 10
MAX_QUIET_CYCLES = 1000


def always() -> bool:
    """True in every cycle: a stream that never pauses."""
    return True


def make_reader(port: Any) -> Callable[[], int]:
    """Make a function that reads a port as an unsigned integer."""
    if isinstance(port, LogicArrayObject):
        return lambda: port.value.to_unsigned()  # noqa: PLW0108 -- the value is another one each cycle
    return lambda: int(port.value)  # a single bit


class Stream(Protocol):
    """What `run_streams` steps: the bench's side of one stream of a unit."""

    @property
    def done(self) -> bool:
        """Whether every transfer was made."""

    @property
    def progress(self) -> str:
        """How many transfers were made, for a message."""

    def drive(self) -> None:
        """Set the unit's inputs for this cycle."""

    def observe(self, cycle: int) -> bool:
        """See, with all inputs settled, whether this cycle makes a transfer, and return it."""

    def rest(self) -> None:
        """Set the unit's inputs so that nothing is transferred."""


class StreamDriver:
    """Offers words to an input stream, in order; `offer` is asked in each cycle in which one could be.

    A word once offered stays offered until the unit takes it, as the streams' rule demands. While none is offered the
    payload is a wrong one, which must not be taken. A stream without `ready` takes a word at once.

    accepted_at: the cycle of each transfer. stalls: cycles between the first transfer and the last in which the unit
    would have taken a word and none was offered, as the hardware counter counts them.
    """

    def __init__(self, dut: Dut, name: str, words: Iterable[int], offer: Callable[[], bool] = always):
        self.name, self.offer = name, offer
        self.valid, self.payload = getattr(dut, f"{name}__valid"), getattr(dut, f"{name}__payload")
        self.ready = getattr(dut, f"{name}__ready", None)
        self.queue = iter(words)
        self.word = next(self.queue, None)
        self.offered = self.was_offered = False
        self.accepted_at: list[int] = []
        self.stalls = self.waiting = 0

    @property
    def done(self) -> bool:
        """Whether every word was accepted."""
        return self.word is None

    @property
    def progress(self) -> str:
        """How many words were accepted, for a message."""
        return f"{len(self.accepted_at)} words into {self.name}"

    def drive(self) -> None:
        """Offer the next word if `offer` says so; what is offered stays offered."""
        if self.word is not None and not self.offered:
            self.offered = self.offer()
            self.payload.value = self.word if self.offered else self.word ^ 1
        if self.offered != self.was_offered:
            self.valid.value = int(self.offered)
        self.was_offered = self.offered

    def observe(self, cycle: int) -> bool:
        """See whether the word is accepted in this cycle, and go on to the next one."""
        if self.ready is not None and self.ready.value != 1:
            return False
        if not self.offered:
            self.waiting += bool(self.accepted_at)
            return False
        self.accepted_at.append(cycle)
        self.stalls += self.waiting
        self.waiting = 0
        self.offered = False
        self.word = next(self.queue, None)
        return True

    def rest(self) -> None:
        """Offer nothing."""
        self.valid.value = 0


class StreamRule:
    """Checks the streams' rule on an output: what is offered stays offered, unchanged, until it is taken."""

    def __init__(self) -> None:
        self.held: int | None = None

    def check(self, payload: int | None, taken: bool) -> bool:
        """Whether a cycle's payload (None: none is offered) is a new one. Raises AssertionError if the rule is broken.

        taken: whether it is taken in this cycle, if it is offered.
        """
        held = self.held
        self.held = None if taken else payload
        if held is None:
            return payload is not None
        assert payload is not None, f"result {held} was withdrawn before it was taken"
        assert payload == held, f"result changed from {held} to {payload} before it was taken"
        return False


class StreamMonitor:
    """Takes `count` payloads, unsigned, from an output stream, and checks its rule; `take` is asked in each cycle.

    What a stream without `ready` offers is taken at once.

    results: the payloads in order. offered_at: the cycle in which each was first offered. taken_at: the cycle of each
    transfer. stalls: cycles in which a payload was offered and not taken.
    """

    def __init__(self, dut: Dut, name: str, count: int, take: Callable[[], bool] = always):
        self.name, self.count, self.take = name, count, take
        self.valid, self.read = getattr(dut, f"{name}__valid"), make_reader(getattr(dut, f"{name}__payload"))
        self.ready = getattr(dut, f"{name}__ready", None)
        self.rule = StreamRule()
        self.willing: bool | None = None  # not driven yet
        self.results: list[int] = []
        self.offered_at: list[int] = []
        self.taken_at: list[int] = []
        self.stalls = 0

    @property
    def done(self) -> bool:
        """Whether all payloads were taken."""
        return len(self.results) == self.count

    @property
    def progress(self) -> str:
        """How many payloads were taken, for a message."""
        return f"{len(self.results)} of {self.count} results from {self.name}"

    def drive(self) -> None:
        """Be ready for a payload if `take` says so."""
        willing = self.ready is None or (not self.done and self.take())
        if self.ready is not None and willing != self.willing:
            self.ready.value = int(willing)
        self.willing = willing

    def observe(self, cycle: int) -> bool:
        """Check what is offered in this cycle, and see whether it is taken."""
        taken = bool(self.willing)
        payload = self.read() if self.valid.value == 1 else None
        if self.rule.check(payload, taken):
            self.offered_at.append(cycle)
        if payload is None:
            return False
        if not taken:
            self.stalls += 1
            return False
        self.results.append(payload)
        self.taken_at.append(cycle)
        return True

    def rest(self) -> None:
        """Take nothing."""
        if self.ready is not None:
            self.ready.value = 0


async def run_streams(dut: Dut, *streams: Stream, patience: int = MAX_QUIET_CYCLES) -> None:
    """Step streams side by side, in this order, until all are done. Call it on a falling edge: the first cycle is that.

    Raises AssertionError when the unit breaks the streams' rule or hangs: moves nothing for `patience` cycles.
    """
    cycle = quiet = 0
    while not all(stream.done for stream in streams):
        for stream in streams:
            stream.drive()
        await ReadOnly()
        moved = False
        for stream in streams:
            moved |= stream.observe(cycle)
        quiet = 0 if moved else quiet + 1
        if quiet == patience:
            progress = ", ".join(stream.progress for stream in streams)
            raise AssertionError(f"nothing moved for {quiet} cycles after {progress}")
        cycle += 1
        await FallingEdge(dut.clk)
    for stream in streams:
        stream.rest()
