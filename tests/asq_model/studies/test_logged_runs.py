"""The page of all trainings: what it sums up, and what it says is missing."""

import pytest
from conftest import ROOT

from asq_model.common.records import read_record
from asq_model.common.result_schemas import STUDY
from asq_model.studies.logged_runs import Log, list_runs_of_tables, list_runs_trained_out
from asq_model.studies.logged_runs_page import render_page
from asq_model.studies.trained_out.record import TRAINED_OUT, epochs

RESULTS = ROOT / "docs" / "results"
TRAINED = read_record(RESULTS / "trained-out.json", TRAINED_OUT)
TABLE = read_record(RESULTS / "cifar10.json", STUDY)
LISTS = ("trials", "control", "rows", "curve", "repeats")


def few(**parts):
    """The record with no more runs than these, and the ceiling."""
    return TRAINED | {name: [] for name in LISTS} | parts


def test_every_run_of_a_record_is_listed_once():
    there = [TRAINED["ceiling"], *(run for part in LISTS for run in TRAINED[part])]
    listed = list(list_runs_trained_out(TRAINED))
    assert len(listed) == len(there) and sum(run.epochs for run in listed) == sum(map(epochs, there))
    digests = {run["digest"][:12] for run in there if "digest" in run}
    assert {run.checkpoint for run in listed if run.checkpoint} == digests
    assert len(list(list_runs_of_tables(TABLE))) == len(TABLE["runs"]) + len(TABLE["start"])


def test_a_run_has_the_commit_and_the_device_of_its_session():
    sessions = [TRAINED["sessions"][0] | {"commit": name, "device": f"device {name}"} for name in ("aaa", "bbb")]
    rows = [TRAINED["rows"][0] | {"session": 1, "seconds": 7.25}]
    ceiling = TRAINED["ceiling"] | {"session": 0, "seconds": 2.5}
    study = few(rows=rows, ceiling=ceiling, sessions=sessions)
    first, second = list_runs_trained_out(study)
    assert (first.commit, first.device, first.row) == ("aaa", "device aaa", "full precision")
    assert (second.commit, second.device, second.seconds) == ("bbb", "device bbb", 7.25)
    page = render_page({"trained-out.json": Log([first, second], 90.0)})
    length = epochs(ceiling) + epochs(rows[0])
    assert f"| trained-out.json | 2 | {length} | 10 | 1.5 |" in page and "Not kept" not in page
    assert f"| device bbb | `bbb` | 1 | {epochs(rows[0])} | 7 |" in page


@pytest.mark.parametrize(
    "runs, said",
    [
        (
            list(list_runs_trained_out(few(trials=TRAINED["trials"][:3]))),
            "of 4 runs: seconds of 3, day of 3, device of 3",
        ),
        (list(list_runs_of_tables(TABLE))[1:3], "of 2 runs: seconds of 2, day of 2, device of 2."),
    ],
)
def test_the_page_says_what_was_not_kept(runs, said):
    page = render_page({"record.json": Log(runs, None)})
    assert f"\n\nNot kept, {said}" in page and "| – | – | – |" in page
