"""The pictures of the hardware page: names beside their points, never over each other."""

import re
from itertools import combinations

import pytest

from sim.hardware_plots import draw_accuracy, figure_of, label, scatter


def row(title: str, luts: float, accuracy: float, **more) -> dict:
    return {"title": title, "unit": "post", "rival": False, "luts_per_product": luts, "accuracy": accuracy} | more


def boxes(axis):
    return [text.get_window_extent() for text in axis.texts]


@pytest.mark.parametrize("apart", [1, 0.1, 0])
def test_names_do_not_cover_each_other(apart):
    figure, (axis,) = figure_of(1)
    axis.plot([0, 10], [0, 10])
    names = [(f"a name of number {index}", 5 + apart * index, 5.0) for index in range(-5, 5)]
    figure.draw_without_rendering()
    label(axis, names)
    assert 4 <= len(axis.texts) <= 10
    assert axis.texts[0].get_text() == names[0][0]
    assert not any(one.overlaps(other) for one, other in combinations(boxes(axis), 2))


def test_a_name_without_room_is_left_out():
    figure, (axis,) = figure_of(1)
    axis.plot([0, 10], [0, 10])
    figure.draw_without_rendering()
    label(axis, [("a name" * 40, 5, 5), ("short", 5, 5), ("far outside", 50, 5)])
    assert [text.get_text() for text in axis.texts] == ["short"]


def test_the_front_is_named_first():
    _, (axis,) = figure_of(1)
    rows = [row("dominated", 3, 70), row("cheap", 1, 75), row("good", 2, 80)]
    assert [name for name, _, _ in scatter(axis, rows, "luts_per_product", "accuracy", True)] == [
        "cheap",
        "good",
        "dominated",
    ]


def test_a_picture_takes_the_colour_of_its_page(tmp_path):
    rows = [row("`post` F = 0", 3, 70, spread=1.0), row("`uniform`", 1, 75, spread=0.5, unit="uniform", rival=True)]
    for name in ("one", "two"):
        draw_accuracy({"iCE40": rows}, tmp_path / f"{name}.svg")
    svg = (tmp_path / "one.svg").read_text()
    assert svg == (tmp_path / "two.svg").read_text()
    assert "post F = 0" in svg and "POST" in svg and "currentColor" in svg
    assert not re.search("#010203", svg)
