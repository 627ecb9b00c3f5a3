"""A test that is enqueued counts as `evaluate` does, and what weights cost is counted level by level."""

import pytest
import torch

from asq_model.gpu.captured_training import CapturedTraining
from asq_model.gpu.evaluation import (
    adapters_of,
    betas_held,
    count_terms,
    count_weight_costs,
    enqueue_test,
    exact_convolutions,
)
from asq_model.quantisation.convert import inner_layers
from asq_model.training.evaluate import count_correct, count_top_correct


@pytest.fixture(scope="module")
def trained(digits, quantised):
    training = CapturedTraining(quantised(quantised_rate=0.1), digits)
    training.capture()
    training.advance(100)
    return training


def test_counts_are_those_of_an_evaluation(trained, digits):
    counts = enqueue_test(trained.model, digits).tolist()
    assert tuple(counts[:2]) == count_top_correct(trained.model, digits.dataset.test)
    with betas_held(trained.model, digits.examples):
        assert counts[2] == count_correct(trained.model, digits.dataset.test)
    assert 0 < counts[2] <= counts[1]


def test_a_beta_that_is_held_is_the_mean_of_all_images(trained, digits):
    (name, adapter), *_ = adapters_of(trained.model)
    images = digits.test[:50]
    free = adapter(images if name == "0" else torch.rand(50, adapter.hidden.in_features if adapter.hidden else 1, 3, 3))
    assert free.std() > 0
    with betas_held(trained.model, digits.examples), torch.no_grad():
        held = adapter(torch.rand(50, adapter.hidden.in_features if adapter.hidden else 1, 3, 3))
        assert held.shape == (50,) and held.unique().numel() == 1
    assert adapter(torch.rand(9, adapter.hidden.in_features if adapter.hidden else 1, 3, 3)).shape == (9,)


def test_a_network_without_adapters_has_none_to_hold(digits, quantised):
    training = CapturedTraining(quantised(activations="lsq"), digits)
    training.capture()
    assert adapters_of(training.model) == [] and enqueue_test(training.model, digits)[2] == 0


def test_weights_are_counted_by_their_levels(trained):
    costs = count_weight_costs(trained.model)
    values = []
    for _, layer in inner_layers(trained.model):
        codes, _ = layer.weight_quantiser.encode(layer.weight.detach())
        level_set = layer.weight_quantiser.level_set
        values += [(level_set.even[code], level_set.odd[code]) for code in codes.flatten().tolist()]
    assert costs["weights"] == len(values)
    assert costs["zeros"] == values.count((0, 0)) > 0
    assert costs["terms"] == costs["weights"] - costs["zeros"]  # POST: one signed power of √2 each


@pytest.mark.parametrize("value, terms", [(0, 0), (1, 1), (-8, 1), (3, 2), (7, 2), (-11, 3), (85, 4)])
def test_terms_of_an_integer(value, terms):
    assert count_terms(value) == terms


def test_convolutions_are_exact_for_a_while():
    before = torch.backends.cudnn.allow_tf32
    with exact_convolutions():
        assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cudnn.benchmark
    assert torch.backends.cudnn.allow_tf32 == before
