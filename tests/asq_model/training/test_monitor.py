from dataclasses import replace

import pytest
import torch

from asq_model.config.run_options import RunOptions
from asq_model.datasets import load_dataset
from asq_model.training.load import load_quantised
from asq_model.training.monitor import observe_layer_states
from asq_model.training.train import train


def test_states_are_those_of_the_layers(small_checkpoint):
    model, _ = load_quantised(small_checkpoint)
    test = load_dataset("digits").test
    states = observe_layer_states(model, test.scale(test.images[:50]))
    assert len(states) == 10
    layer = model.block1.conv1
    state = states["block1.conv1"]
    assert state.step == pytest.approx(abs(layer.activation_quantiser.step.item()))
    assert state.beta[0] <= state.beta[1] <= state.beta[2] and state.beta[0] < state.beta[2]
    assert state.scale == (layer.weight_quantiser.scale.abs().min(), layer.weight_quantiser.scale.abs().max())
    assert states["conv"].beta == (1, 1, 1) and states["conv"].on_floor == 0
    layer.activation_quantiser.adapter.output.bias.data.fill_(-100)
    assert observe_layer_states(model, test.scale(test.images[:50]))["block1.conv1"].on_floor == 1


def test_samples_on_the_floor_are_warned_of(small_recipe, tmp_path, capfd, monkeypatch):
    """An adapter that starts far below zero never gets a gradient: the run says so when it ends."""

    def dead(adapter):
        torch.nn.init.constant_(adapter, -100.0)

    monkeypatch.setattr("torch.nn.init.ones_", dead)
    train(replace(small_recipe, batch=512), tmp_path / "x")
    assert "block1.conv1: β is on its floor for 100% of 64 training images" in "".join(capfd.readouterr())


def test_tensorboard_files_have_every_layer_and_epoch(small_recipe, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(replace(small_recipe, batch=512), tmp_path / "x", RunOptions(log=tmp_path / "log"))
    events = EventAccumulator(str(tmp_path / "log"))
    events.Reload()
    tags = set(events.Tags()["scalars"])
    assert {"loss", "accuracy", "rate", "step/conv", "beta_min/block1.conv1", "beta_max/block3.conv2"} <= tags
    assert [event.step for event in events.Scalars("loss")] == [1, 2]
    assert [event.step for event in events.Scalars("beta_mean/block1.conv1")] == [2]  # the quantised epoch
