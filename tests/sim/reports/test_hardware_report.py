"""The report: pictures that follow the page's colours, one HTML file, the same bytes for the same rows."""

import random
import re
import shutil

import pytest
from conftest import ROOT
from msgspec import structs

from asq_model.common.cifar10_copy import COPIES
from asq_model.common.command_line import parse_widths
from asq_model.common.errors import InputError
from asq_model.common.records import read_record, write_record
from asq_model.common.result_schemas import ARITHMETIC
from asq_model.spec.mapping import GENERIC
from sim.explore.design import form_of, fpga_family_of, is_for, is_rival, mac_of
from sim.explore.design_rows import REPORT, Made, Report, failure_of, row_of
from sim.explore.design_space import choose_placings, list_designs
from sim.explore.measure_design import ASIC, ENERGY, Task, describe_task
from sim.explore.ranking import compute_gain, is_alone, is_post, is_serial
from sim.explore.report_plan import COMPARED, list_report_tasks, list_slow_tasks, parse_plan
from sim.explore.sweep import Swept
from sim.measure.fpga_families import DEVICES, FPGA_FAMILIES
from sim.measure.yosys_area import Area
from sim.reports import hardware_report
from sim.reports.hardware_page import TEMPLATE
from sim.reports.hardware_report import join_reports, write_page, write_report
from sim.reports.html import inline_pictures, write_html
from sim.reports.titles import SHORT, TITLES
from sim.reports.verdict import AIMS, judge_aims, list_gains


def rows():
    """Made-up figures of the arrays and units at 4 × 4 bits."""
    found = []
    area = {name: 1 for name in Area.__struct_fields__}
    common = {"checked": 10, "relative_error": 0.0}
    for form in ("array8x8", "mac"):
        for index, design in enumerate(list_designs((4, 4), form)):
            for target in ("ice40", "ecp5", "xc7"):
                about = describe_task(Task(design, target, ()))
                figures = area | {"luts": 50 + index}
                rate = {"per_lut": about.products_per_cycle / figures["luts"]}
                clock = rate | {"mhz": 99.0 + index, "mhz_median": 98.0} if choose_placings(design, 1) else {}
                found.append(row_of(about, **common, **figures, **(rate if target == "xc7" else clock)))
            if form == "mac":
                energy = {"per_product": 5.0 + index, "toggles_per_product": 2.0}
                energy |= {"nets": 9, "flip_flops": 3, "products": 5}
                found.append(row_of(describe_task(Task(design, ENERGY, ())), **common, **energy))
                found.append(row_of(describe_task(Task(design, ASIC, ())), **common, gates=500.0))
    row = next(row for row in found if row.target == "ecp5" and row.mhz is not None and row.form == "mac")
    found.append(structs.replace(row, dsp=True, luts=9, dsps=1, mhz=120.0))
    return found


LABELS = next(iter(COPIES))


@pytest.fixture
def results(tmp_path):
    """Accuracies of two networks, and unrolled layers."""
    folder = tmp_path / "results"
    folder.mkdir()
    common = {"network": "resnet8", "activations": "lsq", "activation_bits": 4, "weight_bits": 4, "product_frac": None}
    common |= {"images": 100, "data": LABELS, "seed": 0, "digest": "0" * 64, "lost": 0, "gained": 0, "rms_error": 0.1}
    post = {"family": "post", "kind": "symmetric", "unit": "post", "frac": -1, "arithmetic": "post frac -1"}
    uniform = {"family": "uniform", "kind": "", "unit": "uniform-sign", "frac": None, "arithmetic": "uniform-sign"}
    accuracies = [
        common | post | {"correct": 79, "level_set": "post4"},
        common | uniform | {"correct": 78, "level_set": "uniform4"},
    ]
    study = {"command": "c", "note": "A note.", "versions": {}, "rows": accuracies}
    write_record(folder / "arithmetic.json", ARITHMETIC, study)
    shutil.copy(ROOT / "docs" / "results" / "unrolled.json", folder)
    return folder


def test_the_report(results, tmp_path):
    about = describe_task(Task(list_designs((4, 4), "mac")[0], "ice40", ()))
    failure = failure_of(about, "no such tool")
    one, again = tmp_path / "one" / "hardware.md", tmp_path / "again" / "hardware.md"
    few = [row for row in rows() if row.form != "array8x8" or row.target == "ecp5"]  # names take time to place
    write_report(Swept(few, [failure], [about]), results, one, 2, None)
    write_page(read_record(one.with_suffix(".json"), REPORT), results, again)
    written = [{path.name: path.read_bytes() for path in folder.parent.iterdir()} for folder in (one, again)]
    assert {name: written[0][name] for name in written[1]} == written[1], "the page comes from its JSON"
    page, html = (written[0][f"hardware.{kind}"].decode() for kind in ("md", "html"))
    for part in (
        "## Words",
        "Accuracy at equal cost",
        "on ECP5 (79.00 % against 78.00 %: +1.00 points, of one seed)",
        "above their median by ",
        "A note.",
        "it scores **75.48 %** on this copy",
        "Multiplier blocks",
        "Energy, by a proxy",
        "In LUTs, two graphs and √2 take 1.07 to 1.31 times",
    ):
        assert part in page
    assert "- One multiply-accumulate unit, 4 × 4 bits, ice40: 1\n" in page
    assert "no such tool" in page and "| `post` F = -1 two stages" in page and "79.00 ± 0.00" in page
    seen, *scripts = html.split("<script>")
    assert seen.count("<svg") == 5 and "<img" not in seen and "http://www.w3.org" in seen and len(scripts) == 3
    assert html.count("<script") == 3 and "<a href" not in html and "what each computes" in html
    assert html.count("<figcaption>") == 5
    assert html.index("POST over uniform") < html.index('<section class="chart"') < html.index("Accuracy at equal cost")
    names = [part.split('"')[0] for part in html.split(' id="')[1:]]
    assert len(names) == len(set(names)), "two pictures share a name"


def test_without_accuracies_the_page_leaves_them_out(tmp_path, monkeypatch):
    monkeypatch.setattr(hardware_report, "draw_plots", lambda rows, folder: [])  # which the report above has
    write_report(Swept(rows(), []), tmp_path / "none", tmp_path / "hardware.md", 1, tmp_path / "cells.lib")
    page = (tmp_path / "hardware.md").read_text()
    assert "Accuracy at equal cost" not in page and "unrolled" not in page and "`cells.lib`" in page
    assert "75.48" not in page


def test_edited_accuracies_are_refused(results, tmp_path):
    path = results / "arithmetic.json"
    path.write_text(path.read_text().replace('"correct": 79', '"correct": 80'))
    with pytest.raises(InputError, match=r"accuracies .*arithmetic\.json cannot be used: it was changed since"):
        write_report(Swept(rows(), []), results, tmp_path / "hardware.md", 1, None)


# Every group that a verdict is about, with what it is called.
GROUPS = {
    f"{widths[0]} × {widths[1]} bits on {SHORT[target]}": (widths, target)
    for widths in AIMS
    for target in FPGA_FAMILIES
}


def outcomes_in(said: str) -> dict[str, str]:
    """State by name, of `Met: a, b. Missed: c.`"""
    outcomes = {}
    for state in ("Met", "Missed", "Not measured"):
        (part,) = re.findall(rf"\b{state}: ([^.]*)\.", said) or [""]
        outcomes |= dict.fromkeys(filter(None, part.split(", ")), state)
    return outcomes


@pytest.mark.parametrize("seed", range(12))
def test_a_page_with_rows_missing_has_no_verdict_on_what_was_not_measured(seed):
    """Any rows missing, whatever the reason: outcomes of whole groups only, and no ratio but theirs."""
    rng = random.Random(seed)
    left = [row for row in rows() if rng.random() < (0.5, 0.95, 0.995)[seed % 3]]
    said = judge_aims(left)
    outcomes = outcomes_in(said.outcomes)
    assert set(outcomes) == set(GROUPS)
    ratios = set()
    for name, (widths, target) in GROUPS.items():
        members = [d for d in list_designs(widths, "array8x8") if is_for(d, target)]
        wanted = [d.name for d in members if is_rival(d) or mac_of(d).unit.startswith("post")]
        have = {row.name for row in left if (row.target, row.form) == (target, "array8x8")}
        whole = widths == (4, 4) and have >= set(wanted)
        assert (outcomes[name] != "Not measured") == whole, name
        if whole:
            ratios.add(f"{compute_gain(left, widths, 'array8x8', target, is_post).ratio:.2f}")
    ratios |= {
        f"{found.ratio:.2f}"
        for target in FPGA_FAMILIES
        if (found := compute_gain(left, (4, 4), "mac", target, is_alone)) is not None
    }
    assert set(re.findall(r"\d+\.\d+", f"{said.arrays} {said.outcomes} {said.alone}")) <= ratios
    for name, state in outcomes_in(said.fold_outcomes).items():
        target = next(target for target in DEVICES if name.endswith(SHORT[target]))
        members = {row.unit for row in left if (row.form, row.target) == ("mac", target)}
        known = compute_gain(left, (4, 4), "mac", target, is_alone, is_serial) if name.startswith("4 × 4") else None
        assert (state != "Not measured") == (known is not None) and (known is None or "serial" in members)
    for line in list_gains(left):
        for target in FPGA_FAMILIES:
            form = next(form for form, title in TITLES.items() if title.lower() in line["what"])
            known = compute_gain(left, (4, 4), form, target, is_alone)
            assert line[target] == "not measured" if known is None else line[target].startswith(f"{known.ratio:.2f}: ")


def test_nothing_measured_is_no_verdict():
    found = judge_aims([])
    assert all(re.fullmatch("Not measured: [^.]*[.]", said) for said in (found.outcomes, found.fold_outcomes))
    assert (found.met, found.folds_met) == ("not measured",) * 2
    assert (found.arrays, found.alone) == ("(not measured) times",) * 2


def test_the_page_opens_with_numbers_of_comparisons_not_with_their_names():
    found = judge_aims(rows())
    assert found.met == "met in 0 of 3 comparisons, 3 not measured"
    assert not re.search(r"iCE40|ECP5|LUT6", " ".join((found.arrays, found.alone, found.folds_met)))


# Of the paper, of circuits and of what is counted; no figure of a measurement.
NO_FIGURES = (
    r"8 × 8|16 × 16|array16x16|F = -1|3/2|√2|[23]·?a|0 … 3|\b[46]-input|LUT\d|iCE40|ECP5|ecp5|NAND2|KNOWN=1"
    r"|7-series|1\.00 is bold|[Bb]elow 1\b|1 \+ its fan-out"
)


def test_the_prose_has_no_figure_of_its_own():
    prose = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", TEMPLATE.read_text(encoding="utf-8"))
    rest = re.sub(NO_FIGURES, "", prose)
    assert not re.findall(r"\d+", rest), re.findall(r".{20}\d+.{20}", rest)


def test_gate_equivalents_of_other_cells_do_not_stand_beside_each_other():
    """What the page says of its cells is true of every row; without gates on one side there is nothing to mix."""
    made = [
        Made(tools={"yosys": "1"}, placings=1, liberty=cells, frequency_mhz=400.0) for cells in ("a.lib", "b.lib", None)
    ]
    gates = [row for row in rows() if row.target == ASIC]
    others = [row for row in rows() if row.target == "xc7"]
    first, second, plain = (
        Report(made=how, rows=members, failures=[], left_out=[])
        for how, members in zip(made, (gates, gates, others), strict=True)
    )
    with pytest.raises(InputError, match=r"the earlier report has liberty a\.lib, this one b\.lib; make it all again"):
        join_reports(first, second)
    assert join_reports(first, plain).made.liberty == join_reports(plain, first).made.liberty == "a.lib"


def test_a_report_onto_another_is_refused_before_anything_is_measured(refused, tmp_path):
    shutil.copy(ROOT / "docs" / "results" / "hardware.json", tmp_path)
    words = ["--onto", tmp_path / "hardware.json", "--placings", "99", "--root", tmp_path / "build"]
    assert "; make it all again" in refused("sim", "report", *words)
    assert [path.name for path in tmp_path.iterdir()] == ["hardware.json"]


def test_a_missing_picture_is_named(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# T\n\n![P](none.svg)\n")
    with pytest.raises(InputError, match=r"cannot read picture .*none\.svg"):
        write_html(page, tmp_path / "page.html")
    (tmp_path / "none.svg").write_text('<?xml?><svg><g id="a"/><use href="#a"/></svg>')
    assert inline_pictures('<img alt="P" src="none.svg">', tmp_path).count("none-a") == 2


def test_a_plan():
    plan = parse_plan("mac:3x3,4x4 array8x8:3x3,4x4,5x4 array16x16:4x4")
    assert list(plan)[1:4] == [((4, 4), "mac"), ((3, 3), "array8x8"), ((4, 4), "array8x8")]
    assert {task.target for task in list_report_tasks(plan, ["ice40"], (), 3, None)} == {"ice40"}
    tasks = list_report_tasks(plan, list(COMPARED), (), 3, None)
    assert {task.target for task in tasks} == {"ice40", "ecp5", "xc7", ASIC, ENERGY}
    assert sum(task.dsp for task in tasks) == 4
    assert {task.placings for task in tasks if task.target == "ice40"} == {0, 1, 2, 3}
    unplaced = {mac_of(task.design) for task in tasks if task.placings == 0 and fpga_family_of(task.design) == GENERIC}
    assert {mac.weight_bits for mac in unplaced} == {4, 5}
    assert {mac.unit for mac in unplaced if mac.weight_bits == 4}.isdisjoint(("apot", "uniform-shared"))
    assert {form_of(task.design) for task in tasks if task.target == "ice40"} == {"mac", "array8x8"}  # what fits there
    slow = list_slow_tasks(plan, list(COMPARED), (), 3)
    assert {(task.target, form_of(task.design), task.placings) for task in slow} == {("ecp5", "array16x16", 2)}
    assert not set(slow) & set(tasks)
    measured_fully = [task.design for task in tasks if task.target == ENERGY and form_of(task.design) == "array8x8"]
    assert measured_fully == [design for design in plan[(4, 4), "array8x8"] if is_for(design, ENERGY)]
    for wrong, said in (("tree:4x4", "--plan has 'tree'"), ("mac:4", "--plan is 4;"), ("mac", "--plan is ''")):
        with pytest.raises(InputError, match=said):
            parse_plan(wrong)
    assert parse_widths("--widths", "3x3,4x8") == [(3, 3), (4, 8)]
