"""Measure what quantisation costs a training step, in time and memory, beside full precision and Brevitas.

Figures are ratios of one run.

Time: the networks take turns, step by step, so that whatever else the machine does hits all of them; medians. Memory:
each network in a process of its own, what its steps add at their peak to what the process held before it was made.
"""

import multiprocessing
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from asq_model.common.child_processes import end_on_interrupt, interrupts_held
from asq_model.common.errors import InputError
from asq_model.common.progress import SILENT, Bar
from asq_model.common.result_schemas import BenchReport
from asq_model.config.fingerprints import versions
from asq_model.config.layer_config import LayerConfig, QuantConfig
from asq_model.networks import build, put_channels_last
from asq_model.quantisation.convert import convert, quantisable_layers
from asq_model.studies.training_cost_page import BASE

BATCH = 128
BITS = 4
IMAGE = (3, 32, 32)
CLASSES = 10
NETWORK = "resnet20"


def build_full_precision() -> nn.Module:
    """The network in full precision."""
    return build(NETWORK, CLASSES)


def build_quantised(weights: str, activations: str) -> nn.Module:
    """The network with these quantisers in every layer between the first and the last."""
    layer = LayerConfig(weights, BITS, activations=activations, activation_bits=BITS)
    model = build_full_precision()
    convert(model, QuantConfig(inner=layer), torch.randn(2, *IMAGE))
    return model


def build_brevitas() -> nn.Module:
    """The same network with Brevitas' quantisers: learned step per tensor for activations, per channel for weights."""
    import brevitas.nn as layers
    from brevitas.quant import Int8ActPerTensorFloat, Int8WeightPerChannelFloat, Uint8ActPerTensorFloat

    class LearnedScale(Int8WeightPerChannelFloat):
        scaling_impl_type = "parameter_from_stats"

    model = build_full_precision()
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


def candidates() -> dict[str, Callable[[], nn.Module]]:
    """What builds each network that is measured, by its name in the table; Brevitas where it is installed."""
    builders = {
        BASE: build_full_precision,
        f"LSQ W{BITS}A{BITS}": lambda: build_quantised("uniform", "lsq"),
        f"ASQ + POST W{BITS}A{BITS}": lambda: build_quantised("post", "asq"),
    }
    if find_spec("brevitas") is not None:
        builders[f"Brevitas {versions('brevitas')['brevitas']} W{BITS}A{BITS}"] = build_brevitas
    return builders


class Stepper:
    """A network and what it trains on."""

    def __init__(self, model: nn.Module):
        self.model = put_channels_last(model.train())
        self.optimiser = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
        self.images = torch.randn(BATCH, *IMAGE).contiguous(memory_format=torch.channels_last)
        self.labels = torch.randint(CLASSES, (BATCH,))

    def loss(self) -> Tensor:
        return nn.functional.cross_entropy(self.model(self.images), self.labels)

    def step(self) -> float:
        """Do one update; return the seconds that it took."""
        start = time.perf_counter()
        loss = self.loss()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return time.perf_counter() - start


def measure_step_times(makers: dict[str, Callable[[], nn.Module]], rounds: int, bar: Bar = SILENT) -> dict[str, float]:
    """The median seconds of each network's training step, the networks taking turns."""
    steppers = {name: Stepper(make()) for name, make in makers.items()}
    times: dict[str, list[float]] = {name: [] for name in steppers}
    bar.expect((rounds + 2) * len(steppers))
    for turn in range(rounds + 2):
        for name, stepper in steppers.items():
            seconds = stepper.step()
            if turn >= 2:  # the first ones set up steps, momentum and oneDNN's kernels
                times[name].append(seconds)
            bar.advance(note=name)
    return {name: statistics.median(values) for name, values in times.items()}


def read_memory(field: str) -> float:
    """The MiB of this process's memory by /proc: `VmRSS` now, `VmHWM` at its peak."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise ValueError(field)


def send_peak_memory(name: str, threads: int, connection) -> None:
    """Measure one network's memory in this process, which does nothing else, and send it to the parent."""
    end_on_interrupt()
    torch.set_num_threads(threads)
    candidates_here = candidates()
    warm = torch.nn.Conv2d(3, 4, 3)(torch.randn(1, *IMAGE))  # libraries load before the count starts
    del warm
    before = read_memory("VmRSS")
    stepper = Stepper(candidates_here[name]())
    for _ in range(4):
        stepper.step()
    connection.send(read_memory("VmHWM") - before)


def measure_peak_memory(name: str, threads: int) -> float:
    """The MiB that making and training one network adds at its peak, in a process of its own.

    Raises InputError if that dies.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=send_peak_memory, args=(name, threads, sender))
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


def measure_training_cost(rounds: int, threads: int, bar: Bar = SILENT) -> BenchReport:
    """Measure the cost of every candidate; the report also says what it was measured with."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    makers = candidates()
    times = measure_step_times(makers, rounds, bar)
    return {
        "network": NETWORK,
        "batch": BATCH,
        "threads": threads,
        "torch": versions("torch")["torch"],
        "costs": {name: {"seconds": times[name], "mebibytes": measure_peak_memory(name, threads)} for name in makers},
    }
