"""The report: pictures that follow the page's colours, one HTML file, the same bytes for the same rows."""

import pytest

from asq_model.command import parsed_widths
from asq_model.files import InputError
from asq_model.records import read_record, write_record
from asq_model.results_files import ARITHMETIC
from sim.compare import gain, group, is_post, settled
from sim.designs import designs, form_of, mac_of, placings
from sim.hardware_cli import COMPARED, planned, report_tasks, slow_tasks
from sim.hardware_report import write_report
from sim.html_page import inlined, write_html
from sim.measure import ASIC, ENERGY, Task, description
from sim.rows import TABLE
from sim.sweep import Found
from sim.synth import Area


def rows():
    """Made-up figures of the arrays and units at 4 × 4 bits."""
    found = []
    for form in ("array8x8", "mac"):
        for index, design in enumerate(designs((4, 4), form)):
            for target in ("ice40", "ecp5", "xc7"):
                row = description(Task(design, target, ())) | {"checked": 10, "relative_error": 0.0}
                row |= {name: 1 for name in Area.__annotations__} | {"luts": 50 + index}
                rate = {"per_lut": row["products_per_cycle"] / row["luts"]}
                clock = rate | {"mhz": 99.0 + index, "mhz_median": 98.0} if placings(design, 1) else {}
                found.append(row | (rate if target == "xc7" else clock))
            if form == "mac":
                common = description(Task(design, ENERGY, ())) | {"checked": 10, "relative_error": 0.0}
                energy = {
                    "per_product": 5.0 + index,
                    "toggles_per_product": 2.0,
                    "nets": 9,
                    "flip_flops": 3,
                    "products": 5,
                }
                found.append(common | energy)
                found.append(common | {"target": ASIC, "gates": 500.0})
    row = next(row for row in found if row["target"] == "ecp5" and "mhz" in row and row["form"] == "mac")
    found.append(row | {"target": "ecp5", "dsp": True, "luts": 9, "dsps": 1, "mhz": 120.0})
    return found


@pytest.fixture
def results(tmp_path):
    """Accuracies of two networks, and a page on unrolled layers."""
    folder = tmp_path / "results"
    folder.mkdir()
    common = {"network": "n", "seed": 0, "weight_bits": 4, "digest": "0" * 64, "lost": 0, "gained": 0, "rms_error": 0.1}
    common |= {"activations": "lsq", "activation_bits": 4, "images": 100}
    accuracies = [
        common | {"level_set": "post4", "arithmetic": "post frac -1", "correct": 79},
        common | {"level_set": "uniform4", "arithmetic": "uniform-sign", "correct": 78},
    ]
    study = {"command": "c", "note": "A note.", "versions": {}, "rows": accuracies}
    write_record(folder / "arithmetic.json", ARITHMETIC, study)
    (folder / "unrolled.md").write_text("# Page\n\nIn LUTs, about level.\n")
    return folder


def test_the_report(results, tmp_path):
    failure = description(Task(designs((4, 4), "mac")[0], "ice40", ())) | {"error": "no such tool"}
    written = []
    for name in ("one", "two"):
        write_report(Found(rows(), [failure], [failure]), results, tmp_path / name / "hardware.md", 2, None)
        written.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert written[0] == written[1]
    assert read_record(tmp_path / "two" / "hardware.json", TABLE) == {"rows": rows(), "failures": [failure]}
    page, html = (written[0][f"hardware.{kind}"].decode() for kind in ("md", "html"))
    for part in (
        "## Verdict",
        "Accuracy at equal cost",
        "on ECP5 (79.00 % against 78.00 %)",
        "above their median by ",
        "A note.",
        "Multiplier blocks",
        "Energy, by a proxy",
        "about level",
    ):
        assert part in page
    assert "- One multiply-accumulate unit, 4 × 4 bits, ice40: 1\n" in page
    assert "no such tool" in page and "| `post` F = -1 two stages" in page and "79.00 ± 0.00" in page
    assert html.count("<svg") == 4 and "<img" not in html and "http://www.w3.org" in html
    assert "<script" not in html and 'href="http' not in html
    names = [part.split('"')[0] for part in html.split(' id="')[1:]]
    assert len(names) == len(set(names)), "two pictures share a name"


def test_edited_accuracies_are_refused(results, tmp_path):
    path = results / "arithmetic.json"
    path.write_text(path.read_text().replace('"correct": 79', '"correct": 80'))
    with pytest.raises(InputError, match=r"accuracies .*arithmetic\.json cannot be used: it was changed since"):
        write_report(Found(rows(), []), results, tmp_path / "hardware.md", 1, None)


def test_without_accuracies_the_page_leaves_them_out(tmp_path):
    write_report(Found(rows(), []), tmp_path / "none", tmp_path / "hardware.md", 1, tmp_path / "cells.lib")
    page = (tmp_path / "hardware.md").read_text()
    assert "Accuracy at equal cost" not in page and "unrolled" not in page and "`cells.lib`" in page


def test_a_missing_picture_is_named(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# T\n\n![P](none.svg)\n")
    with pytest.raises(InputError, match=r"cannot read picture .*none\.svg"):
        write_html(page, tmp_path / "page.html")
    (tmp_path / "none.svg").write_text('<?xml?><svg><g id="a"/><use href="#a"/></svg>')
    assert inlined('<img alt="P" src="none.svg">', tmp_path).count("none-a") == 2


def test_a_group_without_one_of_its_rivals_shows_no_ratio():
    members = rows()
    assert settled(members, []) == members
    rival = next(row for row in members if row["rival"] and row["target"] == "ecp5")
    for form, target, rivals in (("array8x8", "ecp5", False), ("array8x8", "ice40", True), ("mac", "ecp5", True)):
        found = group(settled(members, [rival]), (4, 4), form, target)
        assert any(row["rival"] for row in found) == rivals == (gain(found, is_post) is not None)
    assert settled(members, [rival | {"rival": False}, rival | {"dsp": True}]) == members


def test_a_plan():
    plan = planned("mac:3x3,4x4 array8x8:3x3,4x4,5x4 array16x16:4x4")
    assert list(plan)[1:4] == [((4, 4), "mac"), ((3, 3), "array8x8"), ((4, 4), "array8x8")]
    assert {task.target for task in report_tasks(plan, ["ice40"], (), 3, None)} == {"ice40"}
    tasks = report_tasks(plan, list(COMPARED), (), 3, None)
    assert {task.target for task in tasks} == {"ice40", "ecp5", "xc7", ASIC, ENERGY}
    assert sum(task.dsp for task in tasks) == 4
    assert {task.seeds for task in tasks if task.target == "ice40"} == {0, 1, 2, 3}
    unplaced = {mac_of(task.design) for task in tasks if task.seeds == 0}
    assert {mac.weight_bits for mac in unplaced} == {4, 5}
    assert {mac.unit for mac in unplaced if mac.weight_bits == 4}.isdisjoint(("apot", "uniform-shared"))
    assert {form_of(task.design) for task in tasks if task.target == "ice40"} == {"mac", "array8x8"}  # what fits there
    slow = slow_tasks(plan, list(COMPARED), (), 3)
    assert {(task.target, form_of(task.design), task.seeds) for task in slow} == {("ecp5", "array16x16", 2)}
    assert not set(slow) & set(tasks)
    measured_fully = [task.design for task in tasks if task.target == ENERGY and form_of(task.design) == "array8x8"]
    assert measured_fully == plan[(4, 4), "array8x8"]
    for wrong, said in (("tree:4x4", "PLAN has 'tree'"), ("mac:4", "WIDTHS is '4'"), ("mac", "WIDTHS is ''")):
        with pytest.raises(InputError, match=said):
            planned(wrong)
    assert parsed_widths("3x3,4x8") == [(3, 3), (4, 8)]
