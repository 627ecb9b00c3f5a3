"""The plan of the networks that are trained out: it makes the record's recipes again, and knows what is missing."""

import pytest
from conftest import ROOT

from asq_model.common.errors import InputError
from asq_model.common.records import read_record
from asq_model.config.recipe import Recipe
from asq_model.studies.trained_out.plan import LISTS, PLAN, PLANS, RunKey, list_missing_runs, read_plan
from asq_model.studies.trained_out.record import TRAINED_OUT, network

RESULTS = ROOT / "docs" / "results"
STUDY = read_record(RESULTS / "trained-out.json", TRAINED_OUT)
RESNET_20 = read_record(RESULTS / "trained-out-resnet20.json", TRAINED_OUT)
TEXT = PLAN.read_text(encoding="utf-8")


@pytest.mark.parametrize("study", [STUDY, RESNET_20], ids=network)
def test_the_plan_makes_every_recipe_of_the_record_again(study):
    planned = {}
    for run in read_plan(PLANS[network(study)]):
        planned.setdefault(run.part, []).append(run.recipe)
    assert Recipe.from_record(study["ceiling"]["recipe"]) == planned["ceiling"][0]
    assert study["rows"]
    for part in LISTS:
        for run in study[part]:
            assert Recipe.from_record(run["recipe"]) in planned[part]


@pytest.mark.parametrize("path", PLANS.values(), ids=PLANS)
def test_no_run_is_planned_twice_but_repeats(path):
    runs = [run for run in read_plan(path) if run.part != "repeats"]
    assert len({run.key for run in runs}) == len({run.name for run in runs}) == len(runs)


def test_what_one_list_repeats_has_a_checkpoint_each(tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(TEXT[: TEXT.index("\n[[runs]]")] + '\n[[runs]]\npart = "repeats"\nseeds = [0]\ntimes = 3\n')
    _, *runs = read_plan(plan)
    assert len({run.key for run in runs}) == 1 and len({run.name for run in runs}) == 3
    assert [run.time for run in list_missing_runs(runs, STUDY)] == [3]  # the record has two


def test_what_is_missing_is_what_the_record_lacks():
    plan = read_plan(PLAN)
    before = list_missing_runs(plan, STUDY)
    fewer = STUDY | {"rows": STUDY["rows"][1:], "repeats": STUDY["repeats"][1:]}
    lacking = [run for run in list_missing_runs(plan, fewer) if run not in before or run.part == "repeats"]
    assert {run.key for run in lacking if run.part == "rows"} == {key_of("rows", STUDY["rows"][0])}
    repeats = [run.key for run in list_missing_runs(plan, fewer) if run.part == "repeats"]
    assert repeats.count(key_of("repeats", STUDY["repeats"][0])) >= 1
    assert len(repeats) == len([run for run in before if run.part == "repeats"]) + 1
    empty = STUDY | {part: [] for part in LISTS}
    assert list_missing_runs(plan, empty) == [run for run in plan if run.part != "ceiling"]


def key_of(part, run):
    """The key of a run of the record."""
    recipe = Recipe.from_record(run["recipe"])
    return next(planned.key for planned in read_plan(PLAN) if (planned.part, planned.recipe) == (part, recipe))


def test_a_run_is_known_by_all_that_differs():
    run = read_plan(PLAN)[-1]
    assert isinstance(run.key, RunKey) and run.key.epochs == run.recipe.epochs
    assert run.name.startswith(f"{run.part}_resnet8_") and run.name.endswith(f"_e{run.recipe.epochs}")


@pytest.mark.parametrize(
    "old, new, message",
    [
        ('part = "control"', 'part = "others"', "Invalid enum value 'others'"),
        ('"W4A4", "W3A3", "W2A2", "W4A8"', '"W9A4"', "`str` matching regex"),
        ("W2 = 0.08", "W8 = 0.08", "rates has no W2"),
        ('"pot symmetric", "apot"', '"pot odd"', "odd"),
        ("batch = 256", "batch = 256\nbatsch = 1", "unknown field `batsch`"),
        ("batch = 256", "batch = ", "Invalid value"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_in_a_line(tmp_path, old, new, message):
    path = tmp_path / "plan.toml"
    assert old in TEXT
    path.write_text(TEXT.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_plan(path)
    assert str(error.value).startswith(f"plan {path}: ") and message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_a_plan_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"cannot read plan .*none\.toml"):
        read_plan(tmp_path / "none.toml")
