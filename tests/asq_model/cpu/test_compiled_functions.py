"""The compiled functions give what those of `straight_through` give, to the last bit, or leave it to them."""

import subprocess
import sys

import pytest
import torch
from conftest import ROOT

from asq_model.config.layer_config import LayerConfig, QuantConfig
from asq_model.cpu import kernels
from asq_model.cpu.compiled_functions import CompiledFakeQuantise, CompiledNearestLevel, compiled_functions
from asq_model.networks import build_network, put_channels_last
from asq_model.quantisation.convert import convert
from asq_model.quantisation.straight_through import DEVICE_FUNCTIONS, FakeQuantise, NearestLevel
from asq_model.spec.levels import LevelSet

LAST = torch.channels_last
NAN, INFINITE = float("nan"), float("inf")


@pytest.fixture(autouse=True)
def compiler():
    """These tests need the machine's C compiler: without one they would compare functions with themselves."""
    assert kernels.load_kernels() is not None


def results(function, arguments, layout):
    """The result of a function and its gradients with respect to the first two arguments.

    layout: how the gradient that comes in lies in memory, where it has four axes.
    """
    leaves = [argument.clone().requires_grad_() for argument in arguments[:2]]
    result = function(*leaves, *arguments[2:])
    gradient = torch.randn(result.shape, generator=torch.Generator().manual_seed(1), dtype=result.dtype)
    gradient = gradient.contiguous(memory_format=layout) if gradient.dim() == 4 else gradient
    return result.detach(), *torch.autograd.grad(result, leaves, gradient)


def bits(tensor):
    """The bits of a tensor's values, every NaN the same."""
    tensor = torch.where(tensor.isnan(), NAN, tensor).contiguous()
    return tensor.view(torch.int64 if tensor.dtype == torch.float64 else torch.int32)


def check_same_bits(one, other, arguments):
    for layout in (torch.contiguous_format, LAST):
        pairs = zip(results(one, arguments, layout), results(other, arguments, layout), strict=True)
        for got, wanted in pairs:
            assert got.dtype == wanted.dtype and got.shape == wanted.shape
            assert torch.equal(bits(got), bits(wanted))


def sample(*shape, layout=torch.contiguous_format):
    """Normal values of a seed."""
    return (torch.randn(shape, generator=torch.Generator().manual_seed(0)) * 2).contiguous(memory_format=layout)


def steps(count, dimensions):
    return (torch.rand(count, generator=torch.Generator().manual_seed(2)) + 0.1).view(-1, *(1,) * (dimensions - 1))


INPUTS = {
    "maps": sample(4, 8, 16, 16, layout=LAST),
    "maps, channels first": sample(4, 8, 5, 7),
    "rows": sample(6, 33),
    "sequences": sample(3, 5, 9),
    "ties, and what is no number": torch.tensor([0.15, 0.45, -0.15, 4.5, -0.0, NAN, INFINITE, -INFINITE]).view(4, 2),
    "not in rows": sample(8, 6).t(),
    "double": sample(6, 33).double(),
    "a single value": torch.tensor(0.7),
    "many": sample(8, 32, 32, 32, layout=LAST),
}


@pytest.mark.parametrize("low, high", [(0, 15), (-8, 7), (0, 3)])
@pytest.mark.parametrize("name", INPUTS)
def test_fake_quantise(name, low, high):
    x = INPUTS[name]
    check_same_bits(CompiledFakeQuantise.apply, FakeQuantise.apply, (x, torch.tensor(0.3).to(x), low, high))
    if x.dim():
        check_same_bits(CompiledFakeQuantise.apply, FakeQuantise.apply, (x, steps(len(x), x.dim()).to(x), low, high))


def test_steps_that_are_not_of_rows_are_left_to_torch():
    x = INPUTS["maps"]
    check_same_bits(CompiledFakeQuantise.apply, FakeQuantise.apply, (x, steps(8, 3), -8, 7))


@pytest.mark.parametrize(
    "family, bits, kind",
    [("post", 4, "symmetric"), ("post", 2, "asymmetric"), ("post", 6, "extended"), ("apot", 4, ""), ("e2m1", 4, "")],
)
def test_nearest_level(family, bits, kind):
    level_set = LevelSet(family, bits, kind)
    levels, midpoints = (torch.tensor(values).float() for values in (level_set.levels, level_set.midpoints))
    ties = torch.cat([midpoints, levels, -midpoints, torch.tensor([NAN, INFINITE, -INFINITE, -0.0])]).view(1, -1)
    check_same_bits(
        CompiledNearestLevel.apply, NearestLevel.apply, (ties, torch.ones(1, 1).to(ties), levels, midpoints)
    )
    for name in ("maps", "maps, channels first", "rows", "not in rows"):
        w = INPUTS[name]
        for alpha in (steps(len(w), w.dim()), steps(1, w.dim())):
            check_same_bits(CompiledNearestLevel.apply, NearestLevel.apply, (w, alpha, levels, midpoints))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_share_the_rows(monkeypatch, threads):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(kernels, "WORTH_SHARING", 64)
    check_same_bits(CompiledFakeQuantise.apply, FakeQuantise.apply, (INPUTS["many"], steps(8, 4), 0, 15))
    check_same_bits(CompiledFakeQuantise.apply, FakeQuantise.apply, (INPUTS["rows"], steps(6, 2), 0, 15))


COUNT_THREADS = """
import os, torch
from asq_model.cpu import kernels
torch.set_num_threads(2)
x, out, step = torch.empty(8, 1 << 16), torch.empty(8, 1 << 16), torch.ones(8, 1)
counts = [len(os.listdir("/proc/self/task"))]
kernels.run_on_rows(kernels.load_kernels()["quantise"], 8, x.numel(), x, step, 1, out, 1 << 16, 0.0, 15.0)
counts.append(len(os.listdir("/proc/self/task")))
x.add_(1)
print(*counts, len(os.listdir("/proc/self/task")))
"""


def test_kernels_run_on_the_threads_of_torch():
    """A kernel starts the second thread, and torch goes on with it: another OpenMP library would have one of its own.

    In a process of its own, since other packages load libraries with threads, too.
    """
    done = subprocess.run([sys.executable, "-c", COUNT_THREADS], capture_output=True, text=True, check=True, cwd=ROOT)
    before, after_kernel, after_torch = map(int, done.stdout.split())
    assert (after_kernel - before, after_torch - after_kernel) == (1, 0)


def test_a_compiler_without_openmp_makes_kernels_of_one_thread(monkeypatch, tmp_path):
    compiler, refused = tmp_path / "cc", tmp_path / "refused"
    compiler.write_text(f'#!/bin/sh\ncase " $* " in *" -fopenmp "*) touch "{refused}"; exit 1;; esac\nexec cc "$@"\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    alone = kernels.load_kernels.__wrapped__()
    assert refused.exists() and alone is not None
    monkeypatch.setattr("asq_model.cpu.compiled_functions.load_kernels", lambda: alone)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    check_same_bits(CompiledFakeQuantise.apply, FakeQuantise.apply, (INPUTS["many"], steps(8, 4), 0, 15))


def trained(family, activations):
    """The parameters of a network after three updates."""
    torch.manual_seed(0)
    model = build_network("resnet8", 10)
    layer = LayerConfig(family, 4, activations=activations, activation_bits=4)
    images = torch.randn(16, 3, 32, 32).contiguous(memory_format=LAST)
    convert(model, QuantConfig(inner=layer), images[:2])
    put_channels_last(model.train())
    optimiser = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    for _ in range(3):
        loss = torch.nn.functional.cross_entropy(model(images), torch.arange(16) % 10)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.state_dict()


@pytest.mark.parametrize("family, activations", [("post", "asq"), ("uniform", "lsq"), ("apot", "lsq+")])
def test_a_network_trains_to_the_same_bits(family, activations):
    plain = trained(family, activations)
    with compiled_functions() as there:
        with compiled_functions():  # such as a training within: what is around it goes on with the kernels
            pass
        assert there and DEVICE_FUNCTIONS["cpu"][FakeQuantise] is CompiledFakeQuantise
        compiled = trained(family, activations)
    assert not DEVICE_FUNCTIONS
    for name, tensor in plain.items():
        assert torch.equal(tensor, compiled[name]), name


@pytest.mark.parametrize("compiler", ["no-such-compiler", "false", "true", "cc '"])
def test_without_a_compiler_that_works_torch_does_the_work(monkeypatch, compiler):
    """One that is not there, one that fails, one that makes nothing, and one whose quotes nothing closes."""
    monkeypatch.setenv("CC", compiler)
    monkeypatch.setattr(kernels, "load_kernels", kernels.load_kernels.__wrapped__)
    monkeypatch.setattr("asq_model.cpu.compiled_functions.load_kernels", kernels.load_kernels)
    with compiled_functions() as there:
        assert not there and not DEVICE_FUNCTIONS
    arguments = INPUTS["rows"], steps(6, 2), 0, 15
    check_same_bits(CompiledFakeQuantise.apply, FakeQuantise.apply, arguments)
