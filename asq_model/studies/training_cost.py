"""Measure what quantisation costs a training step, in time and memory, beside full precision and Brevitas.

Figures are ratios of one run.

Time: the candidates take turns, step by step, so that whatever else the machine does hits all of them; medians, and
quartiles of the ratio within a round. Memory: each candidate in a process of its own, what its steps add at their peak
to what the process held before it was made.
"""

import multiprocessing
import os
import statistics
import time
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import product
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from asq_model.common.child_processes import end_on_interrupt, interrupts_held
from asq_model.common.errors import InputError
from asq_model.common.progress import SILENT, Bar
from asq_model.common.result_schemas import BenchReport, Cost, StepCosts
from asq_model.config.fingerprints import find_versions
from asq_model.cpu.compiled_functions import compiled_functions
from asq_model.networks import put_channels_last
from asq_model.studies.training_cost_candidates import CLASSES, IMAGE, list_candidates
from asq_model.studies.training_cost_page import BASE

BATCH = 128
WARM_UP = 2  # rounds that set up steps, momentum and oneDNN's kernels, and are not counted
NETWORKS = "resnet8", "resnet20"


class Stepper:
    """A network with its optimiser and one batch of random images; each `step` is an update.

    compiled: whether quantisers compute by compiled functions.
    """

    def __init__(self, model: nn.Module, compiled: bool = True):
        self.compiled = compiled
        self.model = put_channels_last(model.train())
        self.optimiser = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
        self.images = torch.randn(BATCH, *IMAGE).contiguous(memory_format=torch.channels_last)
        self.labels = torch.randint(CLASSES, (BATCH,))

    def compute_loss(self) -> Tensor:
        """Compute the cross entropy of the batch anew."""
        return nn.functional.cross_entropy(self.model(self.images), self.labels)

    def step(self) -> float:
        """Do one update; return the seconds that it took."""
        with compiled_functions() if self.compiled else nullcontext():
            start = time.perf_counter()
            loss = self.compute_loss()
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            return time.perf_counter() - start


def measure_step_times(steppers: dict[str, Stepper], rounds: int, bar: Bar = SILENT) -> dict[str, list[float]]:
    """Measure the seconds of each candidate's training steps, round by round; the candidates take turns."""
    times: dict[str, list[float]] = {name: [] for name in steppers}
    for turn in range(rounds + WARM_UP):
        for name, stepper in steppers.items():
            seconds = stepper.step()
            if turn >= WARM_UP:
                times[name].append(seconds)
            bar.advance(note=name)
    return times


def read_memory(field: str) -> float:
    """Read the MiB of this process's memory from /proc: `VmRSS` is now, `VmHWM` the peak so far."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise ValueError(field)


def send_peak_memory(network: str, name: str, threads: int, connection: Connection) -> None:
    """Measure one candidate's memory in this process, which does nothing else, and send it to the parent."""
    end_on_interrupt()
    torch.set_num_threads(threads)
    candidate = list_candidates()[name]
    warm = torch.nn.Conv2d(3, 4, 3)(torch.randn(1, *IMAGE))  # libraries load before the count starts
    del warm
    before = read_memory("VmRSS")
    stepper = Stepper(candidate.make(network), candidate.compiled)
    for _ in range(4):
        stepper.step()
    connection.send(read_memory("VmHWM") - before)


def measure_peak_memory(network: str, name: str, threads: int) -> float:
    """Measure the MiB that making and training one candidate adds at its peak, in a process of its own.

    Raises InputError if that dies.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=send_peak_memory, args=(network, name, threads, sender))
    with interrupts_held():
        process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError as error:
        process.join()
        raise InputError(
            f"the process that measured the memory of {name} ended with {process.exitcode}; too little memory?"
        ) from error
    finally:
        process.join()


def measure_network(network: str, rounds: int, threads: int, bar: Bar = SILENT) -> dict[str, Cost]:
    """Measure the cost of every candidate on one network."""
    found = list_candidates()
    steppers = {name: Stepper(candidate.make(network), candidate.compiled) for name, candidate in found.items()}
    times = measure_step_times(steppers, rounds, bar)
    costs: dict[str, Cost] = {}
    for name, seconds in times.items():
        ratios = [one / other for one, other in zip(seconds, times[BASE], strict=True)]
        costs[name] = {
            "seconds": statistics.median(seconds),
            "ratios": [float(quartile) for quartile in np.quantile(ratios, (0.25, 0.5, 0.75))],
            "mebibytes": measure_peak_memory(network, name, threads),
        }
    return costs


def measure_training_cost(rounds: int, threads: Sequence[int], bar: Bar = SILENT) -> BenchReport:
    """Measure the cost of every candidate on every network, with each number of CPU threads.

    The report also says what it was measured with.
    """
    bar.expect((rounds + WARM_UP) * len(list_candidates()) * len(NETWORKS) * len(threads))
    measured: list[StepCosts] = []
    for network, count in product(NETWORKS, threads):
        torch.set_num_threads(count)
        torch.manual_seed(0)
        costs = measure_network(network, rounds, count, bar)
        measured.append({"network": network, "threads": count, "busy": round(os.getloadavg()[0], 1), "costs": costs})
    return {
        "batch": BATCH,
        "cpus": os.cpu_count() or 1,
        "rounds": rounds,
        "torch": find_versions("torch")["torch"],
        "measured": measured,
    }
