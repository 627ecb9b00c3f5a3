"""Lines of a table that are one method by two names: found by their levels, and trained alike."""

import pytest
import torch
from torch import nn

from asq_model import LayerConfig, QuantConfig, convert
from asq_model.studies.method_row import MethodRow, find_equal_lines, have_equal_levels

POST, POT = MethodRow(2, 2, "post", "symmetric", "lsq"), MethodRow(2, 2, "pot", "symmetric", "lsq")
APOT = MethodRow(2, 2, "apot", "", "lsq")


def at(row, bits):
    return row._replace(bits=bits, activation_bits=bits)


@pytest.mark.parametrize(
    "one, other, equal",
    [
        (APOT, POST, True),
        (POT, POST, True),
        (at(APOT, 3), at(POT, 3), True),
        (at(APOT, 3), at(POST, 3), False),
        (at(APOT, 4), at(POT, 4), False),
        (APOT, POST._replace(kind="extended"), False),
        (APOT, POST._replace(activations="asq"), False),
        (APOT, at(POST, 3), False),
        (MethodRow(2, 2, "uniform", "", "lsq"), POST, False),  # has a level -2, and another gradient
    ],
)
def test_levels_say_which_names_are_of_one_method(one, other, equal):
    assert have_equal_levels(one, other) is have_equal_levels(other, one) is equal
    assert list(find_equal_lines({one: {}, other: {}})) == [(one, other)] * equal


def train(row):
    """The losses of a small network of a line's method."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU(), nn.Flatten())
    network.append(nn.Linear(32, 10))
    images, labels = torch.rand(16, 3, 8, 8), torch.arange(16) % 10
    layer = LayerConfig(weights=row.family, weight_bits=row.bits, activations="lsq", activation_bits=row.bits)
    convert(network, QuantConfig(inner=layer), images)
    optimiser, losses = torch.optim.SGD(network.parameters(), 0.05), []
    for _ in range(5):
        losses.append(nn.functional.cross_entropy(network(images), labels))
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    return [loss.item() for loss in losses]


@pytest.mark.parametrize("one, other", [(APOT, POST), (POT, POST), (at(APOT, 3), at(POT, 3))])
def test_networks_of_equal_levels_are_trained_alike(one, other):
    assert train(one) == train(other) != train(at(APOT, 4))
