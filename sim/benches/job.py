"""The job that the simulator was started for, where its findings go, and how its tests say where they failed."""

import functools
import json
import os
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

import cocotb
from cocotb.utils import get_sim_time

from asq_model.common.files import write_json
from asq_model.common.records import read_record
from sim.benches.stream_driver import PERIOD_NS, Dut
from sim.runner.outcomes import JOB_FILE

JOB = read_record(Path(os.environ["ASQ_JOB"]), JOB_FILE)
REPORTED_FAILURES = 5
REPORTED_OPERANDS = 12  # in a message; all are in the result file


class Named(Protocol):
    """A golden layer, of dot products or of maps."""

    @property
    def name(self) -> str:
        """The layer's name."""


Layer = TypeVar("Layer", bound=Named)


def bench_test(function: Callable[[Dut], Awaitable[None]]) -> object:
    """A cocotb test whose failure says in which cycle it stopped, as the waveform counts."""

    @functools.wraps(function)
    async def run(dut: Dut) -> None:
        try:
            await function(dut)
        except AssertionError as error:
            raise AssertionError(
                f"{str(error).partition(chr(10))[0]}; stopped {describe_time(get_sim_time('ns'))}"
            ) from error

    return cocotb.test()(run)


def describe_time(nanoseconds: float) -> str:
    """A time in the simulation: `at 1235 ns, cycle 123`."""
    return f"at {nanoseconds:.0f} ns, cycle {int(nanoseconds // PERIOD_NS)}"


def shorten(words: Iterable[str]) -> str:
    """The first `REPORTED_OPERANDS` of a mismatch's operands, and how many there are."""
    every = list(words)
    more = f" … ({len(every)} of them)" if len(every) > REPORTED_OPERANDS else ""
    return " ".join(every[:REPORTED_OPERANDS]) + more


def choose_layers(layers: Iterable[Layer]) -> Iterator[Layer]:
    """Choose the golden layers that the job is for: all, or the one that it names."""
    return (layer for layer in layers if JOB["layer"] in (None, layer.name))


def golden_folder() -> Path:
    """The folder of the job's golden vectors, which the golden test needs."""
    assert JOB["golden"] is not None, "the job has no golden vectors"
    return Path(JOB["golden"])


def record(test: str, findings: Mapping[str, object]) -> None:
    """Add a test's findings to the job's result file."""
    path = Path(JOB["result"])
    results = json.loads(path.read_text()) if path.exists() else {}
    write_json(path, results | {test: findings})


def make_random_choice(rng: random.Random, probability: float) -> Callable[[], bool]:
    """A function that is true with this probability, by the generator's next number."""
    return lambda: rng.random() < probability
