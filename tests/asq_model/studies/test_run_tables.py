from dataclasses import asdict

import pytest
from made_up_studies import NETWORK, asq_gains, study

from asq_model.common.errors import InputError
from asq_model.common.progress import Bar, LogBar
from asq_model.common.records import read_record
from asq_model.common.result_schemas import STUDY
from asq_model.config.recipe import recipe_of
from asq_model.studies import run_tables
from asq_model.studies.method_row import MethodRow
from asq_model.studies.paper_tables import TABLES
from asq_model.studies.run_tables import run_study, task_of
from asq_model.studies.table_study import Study, prepare_study
from asq_model.studies.tables_page import render_page
from asq_model.studies.train_command import run_train
from asq_model.training.checkpoint_file import write_checkpoint


def full_precision_config() -> dict:
    """A checkpoint's, of the network in full precision."""
    recipe = asdict(recipe_of(NETWORK))
    images = {"train_images": 9000, "test_images": 1000, "full_precision_correct": 900, "classes": 10}
    return images | {"network": NETWORK, "layers": {}, "recipe": recipe, "start": "", "fingerprint": "f" * 64}


@pytest.mark.parametrize("table", TABLES)
def test_every_row_of_a_table_is_a_recipe(table):
    for row in TABLES[table].rows:
        recipe_of(TABLES[table].networks[0], weight_bits=row.bits, activation_bits=row.bits, **vars_of(row))


def vars_of(row):
    """The fields of a row that a recipe has under the same names."""
    return {"family": row.family, "kind": row.kind or None, "activations": row.activations}


def test_runs_are_known_by_their_task():
    run = study(asq_gains(0))["runs"][0]
    assert task_of(run) == (NETWORK, TABLES[4].rows[0], 0) and isinstance(task_of(run)[1], MethodRow)


def test_a_run_that_fails_does_not_take_others_along(tmp_path, monkeypatch, capfd):
    """The rows of POT fail: the page says so, the command fails, and the other rows are there."""

    def train(self, network, row, seed, bar):
        if row.family == "pot":
            raise InputError("no space left")
        fields = {"quantised_correct": 800, "quantised_top_5": 990, "test_images": 1000}
        return fields | {"digest": "0" * 64, "fingerprint": "f" * 64}

    monkeypatch.setattr(Study, "train", train)
    monkeypatch.setattr(run_tables, "read_labels_digest", lambda study: "d" * 64)
    start = tmp_path / "full"
    recipe = asdict(recipe_of(NETWORK))
    config = full_precision_config() | {"recipe": recipe, "full_precision_correct": 900}
    write_checkpoint(start, {}, config)
    plan = Study(4, (NETWORK,), {NETWORK: start}, tmp_path, tmp_path, epochs=1, seeds=2, jobs=4)
    found = run_study(plan, tmp_path / "results.json", LogBar("runs"))
    assert len(found["failed"]) == 6 and len(found["runs"]) == 2 * len(TABLES[4].rows) - 6
    assert read_record(tmp_path / "results.json", STUDY) == found
    assert [run["seed"] for run in found["runs"]] == sorted(run["seed"] for run in found["runs"])
    assert "LSQ + POT 4 bits: no space left" in render_page(found)
    with pytest.raises(InputError, match=r"cifar10\.json has no runs"):
        render_page(found | {"runs": []})
    assert capfd.readouterr().err.count("FAILED") == 6


@pytest.mark.parametrize(
    "config",
    [
        {"layers": {"conv": {}}, "quantised_correct": 1},
        {"network": "resnet20", "recipe": asdict(recipe_of("resnet20"))},
    ],
)
def test_a_start_that_is_not_the_network_in_full_precision_is_refused(config, tmp_path):
    start = tmp_path / "start.safetensors"
    write_checkpoint(start, {}, full_precision_config() | config)
    plan = Study(4, (NETWORK,), {NETWORK: start}, tmp_path, tmp_path)
    with pytest.raises(InputError, match="is not of a full-precision resnet8"):
        run_study(plan, tmp_path / "results.json")


class Lines(Bar):
    """A bar that keeps the lines that it is to print."""

    def __init__(self):
        self.lines = []

    def say(self, line):
        self.lines.append(line)


def test_a_run_that_cannot_start_says_why(tmp_path):
    with pytest.raises(InputError, match="network is 'lenet'; allowed: digits"):
        run_train(["--network", "lenet"], bar := Lines())
    assert bar.lines == []  # the error is raised, not printed too


def test_what_a_table_needs_is_said(refused, tmp_path):
    assert "table 5 needs --data, the folder that its images lie in" in refused("asq_model", "reproduce", 5)
    said = refused("asq_model", "reproduce", 2, "--data", tmp_path)
    assert "table 2 needs --from, a folder with published weights" in said
    start = tmp_path / "x.safetensors"
    said = refused("asq_model", "reproduce", 3, "--data", tmp_path, "--from", start)
    assert "x.safetensors does not exist" in said
    assert "TABLE is 6; allowed: integers from 1 to 5" in refused("asq_model", "reproduce", 6)


def test_options_of_a_study_reach_each_run(tmp_path):
    """By the names that the `train` command has for them; those that were not given are left out."""
    given = {"device": "cpu", "adapter_start": "authors", "batch": None}
    study = prepare_study(5, tmp_path, tmp_path, tmp_path / "start", None, None, 1, 1, 1, "", **given)
    assert study.options == ("--device", "cpu", "--adapter-start", "authors")
    assert study.command == "python -m asq_model reproduce 5 --epochs 1 --seeds 1 --device cpu --adapter-start authors"
