"""How far POST is from the ceiling, and whether that is within what is aimed at. Free of torch."""

from typing import NamedTuple

from asq_model.studies.method_row import MethodRow
from asq_model.studies.paired_comparisons import Interval, PairedTest, correct_by_holm, make_mean_tests
from asq_model.studies.spreads import find_strays
from asq_model.studies.trained_out.longer import group_by_length
from asq_model.studies.trained_out.record import TrainedOut, percent
from asq_model.studies.verdicts import UNDECIDED

AIMS = {4: 0.5, 3: 1.5}  # points below the ceiling, by bits


class Distance(NamedTuple):
    """How far a line with POST weights is from an aim; the test's difference is what is left of the aim."""

    bits: int
    length: int
    row: MethodRow
    test: PairedTest
    interval: Interval

    @property
    def outcome(self) -> str:
        """Whether the line reaches the aim."""
        if not self.interval.decided:
            return UNDECIDED
        return "reached" if self.test.difference > 0 else "not reached"

    @property
    def loss(self) -> str:
        """How far the line is below the ceiling, with its interval, in points."""
        return f"{AIMS[self.bits] - self.test.difference:.2f} ± {self.interval.half_width:.2f}"


def measure_losses(study: TrainedOut) -> list[Distance]:
    """Every line with POST weights against the aim of its bits, corrected for how many they are."""
    ceiling, found = percent(study["ceiling"]), []
    for length, groups in group_by_length(study).items():
        for bits, aim in AIMS.items():
            left = {
                row: {number: value - (ceiling - aim) for number, value in values.items()}
                for row, values in groups.items()
                if row.precision == f"W{bits}A{bits}" and not find_strays(groups, row)
            }
            tests = make_mean_tests(left)
            found += [(bits, length, row, test) for row, test in tests.items() if row.family == "post"]
    intervals = correct_by_holm([test for *_, test in found])
    return [Distance(*what, interval) for what, interval in zip(found, intervals, strict=True)]


def judge_aims(study: TrainedOut) -> list[dict[str, object]]:
    """What became of each aim at each length, by the line with POST weights that is nearest to the ceiling."""
    every, judged = measure_losses(study), []
    for bits, aim in AIMS.items():
        outcomes = []
        for length in dict.fromkeys(distance.length for distance in every if distance.bits == bits):
            lines = [distance for distance in every if (distance.bits, distance.length) == (bits, length)]
            best = max(lines, key=lambda line: line.test.difference)
            outcomes.append({"length": length, "outcome": best.outcome, "label": best.row.label, "loss": best.loss})
        if outcomes:
            judged.append({"bits": bits, "points": aim, "outcomes": outcomes})
    return judged
