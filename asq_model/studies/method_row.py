"""A line of a table of accuracies: how weights and activations are quantised, and the method's name. Free of torch."""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

from asq_model.spec.levels import EXPONENTIAL, LevelSet

POWERS = (*EXPONENTIAL, "apot")  # weights that are powers or sums of them, all quantised to the nearest level
UNNAMED_WEIGHTS = ("uniform", "dorefa")  # LSQ's and PACT's own, which a method's name leaves out


class MethodRow(NamedTuple):
    """A line of a table: how weights and activations are quantised, and what LSQ's gradient scale counts."""

    bits: int
    activation_bits: int
    family: str
    kind: str
    activations: str
    step_gradient: str = "numel"

    @property
    def precision(self) -> str:
        """The bits of weights and activations, such as W4A8."""
        return f"W{self.bits}A{self.activation_bits}"

    @property
    def label(self) -> str:
        """The method's name, as the paper writes it, with its level set; LSQ-features has another gradient scale."""
        scale = "" if self.step_gradient == "numel" else f"-{self.step_gradient}"
        weights = "" if self.family in UNNAMED_WEIGHTS else f" + {self.family.upper()}"
        levels = f" ({self.kind})" if self.kind else ""
        activations = {"pot": "POT activations"}.get(self.activations, self.activations.upper())
        return activations + scale + weights + levels

    @property
    def method(self) -> str:
        """The method's name without its level set, of which the paper says nothing."""
        return self._replace(kind="").label


Groups = dict[MethodRow, dict[int, float]]  # each line's percentages by seed


def have_equal_levels(one: MethodRow, other: MethodRow) -> bool:
    """Whether two lines are one method by two names: their weights' families differ, but not the levels.

    At 2 bits POT's, APOT's and POST's symmetric levels are -1, 0 and 1; at 3 bits APOT's are POT's symmetric ones.
    """
    if one._replace(family=other.family, kind=other.kind) != other or not {one.family, other.family} <= {*POWERS}:
        return False
    levels = [{*LevelSet(row.family, row.bits, row.kind).values.tolist()} for row in (one, other)]
    return levels[0] == levels[1]


def find_equal_lines(groups: Groups) -> Iterator[tuple[MethodRow, MethodRow]]:
    """Find the lines that are one method by two names."""
    return (pair for pair in combinations(groups, 2) if have_equal_levels(*pair))
