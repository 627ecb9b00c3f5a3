"""The queue of networks that are trained out, on the digits: it goes on where it was, and refuses what does not fit."""

import platform
from dataclasses import replace

import pytest

from asq_model.common.errors import InputError
from asq_model.common.progress import Bar
from asq_model.common.records import read_record, write_record
from asq_model.gpu import side_by_side
from asq_model.studies.trained_out.page import render_page
from asq_model.studies.trained_out.record import TRAINED_OUT, row_of, seed
from asq_model.studies.trained_out.run_plan import RunOptions, run_plan
from asq_model.studies.trained_out.sessions import name_processor
from asq_model.training.load import load_model
from asq_model.training.trained_network import read_trained

pytestmark = pytest.mark.xdist_group("trained-out")  # one worker trains what they look at
PLAN = """
network = "digits"
dataset = "digits"
batch = 256
epochs = 1
rates = { W3 = 0.04 }

[ceiling]
epochs = 2
rate = 0.1
weight_decay = 0.0005

[[runs]]
precisions = ["W3A3"]
weights = ["uniform", "post symmetric"]
activations = ["lsq", "asq"]
seeds = [0]
"""
ONE_MORE = """
[[runs]]
part = "repeats"
precisions = ["W3A3"]
activations = ["asq"]
seeds = [0]

[[runs]]
part = "control"
precisions = ["W3A3"]
seeds = [1]
"""


class CountingBar(Bar):
    """A bar that knows how much it was told of."""

    def __init__(self):
        self.total = self.done = 0

    def expect(self, count, done=0):
        self.total += count

    def advance(self, count=1, note=""):
        self.done += count


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a plan, its record and its checkpoints; and the lines that were said."""
    folder = tmp_path_factory.mktemp("trained-out")
    (folder / "plan.toml").write_text(PLAN, encoding="utf-8")
    options = RunOptions(
        None, folder / "record.json", folder / "checkpoints", device="cpu", side_by_side=3, commit="abc"
    )
    return folder, options, list(run_plan(folder / "plan.toml", options))


def test_a_new_record_begins_with_its_ceiling(trained):
    _, options, lines = trained
    study = read_record(options.results, TRAINED_OUT)
    assert lines[0] == f"ceiling: {100 * study['ceiling']['correct'] / 360:.2f} %"
    assert len(lines) == 5 and lines[-1].startswith("4 of 4: rows W3A3 ")
    assert [row_of(run).label for run in study["rows"]] == [
        "LSQ",
        "ASQ",
        "LSQ + POST (symmetric)",
        "ASQ + POST (symmetric)",
    ]
    (session,) = study["sessions"]
    assert (session["program"], session["commit"]) == ("asq-post trained-out", "abc")
    for run in study["rows"]:
        assert run["stored_bits"] == 3 and 0 < run["zeros"] < run["weights"]
        assert ("frozen" in run) == (row_of(run).activations == "asq")
    assert render_page(study, "record.json").startswith("# digits on digits, trained out")


def test_each_run_is_a_checkpoint_that_starts_from_the_ceiling(trained):
    _, options, _ = trained
    study = read_record(options.results, TRAINED_OUT)
    paths = sorted(options.checkpoints.glob("*.safetensors"))
    assert len(paths) == 5
    configs = {config["digest"]: config for _, config in map(read_trained, paths)}
    for run in study["rows"]:
        config = configs[run["digest"]]
        assert (config["start"], config["quantised_correct"]) == (study["ceiling"]["digest"], run["correct"])
        assert config["full_precision_correct"] == study["ceiling"]["correct"]
    load_model(paths[-1])


def test_only_what_is_missing_is_done(trained, tmp_path):
    _, options, _ = trained
    more = tmp_path / "more.toml"
    more.write_text(PLAN + ONE_MORE, encoding="utf-8")
    results = tmp_path / "record.json"
    results.write_bytes(options.results.read_bytes())
    bar = CountingBar()
    lines = list(run_plan(more, replace(options, results=results), bar))
    assert (bar.total, bar.done) == (2, 2)  # an epoch of each
    assert len(lines) == 2 and {line.split(": ")[1].split()[0] for line in lines} == {"repeats", "control"}
    study = read_record(results, TRAINED_OUT)
    assert len(study["rows"]) == 4 and [seed(run) for run in study["control"]] == [1]
    (again,) = study["repeats"]
    (first,) = [run for run in study["rows"] if row_of(run) == row_of(again)]
    assert again["session"] == 1 and again["digest"] == first["digest"]  # on a CPU the same to the last bit
    assert list(run_plan(more, replace(options, results=options.results, seconds=0))) == [
        "2 runs are left for want of time"
    ]
    before = results.read_bytes()
    assert list(run_plan(more, replace(options, results=results))) == [] and results.read_bytes() == before


def test_two_processes_add_to_one_record(trained, tmp_path):
    _, options, _ = trained
    more, results = tmp_path / "more.toml", tmp_path / "record.json"
    more.write_text(PLAN + ONE_MORE, encoding="utf-8")
    results.write_bytes(options.results.read_bytes())
    options = replace(options, results=results, side_by_side=1)
    one = run_plan(more, replace(options, commit="one"))
    assert next(one).startswith("1 of 2: repeats ")
    (line,) = run_plan(more, replace(options, commit="another"))
    assert line.startswith("1 of 1: control ")
    assert [line.split(": ")[-1] for line in one] == ["not kept, since another process has added it to the record"]
    study = read_record(results, TRAINED_OUT)
    assert [session["commit"] for session in study["sessions"]] == ["abc", "one", "another"]
    assert [run["session"] for run in (*study["repeats"], *study["control"])] == [1, 2]


def test_a_run_that_diverged_is_not_kept_and_others_go_on(trained, tmp_path, monkeypatch):
    _, options, _ = trained
    two, results = tmp_path / "two.toml", tmp_path / "record.json"
    two.write_text(PLAN + ONE_MORE, encoding="utf-8")
    results.write_bytes(options.results.read_bytes())
    test = side_by_side.enqueue_test

    def diverging(model, images):
        if any("weight_quantiser" in name for name, _ in model.named_parameters()):  # of the two runs the quantised one
            next(model.parameters()).data[:] = float("nan")
        return test(model, images)

    monkeypatch.setattr(side_by_side, "enqueue_test", diverging)
    lines = list(run_plan(two, replace(options, results=results)))
    (lost,) = [line for line in lines if "not kept, since its training diverged" in line]
    assert "repeats W3A3 ASQ" in lost and len(lines) == 2
    study = read_record(results, TRAINED_OUT)
    assert not study["repeats"] and len(study["control"]) == 1


def test_a_session_names_the_cpu_and_its_threads(trained, tmp_path):
    _, options, _ = trained
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Some CPU: 2\nprocessor\t: 1\nmodel name\t: other\n")
    assert name_processor(cpuinfo).startswith("Some CPU: 2, ") and " thread" in name_processor(cpuinfo)
    assert name_processor(tmp_path / "none") == name_processor(cpuinfo).replace("Some CPU: 2", platform.machine())
    (session,) = read_record(options.results, TRAINED_OUT)["sessions"]
    assert session["device"] == name_processor()


def test_a_start_that_is_not_the_ceiling_is_refused(trained, tmp_path):
    folder, options, _ = trained
    other = next(options.checkpoints.glob("rows_*"))
    plan = folder / "plan.toml"
    with pytest.raises(InputError, match=r"start has digest .*; .* starts from"):
        next(run_plan(plan, replace(options, start=other)))
    with pytest.raises(InputError, match="start is needed, the checkpoint with digest"):
        next(run_plan(plan, replace(options, checkpoints=tmp_path)))
    with pytest.raises(InputError, match=r"start is given, but .* is not there"):
        next(run_plan(plan, replace(options, start=other, results=tmp_path / "none.json")))


def test_the_record_of_another_network_is_refused(trained, tmp_path):
    _, options, _ = trained
    plan = tmp_path / "plan.toml"
    text = PLAN.replace('network = "digits"', 'network = "resnet8"').replace(
        'dataset = "digits"', 'dataset = "cifar10"'
    )
    plan.write_text(text, encoding="utf-8")
    with pytest.raises(
        InputError, match=r"plan .*plan\.toml is for resnet8, but .*record\.json is the record of digits"
    ):
        next(run_plan(plan, options))


def test_other_images_are_refused(trained, tmp_path):
    folder, options, _ = trained
    study = read_record(options.results, TRAINED_OUT)
    results = tmp_path / "record.json"
    write_record(results, TRAINED_OUT, study | {"pixels": study["pixels"] | {"test": "0" * 64}})
    with pytest.raises(InputError, match="data_folder has other test images than the record"):
        list(run_plan(folder / "plan.toml", replace(options, results=results)))


def test_the_command_says_what_it_needs(refused, command, trained, tmp_path):
    folder, options, _ = trained
    plan = ("--plan", folder / "plan.toml", "--results", options.results, "--out", options.checkpoints)
    done = command("asq_model", "trained-out", *plan, "--device", "cpu")
    assert done.returncode == 0 and done.stdout == f"{options.results}\n"
    assert "--device is cuda, but torch finds no CUDA device" in refused("asq_model", "trained-out", *plan)
    said = refused("asq_model", "trained-out", "--plan", tmp_path / "none.toml", "--device", "cpu")
    assert "cannot read plan" in said
