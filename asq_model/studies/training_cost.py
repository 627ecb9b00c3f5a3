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
from collections.abc import Callable
from contextlib import nullcontext
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from asq_model.common.child_processes import end_on_interrupt, interrupts_held
from asq_model.common.errors import InputError
from asq_model.common.progress import SILENT, Bar
from asq_model.common.result_schemas import BenchReport, Cost
from asq_model.config.fingerprints import versions
from asq_model.config.layer_config import LayerConfig, QuantConfig
from asq_model.cpu.compiled_functions import compiled_functions
from asq_model.cpu.kernels import load_kernels
from asq_model.networks import build, put_channels_last
from asq_model.quantisation.convert import convert, quantisable_layers
from asq_model.studies.training_cost_page import BASE

BATCH = 128
BITS = 4
IMAGE = (3, 32, 32)
CLASSES = 10
WARM_UP = 2  # rounds that set up steps, momentum and oneDNN's kernels, and are not counted
NETWORKS = "resnet8", "resnet20"


class Candidate(NamedTuple):
    """What is measured: how a network is quantised, given its name, and whether by compiled functions."""

    make: Callable[[str], nn.Module]
    compiled: bool = True


def build_full_precision(network: str) -> nn.Module:
    """Build a network in full precision."""
    return build(network, CLASSES)


def quantised_by(weights: str, activations: str) -> Callable[[str], nn.Module]:
    """A function that builds a network, given its name, with these quantisers in all layers but the first and last."""

    def make(network: str) -> nn.Module:
        layer = LayerConfig(weights, BITS, activations=activations, activation_bits=BITS)
        model = build_full_precision(network)
        convert(model, QuantConfig(inner=layer), torch.randn(2, *IMAGE))
        return model

    return make


def build_brevitas(network: str) -> nn.Module:
    """Build a network with Brevitas' quantisers: a learned step per tensor for activations, per channel for weights."""
    import brevitas.nn as layers
    from brevitas.quant import Int8ActPerTensorFloat, Int8WeightPerChannelFloat, Uint8ActPerTensorFloat

    class LearnedScale(Int8WeightPerChannelFloat):
        scaling_impl_type = "parameter_from_stats"

    model = build_full_precision(network)
    plain_layers = quantisable_layers(model)
    for index, (name, layer) in enumerate(plain_layers):
        bits = 8 if index in (0, len(plain_layers) - 1) else BITS
        options = {
            "weight_quant": LearnedScale,
            "weight_bit_width": bits,
            "input_quant": Int8ActPerTensorFloat if index == 0 else Uint8ActPerTensorFloat,
            "input_bit_width": bits,
            "bias": layer.bias is not None,
        }
        if isinstance(layer, nn.Conv2d):
            shape = (layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding)
            twin = layers.QuantConv2d(*shape, **options)
        else:
            twin = layers.QuantLinear(layer.in_features, layer.out_features, **options)
        parent, _, attribute = name.rpartition(".")
        setattr(model.get_submodule(parent), attribute, twin)
    return model


def candidates() -> dict[str, Candidate]:
    """What is measured, by its name in the table; Brevitas where it is installed."""
    asq_post = quantised_by("post", "asq")
    found = {
        BASE: Candidate(build_full_precision),
        f"LSQ W{BITS}A{BITS}": Candidate(quantised_by("uniform", "lsq")),
        f"ASQ + POST W{BITS}A{BITS}": Candidate(asq_post),
    }
    if load_kernels() is not None:
        found[f"ASQ + POST W{BITS}A{BITS}, without a compiler"] = Candidate(asq_post, compiled=False)
    if find_spec("brevitas") is not None:
        found[f"Brevitas {versions('brevitas')['brevitas']} W{BITS}A{BITS}"] = Candidate(build_brevitas)
    return found


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

    def loss(self) -> Tensor:
        return nn.functional.cross_entropy(self.model(self.images), self.labels)

    def step(self) -> float:
        """Do one update; return the seconds that it took."""
        with compiled_functions() if self.compiled else nullcontext():
            start = time.perf_counter()
            loss = self.loss()
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
    candidate = candidates()[name]
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
    found = candidates()
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


def measure_training_cost(rounds: int, threads: int, bar: Bar = SILENT) -> BenchReport:
    """Measure the cost of every candidate on every network; the report also says what it was measured with."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    bar.expect((rounds + WARM_UP) * len(candidates()) * len(NETWORKS))
    networks, busy = {}, []
    for network in NETWORKS:
        networks[network] = measure_network(network, rounds, threads, bar)
        busy.append(os.getloadavg()[0])
    return {
        "batch": BATCH,
        "threads": threads,
        "cpus": os.cpu_count() or 1,
        "rounds": rounds,
        "busy": round(statistics.mean(busy), 1),
        "torch": versions("torch")["torch"],
        "networks": networks,
    }
