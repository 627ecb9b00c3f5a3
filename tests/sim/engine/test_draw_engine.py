"""The drawings of docs/engine.md are as the program draws them now, and show every instruction of the record."""

from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from conftest import ROOT
from msgspec.structs import replace as changed

from asq_model.common.records import read_record
from hw.engine.schedule_record import SCHEDULE
from sim.engine.draw_path import BOXES, WAYS, draw_path
from sim.engine.draw_schedule import PANEL_WIDTH, PANELS, cut_bars, draw_schedule

RESULTS = ROOT / "docs" / "results"
SVG = "{http://www.w3.org/2000/svg}"


def on_border(x: float, y: float) -> bool:
    """Whether a place is on the border of a box."""
    return any(
        box.x <= x <= box.x + box.width
        and box.y <= y <= box.y + box.height
        and (x in (box.x, box.x + box.width) or y in (box.y, box.y + box.height))
        for box in BOXES.values()
    )


def test_the_drawings_of_the_page() -> None:
    """The committed files are what the record gives."""
    schedule = read_record(RESULTS / "engine-schedule.json", SCHEDULE)
    page = (ROOT / "docs" / "engine.md").read_text(encoding="utf-8")
    for name, drawing in (("engine-path.svg", draw_path()), ("engine-schedule.svg", draw_schedule(schedule))):
        assert (RESULTS / name).read_text(encoding="utf-8") == drawing
        assert f"(results/{name})" in page


def test_every_way_ends_at_a_box() -> None:
    """Arrows end at a part of the engine, or outside it."""
    for way in WAYS:
        assert on_border(*way[-1]) or way[-1][0] < 0, way
        assert all(a[0] == b[0] or a[1] == b[1] for a, b in pairwise(way))
    assert not on_border(300, 300)


def test_every_instruction_has_bars_of_its_length() -> None:
    """Bars are together as long as instructions take, cut where a panel or the round ends in between."""
    schedule = read_record(RESULTS / "engine-schedule.json", SCHEDULE)
    titled = [bar for bar in ElementTree.fromstring(draw_schedule(schedule)).iter(f"{SVG}rect") if len(bar)]
    bars = [cut_bars(schedule, run) for run in schedule.runs]
    assert len(titled) == sum(map(len, bars)) > len(schedule.runs)
    assert [sum(cycles for _, _, cycles in parts) for parts in bars] == [run.cycles for run in schedule.runs]
    longest = max(cycles for parts in bars for _, _, cycles in parts)
    shown = max(float(bar.attrib["width"]) for bar in titled)
    assert shown == pytest.approx(longest / schedule.period * PANEL_WIDTH * PANELS, abs=0.1)
    half = changed(schedule, period=2 * schedule.period)
    assert draw_schedule(half) != draw_schedule(schedule)
    assert replace(BOXES["drain"], words="a & b").draw()[1].count("a &amp; b") == 1


def test_a_bar_is_cut_at_the_end_of_a_panel_and_of_the_round() -> None:
    """A bar goes on in the next panel, and after the last in the first."""
    schedule = read_record(RESULTS / "engine-schedule.json", SCHEDULE)
    run = changed(schedule.runs[0], start=30, cycles=40)
    assert cut_bars(changed(schedule, period=80), run) == [(0, 30, 10), (1, 0, 30)]
    assert cut_bars(changed(schedule, period=60), run) == [(1, 0, 30), (0, 0, 10)]
    assert cut_bars(changed(schedule, period=100), changed(run, start=99, cycles=1)) == [(1, 49, 1)]


def test_letters_are_read_at_400_pixels() -> None:
    """No letters are smaller than 10 pixels where a drawing is 400 wide."""
    schedule = read_record(RESULTS / "engine-schedule.json", SCHEDULE)
    for drawing in (draw_path(), draw_schedule(schedule)):
        root = ElementTree.fromstring(drawing)
        width = float(root.attrib["viewBox"].split()[2])
        assert min(float(words.attrib["font-size"]) for words in root.iter(f"{SVG}text")) * 400 / width >= 10
