import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import ROOT

from asq_model.common.errors import InputError
from asq_model.config.fingerprints import fingerprint_recipe
from asq_model.config.recipe import Recipe
from asq_model.config.run_options import RunOptions
from asq_model.datasets import Dataset, load_dataset
from asq_model.quantisation.activations import FROM_BATCH
from asq_model.quantisation.convert import inner_layers, quantised_layers
from asq_model.training.checkpoint_file import read_checkpoint, write_checkpoint
from asq_model.training.evaluate import count_correct
from asq_model.training.load import load_model, load_quantised
from asq_model.training.state import TrainingState
from asq_model.training.train import (
    compute_learning_rate,
    hold_back,
    make_epoch_generator,
    train,
    train_epoch,
)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("after", [1, pytest.param(2, marks=pytest.mark.exhaustive)])
def test_a_killed_run_resumes_to_the_same_bytes(after, small_recipe, small_checkpoint, tmp_path):
    """Killed in full precision and right after the first quantised epoch."""
    recipe = replace(small_recipe, full_precision_epochs=1, quantised_epochs=1)
    out = tmp_path / "x.safetensors"

    def kill(epoch):
        if epoch == after:
            raise Killed

    with pytest.raises(Killed):
        train(recipe, out, after_epoch=kill)
    assert not out.exists() and (tmp_path / "x.safetensors.resume").exists()
    epochs = []
    train(recipe, out, after_epoch=epochs.append)
    assert epochs == list(range(after + 1, recipe.epochs + 1))
    assert out.read_bytes() == small_checkpoint.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]


def in_another_process(code, *words):
    """Run Python with another hash seed than any process here has."""
    environment = os.environ | {"PYTHONHASHSEED": "1"}
    subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, env=environment, check=True, capture_output=True)


@pytest.mark.exhaustive
def test_golden_vectors_are_the_same_bytes_in_another_process(small_checkpoint, small_golden, tmp_path):
    code = "import sys; from pathlib import Path; from asq_model.export.golden_checkpoint import export\n"
    in_another_process(f"{code}export(*map(Path, sys.argv[1:]))", small_checkpoint, tmp_path)
    for path in small_golden.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


@pytest.mark.exhaustive
def test_a_checkpoint_is_the_same_bytes_in_another_process(small_checkpoint, small_recipe, tmp_path):
    code = "import sys; from pathlib import Path; from asq_model.config.recipe import Recipe\n"
    code += "from asq_model.training.train import train\n"
    in_another_process(f"{code}train({small_recipe!r}, Path(sys.argv[1]))", tmp_path / "x.safetensors")
    assert (tmp_path / "x.safetensors").read_bytes() == small_checkpoint.read_bytes()


def test_a_damaged_or_foreign_resume_file_starts_over(small_recipe, small_checkpoint, tmp_path):
    out = tmp_path / "x.safetensors"
    out.with_name("x.safetensors.resume").write_bytes(b"half")
    epochs = []
    train(small_recipe, out, after_epoch=epochs.append)
    assert epochs == [1, 2] and out.read_bytes() == small_checkpoint.read_bytes()


def test_a_run_does_not_go_on_with_other_images(small_recipe, small_checkpoint, tmp_path, monkeypatch):
    """Two folders may hold two copies of CIFAR-10, of one size and with the same labels."""
    out, digits = tmp_path / "x.safetensors", load_dataset("digits")
    other = Dataset(replace(digits.train, images=digits.train.images.flip(3)), digits.test, digits.classes)

    def kill(epoch):
        raise Killed

    monkeypatch.setattr(sys.modules[train.__module__], "load_dataset", lambda *words: other)
    with pytest.raises(Killed):
        train(small_recipe, out, after_epoch=kill)
    monkeypatch.undo()
    epochs = []
    train(small_recipe, out, after_epoch=epochs.append)
    assert epochs == [1, 2] and out.read_bytes() == small_checkpoint.read_bytes()


@pytest.fixture
def digits():
    return load_dataset("digits")


@pytest.fixture
def quantised_training(small_recipe, digits):
    training = TrainingState(small_recipe, digits)
    training.start_quantised()
    training.epoch = small_recipe.full_precision_epochs
    return training


def test_a_loss_that_is_no_number_names_the_step_that_went_wrong(quantised_training):
    quantiser = quantised_training.model.block1.conv1.activation_quantiser
    quantiser.started.fill_(FROM_BATCH)
    quantiser.step.data.fill_(float("nan"))
    said = r"in epoch 2 of 2.*; block1\.conv1\.activation_quantiser\.step has a value that is not finite"
    with pytest.raises(InputError, match=said):
        train_epoch(quantised_training)


def test_a_loss_that_is_no_number_names_the_adapter_that_overflowed(quantised_training):
    adapter = quantised_training.model.block2.conv1.activation_quantiser.adapter
    adapter.output.weight.data.fill_(3e38)
    adapter.output.weight.data[0, ::2] *= -1  # the sum of both infinities is no number
    adapter.hidden.bias.data.fill_(1e3)
    said = r"the output of block2\.conv1\.activation_quantiser\.adapter\.output is not finite"
    with pytest.raises(InputError, match=said):
        train_epoch(quantised_training)


def test_a_loss_that_is_no_number_keeps_the_last_good_epoch(small_recipe, tmp_path, monkeypatch):
    """A learning rate that blows the network up in its second quantised epoch."""
    recipe = replace(small_recipe, quantised_epochs=2)
    last = recipe.full_precision_epochs + 1
    usual = compute_learning_rate
    monkeypatch.setattr(
        sys.modules[train.__module__],
        "compute_learning_rate",
        lambda *at: float("inf") if at[1] == last else usual(*at),
    )
    out = tmp_path / "x.safetensors"
    with pytest.raises(InputError, match="training stopped: the loss is"):
        train(recipe, out)
    tensors, config = read_checkpoint(out.with_name("x.safetensors.resume"))
    assert config["epoch"] >= 1 and all(np.isfinite(tensor).all() for tensor in tensors.values())
    assert not out.exists()


def test_the_checkpoint_is_the_network(small_checkpoint, small_recipe, digits):
    model, config = load_model(small_checkpoint)
    assert Recipe(**config["recipe"]) == small_recipe and not model.training
    assert count_correct(model, digits.test) == config["quantised_correct"]
    bits = {name: layer.weight_quantiser.level_set.bits for name, layer in quantised_layers(model)}
    assert bits.pop("conv") == bits.pop("fc") == 8 and set(bits.values()) == {3} and len(bits) == 8
    assert all(layer.activation_quantiser.adapter is not None for _, layer in inner_layers(model))
    assert all(layer.weight[0].numel() <= 576 for _, layer in quantised_layers(model))


def test_every_seed_and_epoch_has_an_order_of_its_own():
    """torch's generator takes only the low 32 bits of a seed; two runs alike would look like no spread at all."""
    seeds = (0, 1, 2, 1 << 32)
    draws = {tuple(torch.randperm(20, generator=make_epoch_generator(s, e)).tolist()) for s in seeds for e in range(5)}
    assert len(draws) == 20


@pytest.mark.exhaustive
def test_two_seeds_of_a_method_without_random_weights_differ(small_recipe, tmp_path):
    """LSQ from the same start: only the order and the augmentation are left to make a difference."""
    full = tmp_path / "full"
    train(replace(small_recipe, quantised_epochs=0), full)
    found = []
    for seed in (0, 1):
        recipe = replace(small_recipe, full_precision_epochs=0, activations="lsq", seed=seed)
        train(recipe, tmp_path / str(seed), RunOptions(start=full))
        found.append(read_checkpoint(tmp_path / str(seed))[0]["fc.weight"])
    assert not np.array_equal(*found)


def test_every_parameter_learns(quantised_training):
    """Adapters too: one that no gradient reaches would leave LSQ under another name."""
    train_epoch(quantised_training)
    before = {name: tensor.clone() for name, tensor in quantised_training.model.named_parameters()}
    quantised_training.epoch -= 1
    train_epoch(quantised_training)
    still = [name for name, tensor in quantised_training.model.named_parameters() if torch.equal(tensor, before[name])]
    assert not still


def test_a_full_precision_checkpoint_starts_a_quantised_run(small_recipe, tmp_path):
    small_recipe = replace(small_recipe, batch=512)
    full = tmp_path / "full.safetensors"
    config = train(replace(small_recipe, quantised_epochs=0), full)
    assert config["layers"] == {} and "quantised_correct" not in config
    recipe = replace(small_recipe, full_precision_epochs=0)
    config = train(recipe, tmp_path / "x.safetensors", RunOptions(start=full))
    assert config["start"] == read_checkpoint(full)[1]["digest"]
    again = train(small_recipe, tmp_path / "y.safetensors")
    assert again["full_precision_correct"] == config["full_precision_correct"]
    with pytest.raises(InputError, match="full precision; this command takes a quantised one"):
        load_quantised(full)
    with pytest.raises(InputError, match="does not fit network digits"):
        train(recipe, tmp_path / "z.safetensors", RunOptions(start=tmp_path / "x.safetensors"))


def test_a_checkpoint_of_another_network_is_refused(small_checkpoint, tmp_path):
    tensors, config = read_checkpoint(small_checkpoint)
    config.pop("digest")
    path = tmp_path / "x.safetensors"
    write_checkpoint(path, tensors, config | {"network": "lenet"})
    with pytest.raises(InputError, match=r"x\.safetensors does not fit .*network is 'lenet'; allowed: digits, resnet8"):
        load_model(path)
    write_checkpoint(path, tensors, config | {"network": "resnet8"})
    with pytest.raises(InputError, match="resnet8"):
        load_model(path)
    tensors.pop("fc.bias")
    write_checkpoint(path, tensors, config)
    with pytest.raises(InputError, match="does not fit"):
        load_model(path)


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"batch": 2000}, "batch is 2000; allowed: at most the 1437"),
        ({"validation": 1437}, "validation is 1437; allowed: less than the 1437"),
    ],
)
def test_impossible_runs_are_refused(fields, said, small_recipe, tmp_path):
    with pytest.raises(InputError, match=said):
        train(replace(small_recipe, **fields), tmp_path / "x.safetensors")


def test_a_device_that_is_not_there_is_refused(small_recipe, tmp_path):
    with pytest.raises(InputError, match="device is 'tpu'; allowed: cpu, cuda"):
        train(small_recipe, tmp_path / "x.safetensors", RunOptions(device="tpu"))


def test_validation_images_are_training_images(digits, small_recipe):
    held = hold_back(digits, 100)
    assert len(held.train) == 1337 and len(held.test) == 100
    rows = {tuple(row.tolist()) for row in digits.train.images.flatten(1)}
    assert all(tuple(row.tolist()) in rows for row in held.test.images.flatten(1))


def test_a_batch_of_one_trains(small_recipe, digits):
    few = Dataset(digits.train.select(torch.arange(3)), digits.test, 10)
    training = TrainingState(replace(small_recipe, batch=1), few)
    training.start_quantised()
    loss, _ = train_epoch(training)
    assert np.isfinite(loss)


def test_zero_variance_inputs_train(small_recipe, digits):
    """Every image the same, every activation of the first layer zero: nothing divides by nothing."""
    black = replace(digits.train.select(torch.arange(128)), images=torch.zeros(128, 1, 8, 8, dtype=torch.uint8))
    training = TrainingState(small_recipe, Dataset(black, digits.test, 10))
    training.start_quantised()
    loss, _ = train_epoch(training)
    assert np.isfinite(loss) and all(torch.isfinite(tensor).all() for tensor in training.model.parameters())


def test_mixed_precision_trains_and_resumes(small_recipe, tmp_path):
    recipe = replace(small_recipe, precision="bfloat16")
    config = train(recipe, tmp_path / "x.safetensors")
    assert config["quantised_correct"] > 150
    tensors, _ = read_checkpoint(tmp_path / "x.safetensors")
    assert all(tensor.dtype != np.float16 for tensor in tensors.values())


def test_learning_rate_is_a_cosine_in_each_phase():
    recipe = Recipe(full_precision_epochs=10, quantised_epochs=20)
    assert compute_learning_rate(recipe, 0, 0) == 0.1 and compute_learning_rate(recipe, 10, 0) == 0.04
    assert compute_learning_rate(recipe, 9, 1.0) == pytest.approx(0) and compute_learning_rate(
        recipe, 5, 0
    ) == pytest.approx(0.05)


def test_fingerprint_follows_the_recipe():
    assert fingerprint_recipe(Recipe()) != fingerprint_recipe(Recipe(seed=1))


def test_weight_decay_is_for_the_layers_weights_only(quantised_training):
    """Adapters hold linear layers too: a β that shrinks would be a step that shrinks."""
    groups = {group["weight_decay"]: group["params"] for group in quantised_training.optimiser.param_groups}
    names = {id(parameter): name for name, parameter in quantised_training.model.named_parameters()}
    decayed = [names[id(parameter)] for parameter in groups[quantised_training.recipe.weight_decay]]
    assert len(decayed) == 10 and all(name.endswith(".weight") for name in decayed)
    assert not [name for name in decayed if "adapter" in name]
    assert [name for name in map(names.get, map(id, groups[0.0])) if name.endswith("adapter.hidden.weight")]


def test_dead_adapters_are_warned_of(small_recipe, tmp_path, capfd, monkeypatch):
    real = TrainingState.start_quantised

    def silence(training):
        real(training)
        training.model.block1.conv1.activation_quantiser.adapter.hidden.bias.data.fill_(-1e3)

    monkeypatch.setattr(TrainingState, "start_quantised", silence)
    train(replace(small_recipe, batch=512), tmp_path / "x.safetensors")
    said = "".join(capfd.readouterr())
    assert "warning: block1.conv1: the adapter is dead, none of its hidden neurons responds, and β is" in said
    assert "quantised 10 layers: conv, block1.conv1" in said
