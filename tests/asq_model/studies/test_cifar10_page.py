"""The page on Tables 4 and 5: claims are judged by networks trained out, whose records lie beside the study's."""

import re
import shutil
from statistics import mean

import pytest
from conftest import ROOT

from asq_model.common.records import read_record
from asq_model.common.result_schemas import STUDY
from asq_model.studies.cifar10_page import describe_range, render_page
from asq_model.studies.level_sets import judge_level_sets
from asq_model.studies.method_row import MethodRow
from asq_model.studies.pages import RECORDS, render_record
from asq_model.studies.paper_tables import TABLES
from asq_model.studies.table_runs import list_longer_runs, list_study_runs, take_trained_out
from asq_model.studies.tables_claims import count_outcomes, judge_claims, list_claims, list_stand_ins
from asq_model.studies.tables_page import render_page as render_study_page
from asq_model.studies.trained_out.devices import list_cpu_lines
from asq_model.studies.trained_out.longer import select_runs
from asq_model.studies.trained_out.record import TRAINED_OUT, percent, row_of

RESULTS = ROOT / "docs" / "results"
STUDIES = {name: read_record(RESULTS / name, TRAINED_OUT) for name in reversed(RECORDS)}
SHORT = read_record(RESULTS / "cifar10.json", STUDY)


def test_the_runs_of_either_record_are_by_line_and_seed():
    study = STUDIES["trained-out.json"]
    runs, run = take_trained_out(study), study["rows"][0]
    assert runs.top_1[row_of(run)][run["recipe"]["seed"]] == percent(run) and runs.epochs == 6
    assert runs.full_precision == percent(study["ceiling"]) and runs.stored_bits[row_of(run)] == 4
    (short,) = list_study_runs(SHORT)
    assert set(short.top_1) <= set(TABLES[4].rows) and short.top_5 == {} and short.epochs == SHORT["epochs"]
    assert all(set(values) == {0, 1} for values in short.top_1.values())


def test_the_page_judges_by_networks_trained_out():
    page = render_page(SHORT, STUDIES)
    for study in STUDIES.values():
        runs = take_trained_out(study)
        counts = count_outcomes(4, runs)
        assert sum(counts.values()) == len(list(list_claims(4))) and f"{counts['holds']} hold, " in page
        assert f"{percent(study['ceiling']):.2f} % in full precision" in page
    claims = page.partition("## Which of the paper's claims hold")[2].partition("## Which level set")[0]
    assert "| claim | ResNet-20, points | verdict | ResNet-8, points | verdict | the paper's, ResNet-20 |" in claims
    before, _, after = page.partition("## A short study before")
    assert "80.12 %" in after and "80.12 %" not in before and "| claim |" not in after


def test_claims_are_judged_by_longer_trainings_too():
    study = STUDIES["trained-out.json"]
    longer = next(runs for runs in list_longer_runs(study) if runs.epochs == 20)
    assert all(len(values) > 1 for values in longer.top_1.values())
    page = render_page(SHORT, STUDIES)
    table = page.partition("## After 20 epochs")[2].partition("\n## ")[0]
    assert "| claim | 6 epochs, points | verdict | 20 epochs, points | verdict |" in table
    lines = table.partition("|---")[2].splitlines()[1:]
    measured = [claim for claim in judge_claims(list(list_claims(4)), longer) if claim.difference is not None]
    lines = [line for line in lines if line.startswith("| ")]
    assert [line.split(" | ")[0] for line in lines] == [f"| {claim.claim.words}" for claim in measured]
    assert all(claim.points in line for claim, line in zip(measured, lines, strict=True))
    (cpu,) = re.findall(r"Trained on a CPU for 20 epochs, where all else was trained on a GPU: ([^.]*)\.", table)
    assert cpu == "; ".join(list_cpu_lines(study, select_runs(study, 20, longer.top_1)))
    assert f"of the {len(lines)} [that can be judged](#after-20-epochs) " in page and "[below](#after-20" in page
    shorter = {name: study | {"curve": []} for name, study in STUDIES.items()}
    assert "fter 20 epochs" not in render_page(SHORT, shorter) and "can be judged" not in render_page(SHORT, shorter)


def test_a_claim_of_a_line_without_runs_has_those_of_equal_levels():
    """APOT's levels at 2 bits are those of POST's symmetric set, and the same trainings would be made again."""
    runs = take_trained_out(STUDIES["trained-out.json"])
    apot, post = MethodRow(2, 2, "apot", "", "lsq"), MethodRow(2, 2, "post", "symmetric", "lsq")
    assert runs.find_line(apot) == post and runs.find_line(post) == post
    at_4_bits = apot._replace(bits=4, activation_bits=4)
    assert runs.find_line(at_4_bits) == at_4_bits
    (found,) = judge_claims([claim for claim in list_claims(4) if claim.words == "2 bits: ASQ > LSQ + APOT"], runs)
    asq = runs.top_1[post._replace(family="uniform", kind="", activations="asq")]
    assert found.difference == pytest.approx(mean(asq.values()) - mean(runs.top_1[post].values()))

    stand_in = next(line for line in list_stand_ins(4, runs) if line["row"] == "W2A2 LSQ + APOT")
    assert (stand_in["other"], stand_in["percent"]) == (post.label, f"{mean(runs.top_1[post].values()):.2f}")
    assert f"{post.label}, whose runs ({stand_in['percent']} %, 5 seeds) stand in" in render_page(SHORT, STUDIES)


def test_counts_are_said_from_the_least_to_the_most():
    assert (describe_range([3, 3]), describe_range([5, 10, 7])) == ("3", "5 to 10")


def test_a_study_alone_is_judged_by_its_own_runs(tmp_path):
    """Wherever the other records do not lie beside it."""
    shutil.copy(RESULTS / "cifar10.json", tmp_path)
    assert render_record(tmp_path / "cifar10.json") == render_study_page(SHORT)
    shutil.copy(RESULTS / RECORDS[0], tmp_path)
    assert render_record(tmp_path / "cifar10.json") == render_study_page(SHORT)
    shutil.copy(RESULTS / RECORDS[1], tmp_path)
    assert render_record(tmp_path / "cifar10.json") == render_page(SHORT, STUDIES)


@pytest.mark.parametrize("kind", ["asymmetric", "extended"])
@pytest.mark.parametrize("points, verdict", [(2, "gains"), (-2, "loses")])
def test_a_level_set_gains_or_loses_by_what_its_lines_have(kind, points, verdict):
    study = STUDIES["trained-out.json"]
    rows = [
        run | {"correct": run["correct"] + 100 * points * (row_of(run).kind == kind)}
        for run in study["rows"]
        if row_of(run).kind in ("symmetric", kind)
    ]
    found = list(judge_level_sets(take_trained_out(study | {"rows": rows})))
    if kind == "asymmetric":
        assert [(one["bits"], one[kind]["verdict"]) for one in found] == [(4, verdict), (3, verdict)]
    else:
        assert found == []  # nothing to take or leave for the same stored bits
