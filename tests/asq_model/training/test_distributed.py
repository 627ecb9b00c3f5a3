"""Two processes with a batch between them train as one process with the whole batch."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import ROOT

from asq_model.common.errors import InputError
from asq_model.datasets import load_dataset
from asq_model.distributed import GlobalBatchNorm2d
from asq_model.training import state
from asq_model.training.checkpoint_file import read_checkpoint

TRAIN = """
import sys
from pathlib import Path
import torch
torch.set_default_dtype(torch.float64)
from asq_model.config.recipe import Recipe
from asq_model.training.train import train
from asq_model.common.errors import InputError
if sys.argv[4:] == ["apart"]:
    import asq_model.training.state
    asq_model.training.state.share_batch_norms = lambda model: None
fields = {"batch": int(sys.argv[2]), "activations": sys.argv[3], "validation": 1117}  # a quarter of the images
recipe = Recipe(full_precision_epochs=0, quantised_epochs=1, **fields)
try:
    train(recipe, Path(sys.argv[1]))
except InputError as error:
    print(error)
    sys.exit(2)
"""


def run(processes, out, batch=64, activations="asq", *more):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "--no-python"]
    words = [sys.executable, "-c", TRAIN, str(out), str(batch), activations, *more]
    command = words if processes == 0 else [sys.executable, *launch, *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.mark.exhaustive
@pytest.mark.parametrize("activations", ["asq", "pact"])
def test_two_processes_give_the_result_of_one(activations, tmp_path):
    """Two processes give the result of one; float64 keeps the order of sums far below the rounding of a code."""
    for processes in (0, 2):
        done = run(processes, tmp_path / f"{processes}.safetensors", activations=activations)
        assert done.returncode == 0, done.stderr
    (one, config), (two, other) = (read_checkpoint(tmp_path / f"{n}.safetensors") for n in (0, 2))
    for name in one:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-6, atol=1e-9, err_msg=name)
    for count in ("quantised_correct", "full_precision_correct", "layers", "fingerprint"):
        assert config[count] == other[count]


@pytest.mark.exhaustive
def test_batch_norms_of_their_own_would_be_seen(tmp_path):
    """The comparison above can fail: here each process normalises its own part of the batch."""
    results = []
    for processes in (0, 2):
        assert run(processes, tmp_path / f"{processes}", 64, "asq", "apart").returncode == 0
        results.append(read_checkpoint(tmp_path / f"{processes}")[0]["fc.weight"])
    assert np.abs(results[0] - results[1]).max() > 1e-3


def test_a_batch_that_does_not_divide_is_refused(small_recipe, monkeypatch):
    monkeypatch.setattr(state, "world_size", lambda: 2)
    with pytest.raises(InputError, match="batch is 63; allowed: a multiple of the 2 processes"):
        state.TrainingState(replace(small_recipe, batch=63), load_dataset("digits"))


@pytest.mark.parametrize("size", ["2", "many"])
def test_a_group_that_no_launcher_made_is_refused(refused, monkeypatch, tmp_path, size):
    """Clusters set WORLD_SIZE for programs of other kinds, too."""
    monkeypatch.setenv("WORLD_SIZE", size)
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    said = refused("asq_model", "train", "--out", tmp_path / "x.safetensors")
    assert f"WORLD_SIZE is {size}, but the processes find no group: " in said and "allowed: torchrun, or" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.exhaustive
def test_every_process_is_told_of_a_batch_that_does_not_divide(tmp_path):
    done = run(2, tmp_path / "x.safetensors", batch=63)
    assert done.returncode != 0 and "batch is 63; allowed: a multiple of the 2 processes" in done.stdout


def test_batch_norm_of_one_process_is_torch_s():
    torch.manual_seed(0)
    plain = torch.nn.BatchNorm2d(4).double()
    plain.weight.data.uniform_(0.5, 2)
    shared = torch.nn.BatchNorm2d(4).double()
    shared.load_state_dict(plain.state_dict())
    shared.__class__ = GlobalBatchNorm2d
    x = torch.randn(3, 4, 5, 5, dtype=torch.float64, requires_grad=True)
    weights = torch.randn_like(x)
    for module in (plain, shared):
        module.zero_grad()
    results = [(module(x), module) for module in (plain, shared)]
    grads = [torch.autograd.grad((out * weights).sum(), [x, *module.parameters()]) for out, module in results]
    torch.testing.assert_close(results[0][0], results[1][0])
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other)
    torch.testing.assert_close(plain.state_dict(), shared.state_dict())
    torch.testing.assert_close(plain.eval()(x), shared.eval()(x))
