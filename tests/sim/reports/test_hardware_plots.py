"""The pictures of the hardware page: which points they show, in which colours, and which are best."""

import pytest
from msgspec import structs

from asq_model.spec.mac import MacSpec
from sim.explore.design_rows import DesignRow, row_of
from sim.explore.measure_design import Task, describe_task
from sim.reports.colours import INK, PAPER
from sim.reports.hardware_plots import (
    Point,
    draw_accuracy,
    draw_error,
    draw_points,
    group_points,
    make_figure,
    make_point,
    scale_axis,
)
from sim.reports.hardware_report import find_smallest
from sim.reports.html import inline_pictures
from sim.reports.sweep_plots import draw_sweep, group_panels


def point(title: str, x: float, y: float, unit: str = "post", spread: float | None = None) -> Point:
    return Point(title, unit, unit, (4, 4), x, y, spread)


def test_the_front_is_named_first():
    _, (axis,) = make_figure(1)
    points = [point("dominated", 3, 70), point("cheap", 1, 75), point("good", 2, 80)]
    assert [found.title for found in draw_points(axis, points, True)] == ["cheap", "good", "dominated"]


def test_a_picture_has_a_background_of_its_own_but_on_a_page_takes_the_page_s_colours(tmp_path):
    points = [point("`post` F = 0", 3, 70, spread=1.0), point("`uniform`", 1, 75, "uniform", 0.5)]
    for name in ("one", "two"):
        draw_accuracy({"iCE40": points}, tmp_path / f"{name}.svg", "Accuracy")
    svg = (tmp_path / "one.svg").read_text()
    assert svg == (tmp_path / "two.svg").read_text()
    assert "post F = 0" in svg and "POST" in svg and f'<g id="{PAPER}">' in svg and INK in svg
    page = inline_pictures('<img alt="P" src="one.svg">', tmp_path)
    assert "currentColor" in page and "POST" in page and PAPER not in page and INK not in page


def swept(unit: str, bits: int, luts: int, **more) -> DesignRow:
    """A row of a sweep, on a target with a clock."""
    about = describe_task(Task(MacSpec(unit, bits, bits), "ecp5", ()))
    row = row_of(about, checked=1, relative_error=0.01 * luts, luts=luts, mhz=100.0)
    return structs.replace(row, **more)


SWEPT = [swept(unit, bits, 10 * bits + place) for bits in (3, 4) for place, unit in enumerate(("post", "uniform"))]


def test_a_sweep_has_a_panel_for_each_width_form_and_target_and_a_series_for_each_unit_in_it(tmp_path):
    unplaced = swept("post", 3, 5, target="xc7", mhz=None)
    rows = [*SWEPT, swept("post", 3, 5, form="dot16"), unplaced]
    panels = group_panels(rows, {"ecp5": "ECP5", "xc7": "LUT6"})
    points = {title: [make_point(row, row.luts, row.relative_error) for row in rows] for title, rows in panels.items()}
    found = {title: list(group_points(members)) for title, members in points.items() if members}
    assert found == {
        "ECP5, 3 × 3 bits, mac": ["post 3 × 3 bits", "uniform 3 × 3 bits"],
        "LUT6, 3 × 3 bits, mac": ["post 3 × 3 bits"],
        "ECP5, 4 × 4 bits, mac": ["post 4 × 4 bits", "uniform 4 × 4 bits"],
        "ECP5, 3 × 3 bits, dot16": ["post 3 × 3 bits"],
    }
    fronts = {}
    for title, members in points.items():
        _, (axis,) = make_figure(1)
        if members:
            draw_points(axis, members, False)
            fronts[title] = list(axis.lines[0].get_xdata())
            assert [points.get_label() for points in axis.collections] == found[title]
    assert fronts["ECP5, 3 × 3 bits, mac"] == [30] and fronts["ECP5, 4 × 4 bits, mac"] == [40]
    draw_sweep(rows, ["ecp5", "xc7"], tmp_path)
    for name in ("error.svg", "throughput.svg"):
        assert "ECP5" in (tmp_path / name).read_text() and "4 × 4 bits, mac" in (tmp_path / name).read_text()
    draw_sweep([], ["ecp5"], tmp_path)  # nothing of the sweep before stays
    assert not any(tmp_path.iterdir())


def test_a_uniform_design_is_drawn_as_one_whichever_rows_are_missing(tmp_path):
    """A mark is of the family of the weights, not of what else is in the picture."""
    draw_error({"ECP5": [swept("uniform", 4, 40)]}, tmp_path / "uniform.svg", "Error")
    draw_error({"ECP5": [swept("post", 4, 40)]}, tmp_path / "post.svg", "Error")
    blue, orange, grey = "#2563eb", "#c2410c", "#6b7280"
    uniform, post = ((tmp_path / f"{name}.svg").read_text() for name in ("uniform", "post"))
    assert uniform.count(blue) > post.count(blue) and post.count(orange) > uniform.count(orange)
    assert uniform.count(grey) == post.count(grey)
    with pytest.raises(KeyError):
        draw_error({"ECP5": [swept("post", 4, 40, family="unknown")]}, tmp_path / "unknown.svg", "Error")


@pytest.mark.parametrize("largest, scale", [(40, "linear"), (60, "log")])
def test_areas_that_are_far_apart_have_a_logarithmic_axis(largest, scale):
    _, (axis,) = make_figure(1)
    assert scale_axis(axis, [point("small", 10, 1), point("large", largest, 1)]) == (scale == "log")
    assert axis.get_xscale() == scale
    assert not scale_axis(axis, [])


def test_of_one_arithmetic_the_smallest_array_is_drawn_beside_its_error():
    design = {"name": "post", "relative_error": 0.03}
    one, two = (swept("post", 4, luts, stages=stages, **design) for stages, luts in ((1, 50), (2, 40)))
    exact = swept("uniform", 4, 60, relative_error=0.0)
    assert find_smallest([one, two, exact]) == [two, exact]
