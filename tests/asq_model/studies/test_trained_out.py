"""The page on networks trained out: what it says follows from the runs, by statistics checked against scipy."""

import pytest
from conftest import ROOT
from scipy import stats

from asq_model.common.records import checked_content, read_record
from asq_model.studies.paired_comparisons import fallen, holm, paired, spread, verdict
from asq_model.studies.trained_out import TRAINED_OUT, by_row, key, label, percent, seed
from asq_model.studies.trained_out_page import lead_of, render_page

STUDY = read_record(ROOT / "docs" / "results" / "trained-out.json", TRAINED_OUT)
LSQ, ASQ = (4, "uniform", "", "lsq"), (4, "uniform", "", "asq")
POST = (4, "post", "symmetric", "lsq")


def test_a_difference_of_two_lines_is_tested_as_scipy_tests_pairs():
    groups = {LSQ: {0: 80.0, 1: 81.0, 2: 80.4}, ASQ: {0: 80.9, 1: 81.2, 2: 81.3}}
    difference, error, freedom, p = paired(groups, ASQ, LSQ)
    found = stats.ttest_rel(list(groups[ASQ].values()), list(groups[LSQ].values()))
    assert (difference / error, freedom, p) == pytest.approx((found.statistic, found.df, found.pvalue))


def test_what_a_seed_does_to_every_line_is_no_spread():
    groups = {row: {number: base + 3.0 * number for number in range(4)} for row, base in ((LSQ, 80), (ASQ, 81))}
    del groups[ASQ][3]
    deviation, freedom = spread(groups, 4)
    assert deviation == pytest.approx(0, abs=1e-9) and freedom == 2


def test_a_line_with_a_collapsed_run_is_compared_with_none():
    groups = {LSQ: {0: 80.0, 1: 81.0}, ASQ: {0: 80.5, 1: 40.0}, POST: {0: 80.1, 1: 81.3}}
    assert fallen(groups[ASQ]) == [1] and not fallen(groups[LSQ])
    assert paired(groups, ASQ, LSQ) is None
    assert paired(groups, POST, LSQ) is not None
    assert paired(groups, POST, ASQ) is None and paired(groups, (3, "pot", "symmetric", "lsq"), LSQ) is None


def test_holm_decides_step_by_step_and_intervals_say_the_same():
    tests = [(1.0, 0.1, 30, p) for p in (0.001, 0.02, 0.03, 0.2)]  # 0.05/4, 0.05/3: the second fails, and all after it
    tests = [(float(stats.t.isf(p / 2, 30)) * error, error, freedom, p) for _, error, freedom, p in tests]
    found = holm(tests)
    assert [decided for _, decided in found] == [True, False, False, False]
    assert all((abs(test[0]) > half_width) == decided for test, (half_width, decided) in zip(tests, found, strict=True))
    assert holm(tests[::-1]) == found[::-1]


def test_a_verdict_says_how_many_seeds_would_tell():
    assert verdict((0.5, 0.1, 9, 0.001), 4, 0.3, True) == "holds"
    assert verdict((-0.5, 0.1, 9, 0.001), 4, 0.3, True) == "**does not hold**"
    assert verdict((0.1, 0.1, 9, 0.3), 4, 0.3, False) == "cannot be told; about 36 seeds would"
    assert verdict((0.0, 0.1, 9, 1.0), 4, 0.3, False) == "cannot be told; more than 1000 seeds would"


def test_a_record_with_impossible_or_doubled_runs_is_refused():
    for part, change in (("rows", {"correct": 10_001}), ("curve", {"zeros": 10**6})):
        broken = STUDY | {part: [STUDY[part][0] | change, *STUDY[part][1:]]}
        with pytest.raises(ValueError, match=r"right of|more zeros"):
            checked_content(TRAINED_OUT, broken)
    with pytest.raises(ValueError, match="twice"):
        checked_content(TRAINED_OUT, STUDY | {"control": STUDY["control"][:1] * 2})


def test_the_page_tells_a_run_that_collapsed_and_what_is_missing():
    low = STUDY["rows"][0] | {"correct": 1000}
    text = render_page(STUDY | {"rows": [low, *STUDY["rows"][1:]]})
    assert f"W4A4 {label(LSQ)} with seed 0 (10.00 %)" in text
    assert "collapsed" not in render_page(STUDY | {"rows": [run for run in STUDY["rows"] if percent(run) > 70]})
    assert "Trained for 20 epochs, W4A4 ASQ + POST (symmetric) with seed 0 loses 0.19." in text
    assert "Not measured." in render_page(
        STUDY | {"rows": [{name: value for name, value in run.items() if name != "frozen"} for run in STUDY["rows"]]}
    )


def test_a_lead_is_over_the_same_seed_and_weights():
    run = next(run for run in STUDY["rows"] if key(run) == ASQ and seed(run) == 1)
    assert lead_of([run], {LSQ: {0: 0.0, 1: percent(run) - 2.5}}).endswith("LSQ is +2.50 points on average.")
    assert lead_of([run], {LSQ: {0: 0.0}}) == ""


def test_every_line_of_the_table_starts_from_the_ceiling_with_the_same_seeds():
    seeds = {row: sorted(values) for row, values in by_row(STUDY["rows"]).items()}
    assert all(found == list(range(len(found))) and len(found) >= 3 for found in seeds.values())
