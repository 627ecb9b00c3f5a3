"""Differences between lines of a study, by statistics checked against scipy."""

import pytest
from scipy import stats

from asq_model.studies.method_row import MethodRow
from asq_model.studies.paired_comparisons import (
    Interval,
    PairedTest,
    add_tests,
    compare_pairs,
    correct_by_holm,
    count_seeds_needed,
    is_comparable,
    judge_test,
    make_mean_tests,
)
from asq_model.studies.spreads import describe_spreads, do_lines_spread_alike, estimate_spread, find_strays

LSQ, ASQ = MethodRow(4, 4, "uniform", "", "lsq"), MethodRow(4, 4, "uniform", "", "asq")
POST = MethodRow(4, 4, "post", "symmetric", "lsq")


def paired_test(difference: float, p: float) -> PairedTest:
    """A test of 30 degrees of freedom with that p."""
    error = abs(difference) / float(stats.t.isf(p / 2, 30)) if difference else 0.1
    return PairedTest(difference, error, 30, p, 4)


def test_a_difference_of_two_lines_is_tested_as_scipy_tests_pairs():
    groups = {LSQ: {0: 80.0, 1: 81.0, 2: 80.4}, ASQ: {0: 80.9, 1: 81.2, 2: 81.3}}
    test = compare_pairs(groups, [(ASQ, LSQ)])
    found = stats.ttest_rel(list(groups[ASQ].values()), list(groups[LSQ].values()))
    assert (test.difference / test.error, test.freedom, test.p) == pytest.approx(
        (found.statistic, found.df, found.pvalue)
    )
    assert test.runs == 3


def test_runs_without_a_spread_decide_by_their_difference():
    """One line against itself: every weight cancels, and with them the error."""
    groups = {LSQ: {0: 80.0, 1: 81.0}, ASQ: {0: 80.9, 1: 81.2}}
    test = compare_pairs(groups, [(ASQ, LSQ), (LSQ, ASQ)])
    assert (test.difference, test.error, test.p) == (0, 0, 1)


def test_tests_that_share_no_run_are_added_as_welch_has_it():
    """Two independent samples' means, as a sum of two tests of a mean against zero."""
    ours, theirs = [0.4, -0.1, 0.6, 0.2, 0.3], [0.1, 0.2, -0.3]
    narrow = LSQ._replace(bits=3)
    tests = make_mean_tests({LSQ: dict(enumerate(ours)), narrow: {place: -value for place, value in enumerate(theirs)}})
    test, found = add_tests(list(tests.values())), stats.ttest_ind(ours, theirs, equal_var=False)
    assert test.difference / test.error == pytest.approx(found.statistic)
    assert test.freedom == int(found.df) and test.runs == 8  # rounded down: an interval is rather too wide
    assert add_tests([tests[LSQ]]) == pytest.approx(tests[LSQ])


def test_a_line_s_mean_is_tested_as_scipy_tests_it():
    values = {0: 0.4, 1: -0.1, 2: 0.6, 3: 0.2}
    test = make_mean_tests({LSQ: values, ASQ._replace(bits=3): {0: 5.0}})[LSQ]
    found = stats.ttest_1samp(list(values.values()), 0)
    assert (test.difference / test.error, test.freedom, test.p, test.runs) == pytest.approx(
        (found.statistic, found.df, found.pvalue, 4)
    )


def test_lines_that_do_not_spread_alike_are_not_pooled():
    """A comparison of two lines is then the paired test of these two alone, and a mean's spread is its line's own."""
    third = POST._replace(activations="asq")
    calm = {0: 80.0, 1: 80.1, 2: 79.9, 3: 80.05, 4: 79.95}
    wild = {number: 80 + 20 * (value - 80) for number, value in calm.items()}
    for lines, alike in (((calm, calm, calm), True), ((calm, wild, calm), False)):
        values = dict(zip((LSQ, ASQ, POST, third), (*lines, lines[1]), strict=True))
        assert do_lines_spread_alike(values, "W4A4") is alike
        assert ("do not spread alike" in describe_spreads(values)[0]) is not alike
        assert compare_pairs(values, [(LSQ, POST)]).freedom == (12 if alike else 4)
        assert make_mean_tests(values)[LSQ].freedom == (16 if alike else 4)


def test_lines_of_one_precision_share_their_spread():
    """Two lines about their own means: variance (0.02 + 0.08) / 2; a line with one value has an interval, too."""
    tests = make_mean_tests({LSQ: {0: 1.1, 1: 0.9}, ASQ: {0: 0.2, 1: -0.2}, POST: {0: 3.0}})
    assert {row: (test.error, test.freedom) for row, test in tests.items()} == {
        LSQ: (pytest.approx(0.025**0.5), 2),
        ASQ: (pytest.approx(0.025**0.5), 2),
        POST: (pytest.approx(0.05**0.5), 2),
    }
    assert make_mean_tests({LSQ: {0: 1.0}, ASQ: {1: 2.0}}) == {}
    assert make_mean_tests({LSQ: {0: 1.0, 1: 1.0}})[LSQ].p == 0


def test_the_error_of_pairs_together_counts_a_line_that_they_share():
    """The shared line's errors add up where those of lines of their own average out."""
    groups = {
        row: {number: 80 + place + (number - place) ** 2 / 9 for number in range(4)}
        for place, row in enumerate((LSQ, ASQ, POST))
    }
    deviation, _ = estimate_spread(groups, "W4A4")
    test = compare_pairs(groups, [(ASQ, LSQ), (POST, LSQ)])
    single = [compare_pairs(groups, [(row, LSQ)]) for row in (ASQ, POST)]
    assert test.difference == pytest.approx(sum(one.difference for one in single) / 2)
    assert test.error == pytest.approx(deviation * (4 * (1 / 8) ** 2 * 2 + 4 * (1 / 4) ** 2) ** 0.5)
    assert test.runs == 8 and compare_pairs(groups, []) is None


def test_a_line_with_a_collapsed_run_is_compared_with_none():
    groups = {LSQ: {0: 80.0, 1: 81.0}, ASQ: {0: 80.5, 1: 40.0}, POST: {0: 80.1, 1: 81.3}}
    assert find_strays(groups, ASQ) == [1] and not find_strays(groups, LSQ)
    assert compare_pairs(groups, [(ASQ, LSQ)]) is None
    assert compare_pairs(groups, [(POST, LSQ)]) == compare_pairs(groups, [(POST, LSQ), (ASQ, LSQ)]) is not None
    assert is_comparable(groups, (POST, LSQ)) and not is_comparable(groups, (POST, ASQ))
    assert not is_comparable(groups, (POST, LSQ._replace(bits=3)))


def test_holm_decides_step_by_step_and_intervals_say_the_same():
    tests = [
        paired_test(1.0, p) for p in (0.001, 0.02, 0.03, 0.2)
    ]  # 0.05/4, 0.05/3: the second fails, and all after it
    intervals = correct_by_holm(tests)
    assert [interval.decided for interval in intervals] == [True, False, False, False]
    assert all((1.0 > interval.half_width) == interval.decided for interval in intervals)
    assert correct_by_holm(tests[::-1]) == intervals[::-1]


def test_a_verdict_and_how_many_seeds_would_tell():
    assert judge_test(paired_test(0.5, 0.001), Interval(0.3, True)) == "holds"
    assert judge_test(paired_test(-0.5, 0.001), Interval(0.3, True)) == "**does not hold**"
    assert judge_test(paired_test(0.1, 0.3), Interval(0.3, False)) == "undecided"
    assert count_seeds_needed(paired_test(0.1, 0.3), Interval(0.3, False), 4) == "about 36 seeds"
    assert count_seeds_needed(paired_test(0.0, 1.0), Interval(0.3, False), 4) == "more than 1000 seeds"
