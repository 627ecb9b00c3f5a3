"""The plot to explore: which designs are in it, that it can be drawn without a network, and when there is none."""

import json

import pytest
import vl_convert

from asq_model.spec.array import ArraySpec
from asq_model.spec.mac import MacSpec
from sim.explore.design_rows import row_of
from sim.explore.measure_design import Task, describe_task
from sim.measure.yosys_area import Area
from sim.reports.design_chart import make_chart, make_chart_script
from sim.reports.html import write_html

AREA = {name: 1 for name in Area.__struct_fields__}
CLOCK = {"mhz": 100.0, "mhz_median": 90.0, "per_lut": 0.1}


def row(design, target, dsp=False, **figures):
    about = describe_task(Task(design, target, (), dsp=dsp))
    return row_of(about, **{"checked": 1, "relative_error": 0.0125} | AREA | figures)


@pytest.fixture
def rows():
    array = ArraySpec(MacSpec("post", 4, 4), 8, 8)
    return [
        row(MacSpec("uniform", 4, 4), "ice40", **CLOCK, luts=50),
        row(array, "ecp5", **CLOCK, luts=2000),
        row(array, "ecp5"),  # not placed
        row(array, "xc7", per_lut=0.1),  # which has no placer
        row(MacSpec("uniform", 4, 4), "ecp5", dsp=True, **CLOCK),
    ]


def test_every_placed_design_without_multiplier_blocks_is_a_point(rows):
    chart = make_chart(rows)
    unit, array = chart["data"]["values"]
    assert (unit["device"], unit["form"]) == ("iCE40 HX8K", "One multiply-accumulate unit")
    assert array == {
        "device": "ECP5-25k",
        "form": "Array of 8 × 8",
        "widths": "4 × 4 bits",
        "levels": "POST",
        "design": "post F = 2",
        "luts": 2000,
        "mhz": 100.0,
        "rate": 6.4,
        "per_lut": 0.1,
        "error": 1.25,
    }
    picked = {each["name"]: each["value"] for each in chart["params"] if each["name"] in ("device", "form", "widths")}
    assert picked == {name: array[name] for name in picked} and len(picked) == 3


def test_it_is_drawn_with_the_points_that_are_picked_first(rows):
    svg = vl_convert.vegalite_to_svg(json.loads(make_chart_script(make_chart(rows))), allowed_base_urls=[])
    assert svg.count('aria-roledescription="point"') == 1 and "LUTs: 2000" in svg and "currentColor" in svg


def test_without_a_placed_design_there_is_none(rows, tmp_path):
    assert make_chart(rows[2:]) is None
    (tmp_path / "page.md").write_text("# T\n")
    write_html(tmp_path / "page.md", tmp_path / "page.html", make_chart([]))
    html = (tmp_path / "page.html").read_text()
    assert 'class="chart"' not in html and html.count("<script>") == 1


def test_a_page_without_sections_has_its_plot_at_the_end_and_no_text_ends_the_script(rows, tmp_path):
    (tmp_path / "page.md").write_text("# T\n\ntext\n")
    chart = make_chart(rows) | {"title": "</script>"}
    write_html(tmp_path / "page.md", tmp_path / "page.html", chart)
    html = (tmp_path / "page.html").read_text()
    assert html.index("<p>text</p>") < html.index('<section class="chart" hidden>') < html.index("<script>")
    assert html.count("</script>") == html.count("<script>") == 3 and "src=" not in html.partition("<script>")[0]
