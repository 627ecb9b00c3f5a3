"""A captured training does what a training does, step by step."""

import pytest
import torch
from conftest import some

from asq_model.common.errors import InputError
from asq_model.config.recipe import Recipe
from asq_model.gpu import captured_training
from asq_model.gpu.captured_training import CapturedTraining
from asq_model.quantisation import memory_layout
from asq_model.quantisation.convert import quantised_layers
from asq_model.training.state import TrainingState
from asq_model.training.train import compute_learning_rate, make_epoch_generator, train_step

KINDS = [
    {"family": "uniform", "activations": "lsq", "weight_bits": 4},
    {"family": "post", "activations": "asq"},
    {"family": "post", "kind": "extended", "activations": "asq", "weight_bits": 2, "activation_bits": 2},
    {"family": "apot", "activations": "lsq", "weight_bits": 4, "step_gradient": "features"},
    {"family": "uniform", "activations": "lsq", "step_gradient": "unscaled"},
    {"full_precision_epochs": 2, "quantised_epochs": 0, "batch": 128},
]
USUAL = [KINDS[0], KINDS[1], KINDS[-1]]
EARLY = 5  # steps before differences of rounding, which grow from step to step, may be seen


def train_as_usual(recipe, images):
    """The losses of a first epoch, step by step, and the network."""
    state = TrainingState(recipe, images.dataset)
    if recipe.quantised_epochs:
        state.start_quantised()
    state.model.train()
    generator, losses = make_epoch_generator(recipe.seed, 0), []
    order = torch.randperm(len(state.train_set), generator=generator)[: state.steps * recipe.batch]
    for step, (batch, labels) in enumerate(state.train_set.batches(order, recipe.batch, generator)):
        for group in state.optimiser.param_groups:
            group["lr"] = compute_learning_rate(recipe, 0, step / state.steps)
        losses.append(train_step(state, batch, labels))
    return losses, state.model


def agree(losses, expected):
    """Whether the losses of an epoch are the same but for rounding, which other orders of adding make differ."""
    near = [pytest.approx(loss, abs=2e-5 if step < EARLY else 1e-2) for step, (loss, _) in enumerate(expected)]
    return losses == near


@pytest.mark.parametrize("fields", [some(kind, USUAL, "-".join(map(str, kind.values()))) for kind in KINDS])
def test_an_epoch_is_the_same_as_of_a_training(digits, quantised, fields):
    recipe = quantised(quantised_epochs=2, seed=4, **fields) if "quantised_epochs" not in fields else Recipe(**fields)
    expected, model = train_as_usual(recipe, digits)
    training, losses = CapturedTraining(recipe, digits), []
    while training.step < training.state.steps:
        training.advance(1)
        losses.append(training.loss.item())
    assert len(losses) == len(expected) > 5
    assert agree(losses, expected)
    assert int(training.hits) == pytest.approx(sum(hits for _, hits in expected), abs=2)
    for (name, parameter), other in zip(training.model.named_parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(parameter, other, rtol=2e-2, atol=2e-3, msg=name)


def test_an_update_that_differs_is_seen(digits, quantised, monkeypatch):
    """The comparison above finds a momentum that is not the recipe's."""
    recipe = quantised(activations="lsq")
    expected, _ = train_as_usual(recipe, digits)
    training, losses = CapturedTraining(recipe, digits), []
    monkeypatch.setattr(training, "recipe", quantised(activations="lsq", momentum=0.8))
    while training.step < training.state.steps:
        training.advance(1)
        losses.append(training.loss.item())
    assert not agree(losses, expected)


def test_first_updates_settle_each_step_s_start(digits, quantised):
    training = CapturedTraining(quantised(), digits)
    training.capture()
    assert training.step == captured_training.EAGER_STEPS and training.graph is None
    for _, layer in quantised_layers(training.model):
        assert layer.activation_quantiser.settled and not layer.recomputes
    with pytest.raises(InputError, match=r"layer .*: its step was not started by the first batch"):
        captured_training.settle_steps(CapturedTraining(quantised(), digits).model)


def test_epochs_follow_each_other(digits, quantised):
    training = CapturedTraining(quantised(quantised_epochs=2, batch=512), digits)
    assert training.advance(100) and not training.ended
    training.start_next_epoch()
    assert (training.epoch, training.step, int(training.hits)) == (1, 0, 0)
    assert not training.advance(1) and training.advance(1) and training.ended


def test_what_no_capture_can_do_is_refused(digits):
    with pytest.raises(InputError, match="has one phase"):
        CapturedTraining(Recipe(), digits)
    with pytest.raises(InputError, match="precision is bfloat16; a captured training has float32"):
        CapturedTraining(Recipe(full_precision_epochs=0, precision="bfloat16"), digits)


def test_a_gradient_is_laid_as_its_parameter():
    parameter = torch.randn(4, 3, 2, 2).to(memory_format=torch.channels_last)
    gradient = torch.randn(4, 3, 2, 2)
    laid = memory_layout.lay_out_as(gradient, parameter)
    assert laid.stride() == parameter.stride() and torch.equal(laid, gradient)
    assert memory_layout.lay_out_as(laid, parameter) is laid
