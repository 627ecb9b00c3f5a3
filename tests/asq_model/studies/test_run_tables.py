from dataclasses import asdict

import pytest

from asq_model.common.cifar10_copy import COPIES
from asq_model.common.errors import InputError
from asq_model.common.progress import SILENT, LogBar
from asq_model.common.records import read_record
from asq_model.common.result_schemas import STUDY
from asq_model.config.recipe import Recipe, recipe_of
from asq_model.spec.levels import KINDS
from asq_model.studies import run_tables
from asq_model.studies.paper_tables import TABLES, Row
from asq_model.studies.printed_tables import (
    FULL_PRECISION,
    METHODS,
    TOP_1,
    TOP_5,
    against_the_text,
    gain,
    printed_table,
)
from asq_model.studies.run_tables import Study, prepare_study, run_study, run_train, task_of
from asq_model.studies.tables_claims import (
    claims,
    claims_table,
    compare_rows,
    compare_terms,
    corrected,
    group_runs,
    originals,
    pooled_spread,
    printed_difference,
    verdict,
)
from asq_model.studies.tables_page import recommendation, render_page
from asq_model.training.checkpoint_file import write_checkpoint

NETWORK = "resnet8"


def study(correct, table=4, seeds=3):
    """A finished study in which row r with seed s had correct(r, s) of 1000 images right."""
    runs = [
        {
            "network": NETWORK,
            "bits": row.bits,
            "family": row.family,
            "kind": row.kind,
            "activations": row.activations,
            "label": row.label,
            "seed": seed,
            "correct": correct(row, seed),
            "top_5": 990,
            "images": 1000,
            "stored_bits": row.bits + (row.kind == "extended"),
        }
        for seed in range(seeds)
        for row in TABLES[table].rows
    ]
    start = {"network": NETWORK, "digest": "0" * 64, "correct": 900, "recipe": asdict(Recipe(full_precision_epochs=9))}
    return {
        "table": table,
        "epochs": 2,
        "command": "the command",
        "note": "A note.",
        "data": next(iter(COPIES)),
        "commit": "abc",
        "versions": {"torch": "1"},
        "start": [start],
        "runs": runs,
        "failed": [],
    }


def full_precision_config() -> dict:
    """A checkpoint's, of the network in full precision."""
    recipe = asdict(recipe_of(NETWORK))
    images = {"train_images": 9000, "test_images": 1000, "full_precision_correct": 900, "classes": 10}
    return images | {"network": NETWORK, "layers": {}, "recipe": recipe, "start": "", "fingerprint": "f" * 64}


def asq_gains(points):
    """ASQ's rows `points` above the others; seeds one point apart."""
    return lambda row, seed: 800 + 10 * seed + 10 * points * (row.activations == "asq")


def test_labels_are_the_paper_s():
    labels = {row.label for row in TABLES[4].rows}
    assert labels == {"LSQ", "ASQ", "LSQ + POST", "LSQ + POT", "LSQ + E2M1", "LSQ + APOT", "ASQ + POST"}
    printed = {label for network, _, label in TOP_1 if network == "resnet20"}
    assert printed - {"LQ-Net", "APOT"} == labels - {"LSQ + E2M1", "LSQ + APOT"}
    assert {row.label for row in TABLES[2].rows} == {"LSQ", "ASQ", "ASQ + POST", "LSQ + APOT", "PACT"}
    assert all((4, "post", kind, "lsq") in [tuple(vars(row).values()) for row in TABLES[4].rows] for kind in KINDS)


def test_spread_is_pooled_over_rows():
    groups = group_runs(study(asq_gains(0)))
    spread, freedom = pooled_spread(groups)
    assert spread == pytest.approx(1.0) and freedom == 2 * len(TABLES[4].rows)
    assert pooled_spread(group_runs(study(asq_gains(0), seeds=1)))[1] == 0


@pytest.mark.parametrize("points, said", [(5, "holds"), (-5, "**does not hold**"), (1, "undecided"), (-1, "undecided")])
def test_a_verdict_needs_more_than_the_noise(points, said):
    groups = group_runs(study(asq_gains(points)))
    found = compare_rows(groups, (NETWORK, 4, "ASQ", ""), (NETWORK, 4, "LSQ", ""))
    assert found[0] == pytest.approx(points) and 1.5 < found[1] < 1.8  # t(0.975, 38)·√(2/3)
    assert verdict(found) == said


def test_intervals_allow_for_how_many_comparisons_are_made():
    """Holm's method judges the surer of two comparisons at 97.5 %, the other at 95 %, and a single one at 95 %."""
    groups = group_runs(study(asq_gains(5)))
    sure = compare_rows(groups, (NETWORK, 4, "ASQ", ""), (NETWORK, 4, "LSQ", ""))
    unsure = 0.1, sure[1]
    assert corrected(groups, [sure]) == [pytest.approx(sure)] and corrected(groups, [unsure]) == [pytest.approx(unsure)]
    first, nothing, last = corrected(groups, [sure, None, unsure])
    assert nothing is None and last == pytest.approx(unsure)
    assert first[0] == sure[0] and first[1] == pytest.approx(sure[1] * 2.3246 / 2.0181, rel=1e-4)  # t of 42 degrees


def test_one_seed_decides_nothing():
    groups = group_runs(study(asq_gains(50), seeds=1))
    assert verdict(compare_rows(groups, (NETWORK, 4, "ASQ", ""), (NETWORK, 4, "LSQ", ""))) == "undecided, one seed"
    text = render_page(study(asq_gains(50), seeds=1))
    assert "nothing is decided" in text and "inf" not in text and "nan" not in text
    assert text.count(": undecided, one seed: `asymmetric` is at +0.00 points") == 2 and "take `" not in text
    assert verdict(compare_rows(groups, (NETWORK, 5, "ASQ", ""), (NETWORK, 4, "LSQ", ""))) == "not measured"


@pytest.mark.parametrize("points, said", [(5, "take `asymmetric`"), (-5, "take `symmetric`: "), (0, "does not earn")])
def test_asymmetric_is_recommended_only_if_it_earns_it(points, said):
    found = study(lambda row, seed: 800 + 10 * seed + 10 * points * (row.kind == "asymmetric"))
    lines = recommendation(found, group_runs(found))
    assert len(lines) == 2 and all(said in line for line in lines)


def test_the_page_says_how_it_was_made():
    text = render_page(study(asq_gains(5)))
    for words in (
        "the command",
        "`abc`",
        "torch 1",
        "90.00 %",
        "A note.",
        "JPEG copy of the 60,000 images (baseline, quality 75, 4:2:0 chroma)",
        "**75.48 %**",
        "9 epochs",
        "Seeds 0, 1, 2",
        "--full-epochs 9 ",
        "| 93.0 |",
    ):
        assert words in text, words
    assert "| resnet8 | 3 | ASQ + POST | extended | 4 | 86.00 ± 1.00 | 99.00 | 3 | 92.3 |" in text
    assert "75.48" not in render_page(study(asq_gains(5)) | {"data": "of the original files"})
    later = study(asq_gains(5))
    for run in later["runs"]:
        run["seed"] += 4
    assert "Seeds 4, 5, 6:" in render_page(later)


@pytest.mark.parametrize("table", TABLES)
def test_every_row_of_a_table_is_a_recipe(table):
    for row in TABLES[table].rows:
        recipe_of(TABLES[table].networks[0], weight_bits=row.bits, activation_bits=row.bits, **vars_of(row))


def vars_of(row):
    """The fields of a row that a recipe has under the same names."""
    return {"family": row.family, "kind": row.kind or None, "activations": row.activations}


def test_what_is_printed_is_as_it_stands_in_the_paper():
    assert TOP_1["resnet18", 4, "ASQ + POST"] == 71.0 and TOP_5["resnet18", 4, "ASQ + POST"] == 89.9
    assert gain("resnet34", 4, "ASQ + POST", "LSQ", FULL_PRECISION) == 0.8 and gain("resnet20", 8, "ASQ", "LSQ") is None
    assert all(TOP_5[key] > TOP_1[key] for key in TOP_5) and len(METHODS) == 35
    lines = printed_table(("resnet20",))
    assert "| ResNet-20 | ASQ + POST | 92.6 | – | 92.3 | 93.0 | – |" in lines and len(lines) == 9
    page = render_page(study(asq_gains(0)))
    assert "| ResNet-18 | ASQ + POST | " in page and "71.0 (89.9)" in page and "| MobileNetV2 | " in page
    abstract, lsq, *_ = against_the_text()
    assert "+0.8 for ResNet-34, and +1.2 for ResNet-18" in abstract and "-0.3 at 3 bits" in lsq


def test_full_precision_and_growing_gains_are_among_the_claims():
    found = study(lambda row, seed: 890 + 10 * seed + 40 * (row.family == "post" and row.bits == 4))
    groups, known = group_runs(found), originals(found)
    by_words = {claim.words: claim for claim in claims(found)}
    above = by_words["4 bits: ASQ + POST (symmetric) > full precision"]
    difference, interval = compare_terms(groups, above.terms, known)
    assert difference == pytest.approx(94 - 90) and interval == pytest.approx(1.16, abs=0.02)  # t(0.975, 42)·√(1/3)
    growth = by_words["ASQ + POST (symmetric) over ASQ: 4 bits > 3 bits"]
    difference, wider = compare_terms(groups, growth.terms, known)
    assert difference == pytest.approx(4) and wider == pytest.approx(2 * interval)
    assert [printed_difference(claim) for claim in (above, growth)] == ["+0.4", "-0.4"]
    (line,) = (line for line in claims_table(found, groups) if growth.words in line)
    assert line.startswith(f"| {growth.words} | +4.00 ± ") and line.endswith(" | holds | -0.4 |")
    without = found | {"start": [{"network": NETWORK, "digest": "0" * 64}]}
    assert f"| {above.words} | – | not measured | +0.4 |" in claims_table(without, groups)


def test_a_table_of_imagenet_has_its_claims_for_each_network():
    found = study(asq_gains(5), table=2)
    others = [run | {"network": "resnet18"} for run in found["runs"]]
    text = render_page(found | {"runs": [run | {"network": "resnet34"} for run in found["runs"]] + others})
    assert "| resnet18, 8 bits: ASQ > LSQ | +5.00 ± " in text and "| resnet34, 8 bits: ASQ > LSQ | +5.00 ± " in text
    assert "| ResNet-34 | LQ-Net | 73.8 (91.4) |" in text and "Table 4 has" not in text


def test_failed_runs_are_on_the_page():
    found = study(asq_gains(0))
    found["failed"] = [found["runs"].pop() | {"error": "disk full"}]
    assert "**Failed runs:** resnet8 ASQ 2 bits: disk full" in render_page(found)


def test_runs_are_known_by_their_task():
    run = study(asq_gains(0))["runs"][0]
    assert task_of(run) == (NETWORK, TABLES[4].rows[0], 0) and isinstance(task_of(run)[1], Row)


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


def test_a_run_that_cannot_start_says_why(tmp_path):
    with pytest.raises(InputError, match="network is 'lenet'; allowed: digits"):
        run_train(["--network", "lenet"], SILENT)


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
