"""What fewer bits cost: losses and their intervals, checked against scipy where a line stands alone."""

import pytest
from scipy import stats

from asq_model.studies.method_row import MethodRow
from asq_model.studies.trained_out.claims import summarise_claims
from asq_model.studies.trained_out.fewer_bits import describe_falls, measure_falls, render_falls_table

FOUR, THREE = MethodRow(4, 4, "post", "symmetric", "asq"), MethodRow(3, 3, "post", "symmetric", "asq")
VALUES = {FOUR: {0: 84.0, 1: 84.3, 2: 83.9}, THREE: {0: 82.1, 1: 82.6, 2: 82.7, 3: 82.2}}


def test_a_loss_is_tested_as_scipy_tests_two_samples():
    (fall,) = measure_falls(VALUES)
    found = stats.ttest_ind(list(VALUES[FOUR].values()), list(VALUES[THREE].values()), equal_var=False)
    assert fall.test.difference / fall.test.error == pytest.approx(found.statistic)
    assert fall.test.freedom == int(found.df)  # rounded down
    assert (fall.bits, fall.outcome) == ("W4A4 to W3A3", "loses")
    assert fall.points == f"{fall.test.difference:.2f} ± {fall.interval.half_width:.2f}"


def test_more_bits_may_gain_or_tell_nothing():
    for change, outcome in ((-1.65, "undecided"), (-4.0, "gains"), (0.0, "loses")):
        (fall,) = measure_falls(VALUES | {FOUR: {number: value + change for number, value in VALUES[FOUR].items()}})
        assert fall.outcome == outcome


def test_a_method_is_set_against_itself_only():
    """Neither a method of one precision nor one with a run that collapsed is in the table."""
    alone, collapsed = FOUR._replace(family="apot", kind=""), THREE._replace(bits=2, activation_bits=2)
    others = VALUES | {alone: {0: 84.0, 1: 84.1}, collapsed: {0: 70.0, 1: 40.0}}
    assert [(fall.more, fall.fewer) for fall in measure_falls(others)] == [(FOUR, THREE)]
    assert len(render_falls_table(VALUES)) == 3 and render_falls_table({FOUR: VALUES[FOUR]}) == []
    assert describe_falls(VALUES) == ["W4A4 to W3A3: 1.67 to 1.67 points, sure for 1 of 1 methods"]
    assert describe_falls({FOUR: VALUES[FOUR]}) == []


def test_a_claim_is_said_in_short_with_its_precisions():
    lsq = {row._replace(activations="lsq"): {k: v - 3 for k, v in values.items()} for row, values in VALUES.items()}
    spread = {row: {k: v + (0.1 if k == 1 else 0) for k, v in values.items()} for row, values in VALUES.items()}
    said = summarise_claims(spread | lsq)
    assert list(said) == ["ASQ > LSQ"] and said["ASQ > LSQ"].startswith("holds at W4A4 (+3.0")
    assert ", W3A3 (+3.0" in said["ASQ > LSQ"]
    worse = summarise_claims(spread | {row: {k: v + 6 for k, v in values.items()} for row, values in lsq.items()})
    assert worse["ASQ > LSQ"].startswith("does not hold at W4A4 (-2.9")
    noise = {row: {k: v + (k % 2) for k, v in values.items()} for row, values in lsq.items()}
    assert summarise_claims(spread | {row: {k: v + 2.6 for k, v in values.items()} for row, values in noise.items()})[
        "ASQ > LSQ"
    ].startswith("undecided at W4A4 (")
