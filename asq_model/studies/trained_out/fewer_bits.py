"""What fewer bits cost: how far each method falls from one precision to the next. Free of torch."""

from itertools import pairwise
from typing import NamedTuple

from asq_model.common.markdown import format_table_lines
from asq_model.studies.method_row import Groups, MethodRow
from asq_model.studies.paired_comparisons import Interval, PairedTest, add_tests, correct_by_holm, make_mean_tests
from asq_model.studies.spreads import find_strays
from asq_model.studies.verdicts import UNDECIDED

PRECISIONS = ((4, 8), (4, 4), (3, 3), (2, 2))  # bits of weights and activations, from the most on


class Fall(NamedTuple):
    """How many points a method loses from a line to the same with fewer bits."""

    more: MethodRow
    fewer: MethodRow
    test: PairedTest
    interval: Interval

    @property
    def bits(self) -> str:
        """From which precision to which."""
        return f"{self.more.precision} to {self.fewer.precision}"

    @property
    def points(self) -> str:
        """The loss with its interval."""
        return f"{self.test.difference:.2f} ± {self.interval.half_width:.2f}"

    @property
    def outcome(self) -> str:
        """Whether it is a loss."""
        if not self.interval.decided:
            return UNDECIDED
        return "loses" if self.test.difference > 0 else "gains"


def measure_falls(groups: Groups) -> list[Fall]:
    """Measure every line's loss against the same method with more bits, corrected for how many they are.

    The two means of a difference share no run. Lines with a run that strayed are left out.
    """
    means = make_mean_tests({row: values for row, values in groups.items() if not find_strays(groups, row)})
    falls = []
    for more_bits, fewer_bits in pairwise(PRECISIONS):
        for row in (row for row in means if (row.bits, row.activation_bits) == more_bits):
            fewer = row._replace(bits=fewer_bits[0], activation_bits=fewer_bits[1])
            if fewer in means:
                low = means[fewer]
                falls.append((row, fewer, add_tests([means[row], low._replace(difference=-low.difference)])))
    intervals = correct_by_holm([test for *_, test in falls])
    return [Fall(*what, interval) for what, interval in zip(falls, intervals, strict=True)]


def render_falls_table(groups: Groups) -> list[str]:
    """Write every method's loss from one precision to the next; nothing where no method has two."""
    cells = [[fall.bits, fall.more.label, fall.points, fall.outcome] for fall in measure_falls(groups)]
    return format_table_lines(("bits", "method", "loss, points", "verdict"), cells, "llrl") if cells else []


def describe_falls(groups: Groups) -> list[str]:
    """Say from one precision to the next what the methods lose, from the least to the most."""
    falls, said = measure_falls(groups), []
    for bits in dict.fromkeys(fall.bits for fall in falls):
        there = [fall for fall in falls if fall.bits == bits]
        losses = sorted(fall.test.difference for fall in there)
        sure = sum(fall.outcome == "loses" for fall in there)
        said.append(f"{bits}: {losses[0]:.2f} to {losses[-1]:.2f} points, sure for {sure} of {len(there)} methods")
    return said
