"""The pages in docs/results come from the records beside them: no figure was typed, no sentence is of another run."""

import re
import shutil
from pathlib import Path

import pytest
from conftest import ROOT

from asq_model.cli import cli
from asq_model.common.cifar10_copy import COPIES, digest_labels, find_yardsticks
from asq_model.common.errors import InputError
from asq_model.common.records import read_record
from asq_model.studies import logged_runs_page
from asq_model.studies.pages import PAGES, render_record, write_training_pages
from sim.engine.engines_page import render_page as render_engines
from sim.engine.engines_report import ENGINES
from sim.explore.design_rows import REPORT
from sim.reports import adaptation_page
from sim.reports.hardware_report import write_page
from sim.unrolled.page import render_page as render_unrolled
from sim.unrolled.report import UNROLLED
from sim.write_pages import write_pages

RESULTS = ROOT / "docs" / "results"
THERE = sorted(name for name in PAGES if (RESULTS / name).is_file())


@pytest.mark.parametrize("name", THERE)
def test_a_committed_page_comes_from_its_results(name):
    path = RESULTS / name
    assert path.with_suffix(".md").read_text(encoding="utf-8") == render_record(path)


def test_the_committed_pages_on_hardware_come_from_their_results(tmp_path, monkeypatch):
    """Without the pictures: how their texts are placed depends on the fonts."""
    unrolled = RESULTS / "unrolled.json"
    page = render_unrolled(read_record(unrolled, UNROLLED))
    assert unrolled.with_suffix(".md").read_text(encoding="utf-8") == page
    for path in RESULTS.glob("engines*.json"):
        text = render_engines(read_record(path, ENGINES))
        assert path.with_suffix(".md").read_text(encoding="utf-8") == text
    for path in RESULTS.glob("asq*.json"):
        text = adaptation_page.render_page(read_record(path, adaptation_page.ASQ), f"{path.stem}-beta.png")
        assert path.with_suffix(".md").read_text(encoding="utf-8") == text
    for name in ("draw_throughput", "draw_error", "draw_accuracy"):
        monkeypatch.setattr(f"sim.reports.hardware_report.{name}", lambda *words: None)
    monkeypatch.setattr("sim.reports.hardware_report.write_html", lambda *words: None)
    write_page(read_record(RESULTS / "hardware.json", REPORT), RESULTS, tmp_path / "hardware.md")
    assert (tmp_path / "hardware.md").read_bytes() == (RESULTS / "hardware.md").read_bytes()


def test_every_page_of_results_has_the_data_that_it_comes_from():
    """The page of all runs comes from the records of others."""
    pages = [page for page in RESULTS.glob("*.md") if not page.with_suffix(".json").is_file()]
    assert [page.name for page in pages] == [logged_runs_page.PAGE]
    assert pages[0].read_text(encoding="utf-8") == logged_runs_page.render_page(logged_runs_page.read_logs(RESULTS))


@pytest.mark.parametrize("name", THERE)
def test_a_page_s_command_has_options_that_the_program_has(name):
    """Options have got other names since some records were made: what the page says is for who wants to do it again."""
    said = re.findall(r"`(?:python -m asq_model|asq-post) ([\w-]+)([^`]*)`", render_record(RESULTS / name))
    for command, words in said:
        known = {option for param in cli.commands[command].params for option in param.opts}
        assert {word for word in words.split() if word.startswith("--")} <= known


@pytest.mark.parametrize(
    "page", sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: page.name
)
def test_a_block_of_code_opens_with_one_word(page):
    """A code fence has one word at most: with more, the site shows the rest of the page as code."""
    fences = re.findall(r"^ *```(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert all(re.fullmatch(r"\w*", word) for word in fences) and not any(fences[1::2])


def test_the_pages_are_written_anew(command, refused, tmp_path):
    shutil.copy(RESULTS / "training-speed.json", tmp_path)
    done = command("asq_model", "pages", "--results", tmp_path)
    assert done.stdout == f"{tmp_path / 'training-speed.md'}\n"
    assert (tmp_path / "training-speed.md").read_bytes() == (RESULTS / "training-speed.md").read_bytes()
    with pytest.raises(InputError, match=r"has none of .*cifar10"):
        list(write_training_pages(tmp_path / "none"))
    assert "has none of hardware.json, engines.json, unrolled.json" in refused("sim", "pages", "--results", tmp_path)
    with pytest.raises(InputError, match="/ has none of"):
        write_pages(Path("/"))  # which has no parent, where a README could be


def test_a_yardstick_is_for_the_copy_that_it_was_measured_on():
    (copy,) = COPIES
    (said,) = find_yardsticks([copy, None, copy, digest_labels([1, 2, 3])])
    assert "quality 75, 4:2:0 chroma" in said and "75.48 %" in said and "87.2 %" in said and "81.03 %" in said
    assert find_yardsticks([digest_labels([1, 2, 3])]) == []


@pytest.mark.parametrize(
    "name",
    [
        "cifar10",
        "arithmetic",
        "parity",
        "figures",
        "figures-resnet20",
        "hardware",
        "trained-out",
        "trained-out-resnet20",
    ],
)
def test_every_page_with_accuracies_on_the_copy_says_what_they_are_worth(name):
    page = (RESULTS / f"{name}.md").read_text(encoding="utf-8")
    assert page.count("**75.48 %**") == 1 and "high quality" not in page
