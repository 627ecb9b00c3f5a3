"""The ImageNet recipe end to end on a small synthetic image folder: every network, resumed, on two processes."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import ROOT
from PIL import Image
from safetensors.numpy import load_file
from safetensors.torch import save_file

from asq_model.cli import cli
from asq_model.networks import build_network
from asq_model.studies.paper_tables import TABLES
from asq_model.training.checkpoint_file import read_checkpoint

CLASSES = ("cat", "dog", "owl")
OTHERS = ("mobilenetv2", "resnet34", "resnet20")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Nine training and three test images of odd sizes, and full-precision weights as a stranger publishes them."""
    folder = tmp_path_factory.mktemp("imagenet")
    rng = np.random.default_rng(0)
    for part, count in (("train", 3), ("val", 1)):
        for name in CLASSES:
            (folder / part / name).mkdir(parents=True)
            for index in range(count):
                pixels = rng.integers(0, 256, (230 + index, 260, 3), np.uint8)
                Image.fromarray(pixels).save(folder / part / name / f"{index}.JPEG")
    return folder


def words_of(images, network, out, epochs=(0, 1)):
    """The words of a training command."""
    start = images / f"{network}.safetensors"
    if not start.exists():
        torch.manual_seed(0)
        save_file(build_network(network, len(CLASSES)).state_dict(), start)
    full, quantised = epochs
    options = {"network": network, "dataset": "imagenet", "data": images, "from": start, "out": out, "batch": 4}
    options |= {"full-epochs": full, "epochs": quantised}
    return ["asq_model", "train", *(str(part) for name, value in options.items() for part in (f"--{name}", value))]


def train(words, processes):
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes else []
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launch, "-m", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)


@pytest.mark.parametrize(
    "network", ["resnet18", *(pytest.param(other, marks=pytest.mark.exhaustive) for other in OTHERS)]
)
def test_one_epoch_of_every_network(network, images, command, tmp_path):
    out = tmp_path / "x.safetensors"
    words = words_of(images, network, out)
    done = command(*words)
    assert done.returncode == 0, done.stderr
    _, config = read_checkpoint(out)
    assert config["classes"] == 3 and config["train_images"] == 9 and config["test_images"] == 3
    assert config["quantised_top_5"] == 3  # of three classes, the label is among the first five
    again = command(*words)
    assert "is up to date" in again.stderr


@pytest.mark.exhaustive
def test_a_table_from_one_command(images, tmp_path, monkeypatch, capfd):
    """Two of Table 3's rows, on a network that is quick to train: both runs made, the page written, nothing twice."""
    start = tmp_path / "start"
    start.mkdir()
    save_file(build_network("resnet20", len(CLASSES)).state_dict(), start / "resnet20.safetensors")
    monkeypatch.setitem(TABLES, 3, replace(TABLES[3], rows=TABLES[3].rows[3:5]))
    words = ["3", "--network", "resnet20", "--data", images, "--from", start, "--epochs", "1"]
    words += ["--batch", "4", "--out", tmp_path / "runs", "--results", tmp_path]
    for again in (False, True):
        cli.main(["reproduce", *map(str, words)], standalone_mode=False)
        assert capfd.readouterr().err.count("is up to date") == (2 if again else 0)
    text = (tmp_path / "imagenet_table3.md").read_text(encoding="utf-8")
    assert "| resnet20 | 4 | ASQ |" in text and "| resnet20 | 3 | ASQ + POST | symmetric |" in text
    assert "--batch 4" in text and "weights from elsewhere" in text and "Failed runs" not in text


@pytest.mark.exhaustive
@pytest.mark.parametrize(("epochs", "limit"), [((1, 0), 0.03), ((0, 1), 1)])
def test_two_processes_share_a_batch(epochs, limit, images, tmp_path):
    """And move the weights as one process does, up to the order of float32's sums.

    Quantisers amplify that order, and these images are noise, so the bound of the quantised run says little; that its
    gradients are equal is shown in float64 in test_distributed. Here, that the command does it.
    """
    results = []
    for processes in (0, 2):
        out = tmp_path / f"{processes}.safetensors"
        done = train(words_of(images, "resnet20", out, epochs), processes)
        assert done.returncode == 0, done.stderr
        results.append(read_checkpoint(out))
    (one, config), (two, other) = results
    assert config["fingerprint"] == other["fingerprint"]
    start = load_file(images / "resnet20.safetensors")
    learned = [name for name, values in start.items() if values.dtype == np.float32 and "running" not in name]

    def distance(a, b):
        return np.sqrt(sum(np.square(a[name] - b[name]).sum() for name in learned))

    assert distance(one, two) < limit * distance(one, start)


@pytest.mark.exhaustive
def test_a_killed_run_goes_on(images, tmp_path):
    """Killed after its first epoch of two, it does only the second, with the result of a run that was not killed."""
    code = (
        "import sys; from pathlib import Path; from dataclasses import replace\n"
        "from asq_model.config.recipe import recipe_of; from asq_model.config.run_options import RunOptions\n"
        "from asq_model.training.train import train\n"
        "recipe = recipe_of('resnet20', data='imagenet', full_precision_epochs=1, quantised_epochs=1, batch=4)\n"
        "def after(epoch):\n"
        "    print(epoch, flush=True)\n"
        "    if sys.argv[2] == 'kill': import os; os.kill(os.getpid(), 9)\n"
        "train(recipe, Path(sys.argv[1]), RunOptions(data_folder=Path(sys.argv[3])), after)"
    )
    printed = {}
    for out, what in (("x", "kill"), ("x", "go"), ("y", "go")):
        command = [sys.executable, "-c", code, tmp_path / out, what, images]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        printed[out, what] = done.stdout.split()
    assert printed == {("x", "kill"): ["1"], ("x", "go"): ["2"], ("y", "go"): ["1", "2"]}
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()
