"""One matrix of known weights as a graph of adders: POST in Z[√2], with √2·a per input, or any exact level set.

da4ml solves each constant matrix as one graph of adders and shifts on shared inputs. POST in Z[√2] is two such graphs,
E = even·a and O = odd·a, and one √2 per output; with √2·a tabulated once per input it is one graph on twice the inputs.
"""

from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from asq_model.spec.mac import MacSpec
from asq_model.spec.sqrt2 import make_sqrt2_table

if TYPE_CHECKING:
    from da4ml.types import CombLogic

# Depth over the least possible, in adders, and da4ml's own settings otherwise. Without a limit graphs get about as many
# adder bits, but deeper.
SOLVER = {"hard_dc": 2}


@dataclass(frozen=True)
class Form:
    """A unit's products as adders.

    how: `whole` is one graph; `parts` are E and O; `pair` is both and √2; `tabled` is one graph on a and √2·a.
    """

    title: str
    unit: str
    how: str = "whole"
    frac: int | None = None


GRAPH_FORMS = {
    "uniform": Form("uniform", "uniform"),
    "pair": Form("POST: E, O, √2 per output", "post-exact", "pair", 0),
    "parts": Form("POST: E and O, without √2", "post-exact", "parts", 0),
    "tabled0": Form("POST: √2·a per input, F = 0", "post", "tabled", 0),
    "tabled2": Form("POST: √2·a per input, F = 2", "post", "tabled", 2),
    "pot": Form("POT", "pot"),
    "apot": Form("APoT", "apot"),
}


def solver_version() -> str:
    """The version of da4ml, which solves the adder graphs."""
    return version("da4ml")


@dataclass(frozen=True)
class Problem:
    """A matrix to unroll: `codes` uint8 [C, N] of `spec`'s level set, in one form."""

    name: str
    form: Form
    spec: MacSpec
    codes: np.ndarray

    @property
    def even(self) -> np.ndarray:
        """The parts of the weights without √2, by output and input."""
        return self.spec.level_set.even[self.codes]

    @property
    def odd(self) -> np.ndarray:
        """The parts of the weights with √2, by output and input."""
        return self.spec.level_set.odd[self.codes]

    def compute_expected(self, activations: np.ndarray) -> np.ndarray:
        """Compute what the netlist must give for activations [V, N]: int64 [V, results]."""
        if self.form.how in ("whole", "tabled"):
            return self.spec.dot(self.codes[None], activations[:, None])
        even, odd = activations @ self.even.T, activations @ self.odd.T
        if self.form.how == "parts":
            return np.hstack([even, odd])
        return (32 * even + 16 + 45 * odd + (odd >> 2)) >> 5

    @cached_property
    def graph(self) -> "CombLogic":
        """da4ml's CombLogic. E and O are solved apart and as one matrix, and the cheaper is taken."""
        top = int(self.spec.activations.max())
        if self.form.how == "tabled":
            unit = 1 << self.frac
            highs = np.repeat([top * unit, int(make_sqrt2_table(self.spec.activations, self.frac)[-1])], self.inputs)
            return solve([np.hstack([self.even, self.odd])], highs, np.repeat([unit, 1], self.inputs))
        highs, steps = np.full(self.inputs, top), np.ones(self.inputs)
        if self.form.how == "whole":
            return solve([self.even], highs, steps)
        ways = [self.even, self.odd], [np.vstack([self.even, self.odd])]
        return min((solve(way, highs, steps) for way in ways), key=lambda graph: graph.cost)

    @property
    def frac(self) -> int:
        """Fraction bits of √2·a, where it is tabled."""
        return self.spec.frac_bits

    @property
    def inputs(self) -> int:
        """How many activations a product of the matrix takes."""
        return self.codes.shape[1]


def solve(matrices: list[np.ndarray], highs: np.ndarray, steps: np.ndarray) -> "CombLogic":
    """da4ml's CombLogic of the matrices' [C, N] products with the same inputs, each matrix solved by itself.

    Inputs are multiples of `steps` from 0 to `highs`. An adder costs its bits.
    """
    from da4ml.trace import FixedVariableArray, HWConfig, comb_trace

    costs = HWConfig(adder_size=1, carry_size=-1, latency_cutoff=-1)
    inputs = FixedVariableArray.from_lhs(np.zeros(len(highs)), highs, steps, hwconf=costs, solver_options=SOLVER)
    return comb_trace(inputs, np.concatenate([inputs @ matrix.T.astype(np.float64) for matrix in matrices]))
