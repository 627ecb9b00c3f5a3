"""Fake quantisation: forward gives the value that the integers will mean, backward straight-through gradients.

The gradients are those of the paper (arXiv 2504.17263), of LSQ, and of the baselines that the paper compares with.
"""

from asq_model.quantisation.activation_base import ActivationQuantiser
from asq_model.quantisation.activations import (
    DorefaActivation,
    LsqActivation,
    LsqPlusActivation,
    PactActivation,
    PotActivation,
    make_activation_quantiser,
)
from asq_model.quantisation.adapter import Adapter
from asq_model.quantisation.straight_through import find_nearest_level
from asq_model.quantisation.weights import (
    DorefaWeight,
    LevelSetWeight,
    UniformWeight,
    WeightQuantiser,
    make_weight_quantiser,
)

__all__ = [
    "ActivationQuantiser",
    "Adapter",
    "DorefaActivation",
    "DorefaWeight",
    "LevelSetWeight",
    "LsqActivation",
    "LsqPlusActivation",
    "PactActivation",
    "PotActivation",
    "UniformWeight",
    "WeightQuantiser",
    "find_nearest_level",
    "make_activation_quantiser",
    "make_weight_quantiser",
]
