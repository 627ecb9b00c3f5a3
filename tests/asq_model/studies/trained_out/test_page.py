"""The record of networks trained out and its page: what is said follows from the runs."""

import re
from statistics import mean

import pytest
from conftest import ROOT

from asq_model.common.errors import InputError
from asq_model.common.records import check_content, read_record
from asq_model.studies.method_row import MethodRow
from asq_model.studies.spreads import find_strays
from asq_model.studies.trained_out.adaptation import (
    describe_frozen,
    describe_leads,
    describe_mean_change,
    find_sure_leads,
    list_frozen_changes,
    render_frozen_table,
)
from asq_model.studies.trained_out.aims import judge_aims, measure_losses
from asq_model.studies.trained_out.claims import compare, list_pairs
from asq_model.studies.trained_out.control import compare_with_control, render_control_table
from asq_model.studies.trained_out.devices import is_cpu, list_cpu_lines
from asq_model.studies.trained_out.findings import render_findings
from asq_model.studies.trained_out.longer import (
    describe_longer,
    group_by_length,
    measure_gains,
    render_changes_table,
    select_runs,
    subtract_rows,
)
from asq_model.studies.trained_out.page import render_page
from asq_model.studies.trained_out.record import TRAINED_OUT, epochs, group_by_row, percent, row_of, seed
from asq_model.studies.trained_out.repeats import describe_repeats, describe_repeats_elsewhere, expect_run
from asq_model.studies.trained_out.tables import render_accuracy_table

RESULTS = ROOT / "docs" / "results"
STUDY = read_record(RESULTS / "trained-out.json", TRAINED_OUT)
RESNET_20 = read_record(RESULTS / "trained-out-resnet20.json", TRAINED_OUT)
LSQ, ASQ = MethodRow(4, 4, "uniform", "", "lsq"), MethodRow(4, 4, "uniform", "", "asq")
FEATURES = LSQ._replace(step_gradient="features")


def groups_of(lines):
    """Six percentages about each line's mean, the same in another order for each line."""
    spread = [0.0, 0.2, -0.1, 0.1, -0.2, 0.0]
    return {
        row: {number: mean + spread[(number * place) % 7 - 1] for number in range(1, 7)}
        for place, (row, mean) in enumerate(lines.items(), 1)
    }


def test_a_line_is_named_as_the_paper_names_it():
    assert MethodRow(3, 3, "post", "extended", "asq").label == "ASQ + POST (extended)"
    assert FEATURES.label == "LSQ-features" and MethodRow(4, 8, "apot", "", "lsq").label == "LSQ + APOT"
    assert MethodRow(4, 8, "apot", "", "lsq").precision == "W4A8"


@pytest.mark.parametrize(
    "part, change, message",
    [
        ("rows", {"correct": 10_001}, "right of"),
        ("repeats", {"frozen": 10_001}, "right of"),
        ("curve", {"zeros": 10**6}, "more zeros"),
        ("control", {"session": 99}, "is of session 99"),
    ],
)
def test_a_record_with_an_impossible_run_is_refused(part, change, message):
    broken = STUDY | {part: [STUDY[part][0] | change, *STUDY[part][1:]]}
    with pytest.raises(ValueError, match=message):
        check_content(TRAINED_OUT, broken)


def test_a_record_with_a_run_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        check_content(TRAINED_OUT, STUDY | {"control": STUDY["control"][:1] * 2})


def test_a_record_without_rows_has_no_page():
    with pytest.raises(InputError, match=r"a\.json has no rows yet"):
        render_page(STUDY | {"rows": []}, "a.json")


def test_claims_are_about_lines_that_differ_in_one_thing():
    rows = [
        LSQ,
        FEATURES,
        ASQ,
        MethodRow(4, 4, "post", "symmetric", "asq"),
        MethodRow(4, 4, "post", "extended", "asq"),
    ]
    pairs = {}
    for claim, pair in list_pairs(rows):
        pairs.setdefault(claim, []).append(pair)
    assert pairs["ASQ > LSQ"][0] == (ASQ, LSQ) and pairs["ASQ > LSQ-features"][0] == (ASQ, FEATURES)
    assert pairs["LSQ-features > LSQ"] == [(FEATURES, LSQ)]
    assert pairs["POST > uniform"] == [(rows[3], ASQ), (rows[4], ASQ)]
    assert pairs["POST > POT"] == [(rows[3], rows[3]._replace(family="pot"))]
    assert "LSQ-unscaled > LSQ" not in pairs


def test_what_is_left_of_asq_s_lead_is_computed():
    groups = groups_of({LSQ: 80.0, FEATURES: 81.0, ASQ: 81.0})
    (found,) = describe_leads(groups)
    first, other = found["over"]
    assert found["precision"] == "W4A4" and (first["name"], other["name"]) == ("LSQ", "LSQ-features")
    assert first["points"].startswith("+1.00 ± ") and first["outcome"] == "holds"
    assert other["points"].startswith("+0.00 ± ") and other["outcome"] == "undecided"
    assert not describe_leads(groups_of({LSQ: 80.0, ASQ: 81.0}))
    both = compare(groups, together=True)
    assert [row.claim for row in both] == ["ASQ > LSQ", "ASQ > LSQ-features", "LSQ-features > LSQ"]
    assert [row.pairs for row in both] == [row.pairs for row in compare(groups, together=False)]


def test_a_lead_that_a_free_step_does_away_with_is_told():
    unscaled = LSQ._replace(step_gradient="unscaled")
    lead = find_sure_leads(groups_of({LSQ: 80.0, unscaled: 80.1, ASQ: 81.0}))
    assert lead == {"compared": "W4A4", "lsq": "W4A4", "unscaled": "W4A4"}
    assert find_sure_leads(groups_of({LSQ: 80.0, unscaled: 81.0, ASQ: 81.0}))["unscaled"] == "none"
    assert find_sure_leads(groups_of({LSQ: 80.0, ASQ: 81.0})) is None
    without = [run for run in STUDY["rows"] if row_of(run).step_gradient != "unscaled"]
    pages = [render_page(study) for study in (STUDY, STUDY | {"rows": without, "curve": []})]
    assert ["its lead over LSQ-unscaled holds at" in page for page in pages] == [True, False]
    assert not any("\n\n\n" in page for page in pages)


def test_the_page_tells_what_of_the_plan_is_missing():
    rows = [run for run in STUDY["rows"] if (row_of(run), seed(run)) != (ASQ, 0)]
    assert "not done yet: " in render_page(STUDY | {"rows": rows})
    assert "W4A4 ASQ 1" in render_page(STUDY | {"rows": rows}).partition("not done yet: ")[2].splitlines()[0]


def test_the_page_tells_a_run_that_strayed_and_what_is_missing():
    low = STUDY["rows"][0] | {"correct": 1000}
    text = render_page(STUDY | {"rows": [low, *STUDY["rows"][1:]]})
    assert f"W4A4 {LSQ.label} with seed 0 (10.00 %)" in text and "W4A4 LSQ 1 of " in text
    groups = group_by_row(STUDY["rows"])
    high = [
        run for run in STUDY["rows"] if not find_strays(groups, row_of(run)) and (row_of(run), seed(run)) != (ASQ, 0)
    ]
    high = [run for run in high if len(groups[row_of(run)]) >= 5 and (row_of(run) != ASQ or seed(run) < 4)]
    text = render_page(STUDY | {"rows": high})
    assert "strayed" not in text and "Fewer than 5 seeds have: W4A4 ASQ." in text


def test_the_page_tells_which_lines_were_trained_on_another_kind_of_device():
    (said,) = re.findall(r"Lines trained on a CPU, [^:]*: ([^.]*)\.", render_page(STUDY))
    lines = said.split("; ")
    assert "W4A4 POT activations" in lines and "W4A4 LSQ" not in lines
    assert "Lines trained on a CPU" not in render_page(RESNET_20)
    longer = render_page(STUDY).partition("## Would more epochs change it")[2].partition("\n## ")[0]
    (rows,) = (lines for length, lines in group_by_length(STUDY).items() if length == 20)
    found = list_cpu_lines(STUDY, select_runs(STUDY, 20, rows))
    assert found and f"where the others were trained on a GPU: {'; '.join(found)}." in longer and found != lines


def test_devices_are_told_apart_by_line_and_seed():
    gpu = next(number for number, session in enumerate(STUDY["sessions"]) if not is_cpu(session))
    cpu = next(number for number, session in enumerate(STUDY["sessions"]) if is_cpu(session))
    runs = [run | {"session": gpu} for run in STUDY["rows"] if row_of(run) in (LSQ, ASQ) and seed(run) < 2]
    assert list_cpu_lines(STUDY, runs) == list_cpu_lines(STUDY, [run | {"session": cpu} for run in runs]) == []
    one = [run | {"session": cpu if (row_of(run), seed(run)) == (LSQ, 1) else gpu} for run in runs]
    assert list_cpu_lines(STUDY, one) == ["W4A4 LSQ (seed 1)"]
    all_of_it = [run | {"session": cpu if row_of(run) == ASQ else gpu} for run in runs]
    assert list_cpu_lines(STUDY, all_of_it) == [f"W4A4 {ASQ.label}"]


def test_networks_with_their_beta_held_are_told_of_only_where_there_are_some():
    without = [{name: value for name, value in run.items() if name != "frozen"} for run in STUDY["rows"]]
    assert describe_frozen(STUDY | {"rows": without}) is None
    assert "held at its mean" not in render_page(STUDY | {"rows": without})
    assert "held at its mean" in render_page(STUDY)


def test_a_change_by_holding_beta_has_an_interval_or_is_undecided():
    """A row whose changes are about +1 gains, one whose changes are about 0 does not; all together gain."""
    post = ASQ._replace(family="post", kind="symmetric")
    changes = {ASQ: {0: 1.0, 1: 1.1, 2: 0.9, 3: 1.0}, post: {0: 0.1, 1: -0.1, 2: 0.1, 3: -0.1}}
    _, _, first, second = render_frozen_table(changes)
    assert first.startswith("| W4A4 | ASQ | 4 | +0.90 | +1.10 | +1.00 ± ") and first.endswith("| gains |")
    assert "| +0.00 ± " in second and second.endswith("| undecided |")
    assert describe_mean_change({ASQ: {0: -1.0, 1: -1.01}})[1] == "loses"
    assert describe_mean_change(changes)[0].startswith("+0.50 ± ") and describe_mean_change({ASQ: {0: 1.0}}) is None
    assert sum(map(len, list_frozen_changes(STUDY).values())) == sum("frozen" in run for run in STUDY["rows"])


def test_what_more_epochs_gain_has_an_interval():
    usual = group_by_row(STUDY["rows"])
    longer = {ASQ: {number: value + 1 for number, value in usual[ASQ].items()}, LSQ: usual[LSQ], FEATURES: {0: 80.0}}
    longer[LSQ] = {number: value + 0.1 * (-1) ** number for number, value in longer[LSQ].items()}
    gains = measure_gains(usual, longer)
    assert gains[ASQ][0].startswith("+1.00 ± ") and gains[ASQ][1] == "holds"
    assert gains[LSQ][0].startswith("+0.00 ± ") and gains[LSQ][1] == "undecided" and FEATURES not in gains


def test_a_run_made_again_is_set_beside_the_first():
    first = next(run for run in STUDY["rows"] if row_of(run) == ASQ and seed(run) == 1)
    again = first | {"correct": first["correct"] + 5}
    far = first | {"correct": first["correct"] - 500}
    found = describe_repeats(STUDY | {"repeats": [again, far]})
    assert (found["inside"], found["runs"]) == (1, 2)
    table = found["table"].splitlines()
    assert "| +0.05 |" in table[2] and "| -5.00 |" in table[3]
    assert describe_repeats(STUDY | {"repeats": []}) is None
    assert "## The same run made again" not in render_page(STUDY | {"repeats": []})
    others = [run for run in STUDY["rows"] if row_of(run) != ASQ]
    assert describe_repeats(STUDY | {"rows": others, "repeats": [again]}) is None


def test_a_run_made_again_elsewhere_is_judged_by_its_row():
    """Three of 84.0 to 84.4 %: a further run is within 4.30 · 0.2 · √(4/3) = 0.99 points of their mean."""
    middle, width = expect_run([84.0, 84.2, 84.4])
    assert middle == pytest.approx(84.2) and width == pytest.approx(0.9937, abs=1e-4)
    first = next(run for run in STUDY["rows"] if row_of(run) == ASQ and seed(run) == 1)
    session = {"day": "2030-01-02", "device": "a CPU", "commit": "abc", "program": "p", "versions": {}, "seconds": 60.0}
    at = {"session": len(STUDY["sessions"]), "seconds": 1200.0}
    near, far = first | at | {"correct": first["correct"] + 5}, first | at | {"correct": first["correct"] - 200}
    study = STUDY | {"sessions": [*STUDY["sessions"], session], "repeats": [first, near, far]}
    table = describe_repeats_elsewhere(study)["table"].splitlines()
    assert "| a CPU | 2030-01-02 | `abc` | 20 |" in table[2] and table[2].endswith("| inside |")
    assert table[3].endswith("| **outside** |") and len(table) == 4
    page = render_page(study)
    assert ": 1 of 2 lies where 95 % of further runs" in page
    assert f", {at['session']}) layers run one by one, in float32." in page
    assert describe_repeats_elsewhere(study | {"repeats": [first]}) is None


def test_longer_rows_are_compared_with_each_other_only():
    lengths = group_by_length(STUDY)
    assert list(lengths) == [6, 20] and FEATURES not in lengths[20]
    assert all(len(values) > 1 for groups in lengths.values() for values in groups.values())
    pairs = {pair for _, pair in list_pairs(lengths[20]) if set(pair) <= lengths[20].keys()}
    assert (ASQ, LSQ._replace(step_gradient="unscaled")) in pairs
    (longer,) = describe_longer(STUDY)
    control = [percent(run) for run in STUDY["control"] if epochs(run) == 20]
    assert f"scores {mean(control):.2f} % on average of {len(control)} seeds" in render_page(STUDY)
    assert longer["epochs"] == 20 and len(longer["table"].splitlines()) == 2 + len(lengths[20])
    text = render_page(STUDY).partition("After 20 epochs, of what")[2].partition("In brackets")[0]
    assert all(f"- **{claim}** {outcome}." in text for claim, outcome in longer["claims"].items())
    assert all(f"- **{gain}** against 6 epochs." in text for gain in longer["gains"]) and longer["gains"]
    shorter = STUDY | {"curve": [run for run in STUDY["curve"] if seed(run) == 0]}
    assert list(group_by_length(shorter)) == [6] and describe_longer(shorter) == []
    assert "## Would more epochs change it\n\nSeed 0 by its epochs:" in render_page(shorter)
    assert "Would more epochs" not in render_page(STUDY | {"curve": []})


def test_what_more_epochs_change_is_tested_by_the_seeds_of_both_lengths():
    """A lead that is 0.3 points smaller after 20 epochs, whatever a seed does to both lines, has shrunk."""
    usual = {LSQ: {0: 83.0, 1: 83.4, 2: 83.1, 3: 83.2}, ASQ: {0: 84.0, 1: 84.3, 2: 84.2, 3: 84.1, 4: 90.0}}
    noise = {0: 0.01, 1: -0.01, 2: 0.02, 3: -0.02}
    longer = {
        LSQ: {number: value + 0.5 for number, value in usual[LSQ].items()},
        ASQ: {number: usual[ASQ][number] + 0.2 + noise[number] for number in noise},
    }
    assert subtract_rows(usual, longer)[LSQ] == pytest.approx(dict.fromkeys(range(4), 0.5))
    (line,) = render_changes_table(usual, longer)[2:]
    assert line.startswith("| ASQ > LSQ | W4A4 | 4 | -0.30 ± 0.0") and line.endswith(" | shrinks |")
    grown = {row: {number: 100 * (row == ASQ) + value for number, value in longer[row].items()} for row in longer}
    assert render_changes_table(usual, grown)[2].endswith(" | grows |")
    assert render_changes_table(usual, usual)[2].endswith(" | undecided |")
    assert render_changes_table(usual, {LSQ: longer[LSQ]}) == render_changes_table({}, longer) == []
    (table,) = (found["changes"] for found in describe_longer(STUDY))
    assert table in render_page(STUDY)


def test_rows_are_set_against_full_precision_that_was_trained_as_long():
    compared = {(length, row.pairs[0][0]): row for length, row in compare_with_control(STUDY)}
    post = ASQ._replace(family="post", kind="symmetric")
    assert {(6, ASQ), (20, ASQ), (6, post), (6, ASQ._replace(activation_bits=8))} <= compared.keys()
    assert all(row.activations == "asq" and row.bits == 4 and row.step_gradient == "numel" for _, row in compared)
    values, control = (
        group_by_row(STUDY["rows"])[ASQ],
        {seed(run): percent(run) for run in STUDY["control"] if epochs(run) == 6},
    )
    shared = values.keys() & control.keys()
    difference = mean(values[number] - control[number] for number in shared)
    assert compared[6, ASQ].test.difference == pytest.approx(difference)
    assert compared[6, ASQ].test.runs == len(shared) == 5 and compared[6, ASQ].outcome == "**does not hold**"
    higher = STUDY | {"rows": [run | {"correct": run["correct"] + 300} for run in STUDY["rows"]]}
    assert all(row.outcome == "holds" for length, row in compare_with_control(higher) if length == 6)
    assert render_control_table(RESNET_20) == [] and "Is it above" not in render_page(RESNET_20)


def test_an_aim_is_reached_or_not_or_undecided_by_the_figures():
    post = MethodRow(3, 3, "post", "extended", "asq")
    losses = {
        length: percent(STUDY["ceiling"]) - mean(groups[post].values())
        for length, groups in group_by_length(STUDY).items()
    }
    said = render_page(STUDY)
    assert f"after 6 epochs undecided, ASQ + POST (extended) loses {losses[6]:.2f} ± " in said
    assert f"after 20 epochs undecided, ASQ + POST (extended) loses {losses[20]:.2f} ± " in said
    for change, outcome in ((300, "reached"), (-300, "not reached")):
        moved = [run | {"correct": run["correct"] + change} for run in STUDY["rows"]]
        first, other = (aim["outcomes"][0] for aim in judge_aims(STUDY | {"rows": moved}))
        assert first["length"] == other["length"] == 6 and first["outcome"] == other["outcome"] == outcome
    assert judge_aims(STUDY | {"rows": STUDY["rows"][:10], "curve": []}) == []


def test_an_aim_is_undecided_where_the_interval_has_it_inside():
    for distance in [*measure_losses(STUDY), *measure_losses(RESNET_20)]:
        inside = abs(distance.test.difference) < distance.interval.half_width
        assert (distance.outcome == "undecided") == inside
        assert distance.row.family == "post" and distance.bits in (3, 4)


def test_the_paper_s_figures_stand_beside_its_own_network_s():
    assert "the paper's" not in render_accuracy_table(STUDY)[0]
    header, _, first, *_ = render_accuracy_table(RESNET_20)
    assert header.endswith("the paper's top-1, % |") and first.startswith("| W4A4 | LSQ |")
    assert first.endswith("| 92.4 |")
    assert render_page(RESNET_20).startswith("# ResNet-20 on CIFAR-10")


def test_readme_says_what_the_comparisons_say():
    one, other = (
        {row.claim: row for row in compare(group_by_row(study["rows"]), together=True) if row.precision == "W4A4"}
        for study in (STUDY, RESNET_20)
    )
    lines = render_findings(STUDY, RESNET_20).splitlines()
    lead, wanted = (rows["ASQ > LSQ"].difference for rows in (one, other))
    assert f"| ASQ over LSQ | {lead}, holds | {wanted}, holds |" in lines
    assert f"| POST over uniform | {one['POST > uniform'].difference}, undecided |" in "\n".join(lines)
    assert (
        "on a JPEG copy of CIFAR-10" in lines[0]
        and "copy" not in render_findings(STUDY | {"data": "0" * 64}).splitlines()[0]
    )


def test_readme_s_table_has_a_dash_where_a_network_has_no_such_runs():
    rows = [run for run in RESNET_20["rows"] if row_of(run).activations != "asq"]
    text = render_findings(STUDY, RESNET_20 | {"rows": rows})
    assert all(line.endswith("| – |") for line in text.splitlines() if "ASQ" in line or "β" in line)


def test_every_line_of_the_table_has_the_first_seeds():
    seeds = {row: sorted(values) for row, values in group_by_row(STUDY["rows"]).items()}
    assert all(found == list(range(len(found))) for found in seeds.values())  # a queue under way may have one
