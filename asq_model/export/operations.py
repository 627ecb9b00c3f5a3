"""The operations of a traced network: what `trace_network` finds and `make_graph` turns into nodes of a graph.

Tensors are maps [N, channels, rows, columns] here as in a graph, whatever their axes are in torch. An operation carries
real numbers; those that only move values carry the geometry of the node that they become.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from asq_model.quantisation import ActivationQuantiser
from asq_model.quantisation.quantised import Quantised
from asq_model.spec.graph.movement import MaxPool, Pad, Reshape, Slice
from asq_model.spec.graph.tensor import Margins, Pair


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation.

    name: unique in the network. inputs: names of operations. where: its place in the user's code, for messages.
    value: the name of torch's own node whose output this is, or "" for values that were only put in another order.
    """

    name: str
    inputs: tuple[str, ...]
    where: str
    value: str


@dataclass(frozen=True, eq=False)
class Given(Operation):
    """The network's input. shape: of one sample's maps."""

    shape: tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Layer(Operation):
    """A quantised layer. positions: how many pixels a map of its input has."""

    module: Quantised
    positions: int


@dataclass(frozen=True, eq=False)
class RoundActivations(Operation):
    """An activation quantiser that stands alone. positions: how many pixels a map of its input has."""

    module: ActivationQuantiser
    positions: int


@dataclass(frozen=True, eq=False)
class Affine(Operation):
    """A factor and an offset for each channel, float64 [C]: batch norm, or a constant."""

    factor: np.ndarray
    offset: np.ndarray


@dataclass(frozen=True, eq=False)
class Sum(Operation):
    """A sum of tensors, each with the sign 1 or -1."""

    signs: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Bound(Operation):
    """Values kept between two bounds, which may be infinite."""

    low: float
    high: float


@dataclass(frozen=True, eq=False)
class NegativeSlope(Operation):
    """Negative values times a slope for each channel, float64 [C]."""

    slopes: np.ndarray


@dataclass(frozen=True, eq=False)
class Curve(Operation):
    """A function of each value on its own."""

    function: Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, eq=False)
class Join(Operation):
    """Tensors one behind the other along the channels."""


@dataclass(frozen=True, eq=False)
class Mean(Operation):
    """The mean of each window."""

    kernel: Pair
    stride: Pair
    padding: Margins


@dataclass(frozen=True, eq=False)
class Move(Operation):
    """What moves or chooses values and computes nothing. node: what it becomes, but for its name and inputs."""

    node: MaxPool | Reshape | Pad | Slice
