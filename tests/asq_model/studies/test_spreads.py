"""How far runs spread about their lines, and which strayed."""

import pytest

from asq_model.studies.method_row import MethodRow
from asq_model.studies.paired_comparisons import is_comparable
from asq_model.studies.spreads import estimate_spread, find_strays, take_lines

LSQ, ASQ = MethodRow(4, 4, "uniform", "", "lsq"), MethodRow(4, 4, "uniform", "", "asq")
POST = MethodRow(4, 4, "post", "symmetric", "lsq")


def test_lines_of_a_precision_are_told_apart_by_every_value():
    """What follows from lines is kept by them: a run that is added or another value has to be seen."""
    groups = {LSQ: {0: 80.0, 1: 80.2, 2: 80.1}, ASQ: {0: 81.0, 1: 81.1, 2: 81.3}}
    before, spread = take_lines(groups, "W4A4"), estimate_spread(groups, "W4A4")
    assert take_lines({row: dict(values) for row, values in groups.items()}, "W4A4") == before
    assert find_strays(groups, ASQ) == []
    groups[ASQ][2] = 61.3
    assert take_lines(groups, "W4A4") != before and find_strays(groups, ASQ) == [2]
    find_strays(groups, ASQ).clear()
    assert find_strays(groups, ASQ) == [2] and estimate_spread(groups, "W4A4") != spread


def test_a_run_far_from_its_line_strays():
    """By the deviation of the other lines: 0.1 here, so that 0.7 from the median is far, and 0.5 is not."""
    others = {LSQ: {0: 80.1, 1: 79.9, 2: 80.0}, POST: {0: 81.1, 1: 80.9, 2: 81.0}}
    for last, found in ((79.3, [2]), (79.5, []), (80.7, [2]), (60.0, [2])):
        groups = others | {ASQ: {0: 80.0, 1: 80.05, 2: last}}
        assert find_strays(groups, ASQ) == found and not find_strays(groups, LSQ)
        assert is_comparable(groups, (ASQ, LSQ)) is not bool(found)
    assert find_strays({ASQ: {0: 80.0, 1: 80.1, 2: 75.0}}, ASQ) == []  # nothing to judge it by
    assert find_strays(others, ASQ) == []


def test_what_a_seed_does_to_every_line_is_no_spread():
    groups = {row: {number: base + 3.0 * number for number in range(4)} for row, base in ((LSQ, 80), (ASQ, 81))}
    del groups[ASQ][3]
    groups[LSQ._replace(activation_bits=8)] = {0: 10.0, 1: 99.0}
    deviation, freedom = estimate_spread(groups, "W4A4")
    assert deviation == pytest.approx(0, abs=1e-9) and freedom == 2
