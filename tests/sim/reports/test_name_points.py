"""Names beside the points of a picture never cover each other."""

from itertools import combinations

import pytest

from sim.reports.hardware_plots import make_figure
from sim.reports.name_points import make_line_boxes, name_points


def boxes(axis):
    return [text.get_window_extent() for text in axis.texts]


@pytest.mark.parametrize("apart", [1, 0.1, 0])
def test_names_do_not_cover_each_other(apart):
    figure, (axis,) = make_figure(1)
    axis.plot([0, 10], [0, 10])
    names = [(f"a name of number {index}", 5 + apart * index, 5.0) for index in range(-5, 5)]
    figure.draw_without_rendering()
    name_points(axis, names)
    assert 4 <= len(axis.texts) <= 10
    assert axis.texts[0].get_text() == names[0][0]
    assert not any(one.overlaps(other) for one, other in combinations(boxes(axis), 2))


def test_a_name_without_room_is_left_out():
    figure, (axis,) = make_figure(1)
    axis.plot([0, 10], [0, 10])
    figure.draw_without_rendering()
    name_points(axis, [("a name" * 40, 5, 5), ("short", 5, 5), ("far outside", 50, 5)])
    assert [text.get_text() for text in axis.texts] == ["short"]


def test_names_keep_clear_of_bars_and_a_far_name_has_a_line_to_its_point():
    from matplotlib.transforms import Bbox

    figure, (axis,) = make_figure(1)
    axis.plot([0, 10], [0, 10])
    figure.draw_without_rendering()
    x, y = axis.transData.transform((5, 5))
    bar = Bbox.from_extents(x - 19, y - 19, x + 19, y + 19)
    name_points(axis, [("name", 5, 5), ("free", 8, 2)], [bar])
    assert not any(box.overlaps(bar) for box in boxes(axis))
    _, line = axis.lines
    assert line.get_xydata()[0].tolist() == [5, 5]


def test_a_line_to_a_point_crosses_no_name():
    figure, (axis,) = make_figure(1)
    axis.plot([0, 10], [0, 10])
    figure.draw_without_rendering()
    (x, y) = axis.transData.transform((5, 5))
    bar = make_line_boxes((x, y - 30), (x, y + 30))
    name_points(axis, [(f"a name of number {index}", 5, 5 + 0.1 * index) for index in range(9)], bar)
    lines = [axis.transData.transform(line.get_xydata()) for line in axis.lines[1:]]
    assert lines
    for start, end in lines:
        before_its_end = make_line_boxes(start, end - 0.2 * (end - start))
        assert not any(step.count_overlaps(boxes(axis)) for step in before_its_end)


def test_a_line_to_a_point_crosses_no_other_point():
    figure, (axis,) = make_figure(1)
    axis.plot([0, 10], [0, 10])
    figure.draw_without_rendering()
    names = [(f"name {row} {column}", 4 + 0.4 * column, 4 + 0.4 * row) for row in range(4) for column in range(4)]
    name_points(axis, names)
    assert len(axis.lines) > 1
    for line in axis.lines[1:]:
        start, end = axis.transData.transform(line.get_xydata())
        others = [axis.transData.transform(name[1:]) for name in names]
        others = [place for place in others if abs(place - start).max() > 6]
        steps = make_line_boxes(start, end)
        assert not any(step.contains(*place) for step in steps for place in others)
