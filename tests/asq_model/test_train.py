import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from conftest import ROOT

from asq_model.data import shifted, split_digits
from asq_model.files import InputError
from asq_model.networks import DigitsNet
from asq_model.recipe import Recipe, recipe_fingerprint
from asq_model.train import Training, learning_rate, load_model, train


class Killed(BaseException):
    pass


@pytest.mark.parametrize("after", [1, 2])
def test_a_killed_run_resumes_to_the_same_bytes(after, small_recipe, small_checkpoint, tmp_path):
    """Killed in full precision and right after the first quantised epoch."""
    recipe = replace(small_recipe, full_precision_epochs=1, quantised_epochs=1)
    out = tmp_path / "x.safetensors"

    def kill(epoch):
        if epoch == after:
            raise Killed

    with pytest.raises(Killed):
        train(recipe, out, kill)
    assert not out.exists() and (tmp_path / "x.safetensors.resume").exists()
    epochs = []
    train(recipe, out, epochs.append)
    assert epochs == list(range(after + 1, recipe.epochs + 1))
    assert out.read_bytes() == small_checkpoint.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_checkpoint_and_golden_vectors_are_the_same_bytes_in_another_process(
    hash_seed, small_checkpoint, small_golden, small_recipe, tmp_path
):
    code = (
        "import sys; from pathlib import Path; from asq_model.recipe import Recipe; from asq_model.train import train\n"
        "from asq_model.export import export; folder = Path(sys.argv[1])\n"
        f"train({small_recipe!r}, folder / 'x.safetensors'); export(folder / 'x.safetensors', folder / 'golden')"
    )
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    subprocess.run([sys.executable, "-c", code, tmp_path], cwd=ROOT, env=environment, check=True, capture_output=True)
    assert (tmp_path / "x.safetensors").read_bytes() == small_checkpoint.read_bytes()
    for path in small_golden.iterdir():
        assert (tmp_path / "golden" / path.name).read_bytes() == path.read_bytes()


def test_a_damaged_or_foreign_resume_file_starts_over(small_recipe, small_checkpoint, tmp_path):
    out = tmp_path / "x.safetensors"
    out.with_name("x.safetensors.resume").write_bytes(b"half")
    epochs = []
    train(small_recipe, out, epochs.append)
    assert epochs == [1, 2] and out.read_bytes() == small_checkpoint.read_bytes()


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_epoch(small_recipe, tmp_path):
    train_set, _ = split_digits()
    training = Training(small_recipe)
    training.run_epoch(train_set)
    training.start_quantised()
    quantiser = training.model.block1.conv1.activation_quantiser
    quantiser.initialised.fill_(True)
    quantiser.step.data.fill_(float("nan"))
    with pytest.raises(InputError, match=r"loss is nan in epoch 2 of 2; .*block1\.conv1\.activation_quantiser\.step"):
        training.run_epoch(train_set)


def test_the_checkpoint_is_the_network(small_checkpoint, small_recipe):
    model, recipe, config = load_model(small_checkpoint)
    assert recipe == small_recipe and not model.training
    _, test = split_digits()
    assert int((model(test.images).argmax(1) == test.labels).sum()) == config["quantised_correct"]
    bits = {name: layer.weight_quantiser.level_set.bits for name, layer in model.quantised_layers()}
    assert bits.pop("conv") == bits.pop("fc") == 8 and set(bits.values()) == {3} and len(bits) == 8
    assert all(layer.activation_quantiser.adapter is not None for _, layer in model.inner_layers())
    assert all(layer.weight[0].numel() <= 576 for _, layer in model.quantised_layers())


def test_a_checkpoint_of_another_network_is_refused(small_checkpoint, tmp_path):
    from asq_model.checkpoint import read_checkpoint, write_checkpoint

    tensors, config = read_checkpoint(small_checkpoint)
    config.pop("digest")
    path = tmp_path / "x.safetensors"
    write_checkpoint(path, tensors, config | {"network": "ResNet-18"})
    with pytest.raises(InputError, match="network 'ResNet-18'"):
        load_model(path)
    tensors.pop("fc.bias")
    write_checkpoint(path, tensors, config)
    with pytest.raises(InputError, match="does not fit"):
        load_model(path)


def test_the_split_is_fixed_and_disjoint():
    (train_set, test_set), (again, _) = split_digits(), split_digits()
    assert len(train_set) == 1437 and len(test_set) == 360
    assert torch.equal(train_set.images, again.images)
    everything = torch.cat([train_set.images, test_set.images]).flatten(1)
    assert everything.min() == 0 and everything.max() == 1
    assert torch.bincount(test_set.labels).min() >= 34  # stratified: about 36 of each digit


def test_shifts_move_by_at_most_one_pixel():
    images = torch.zeros(200, 1, 8, 8)
    images[:, :, 4, 4] = 1
    moved = shifted(images, torch.Generator().manual_seed(0)).flatten(1).argmax(1)
    assert {(int(m) // 8 - 4, int(m) % 8 - 4) for m in moved} == {(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1)}


def test_learning_rate_is_a_cosine_in_each_phase():
    recipe = Recipe(full_precision_epochs=10, quantised_epochs=20)
    assert learning_rate(recipe, 0, 0) == 0.1 and learning_rate(recipe, 10, 0) == 0.04
    assert learning_rate(recipe, 9, 1.0) == pytest.approx(0) and learning_rate(recipe, 5, 0) == pytest.approx(0.05)


def test_fingerprint_follows_the_recipe():
    assert recipe_fingerprint(Recipe()) != recipe_fingerprint(Recipe(seed=1))


def test_full_precision_and_quantised_forms_share_their_weights():
    torch.manual_seed(0)
    model = DigitsNet()
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.quantise(Recipe().level_set, 3)
    assert set(state) <= set(model.state_dict())
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in state.items())
