"""The drawings of docs/engine.md are as the program draws them now, and show every instruction of the record."""

from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from conftest import ROOT
from msgspec.structs import replace as changed

from asq_model.common.records import read_record
from hw.engine.schedule_record import SCHEDULE
from sim.engine.draw_engine import BOX_HEIGHT, BOXES, WAYS, draw_path, draw_schedule

RESULTS = ROOT / "docs" / "results"
SVG = "{http://www.w3.org/2000/svg}"


def on_border(x: float, y: float) -> bool:
    """Whether a place is on the border of a box."""
    return any(
        box.x <= x <= box.x + box.width
        and box.y <= y <= box.y + BOX_HEIGHT
        and (x in (box.x, box.x + box.width) or y in (box.y, box.y + BOX_HEIGHT))
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


def test_every_instruction_has_a_bar_of_its_length() -> None:
    """Bars are as long as instructions take, in two parts where a round ends in between."""
    schedule = read_record(RESULTS / "engine-schedule.json", SCHEDULE)
    titled = [bar for bar in ElementTree.fromstring(draw_schedule(schedule)).iter(f"{SVG}rect") if len(bar)]
    wraps = sum(run.start % schedule.period + run.cycles > schedule.period for run in schedule.runs)
    assert len(titled) == len(schedule.runs) + wraps
    longest = max(schedule.runs, key=lambda run: run.cycles)
    shown = max(float(bar.attrib["width"]) for bar in titled)
    assert shown == pytest.approx(longest.cycles / schedule.period * 720, abs=0.1)
    half = changed(schedule, period=2 * schedule.period)
    assert draw_schedule(half) != draw_schedule(schedule)
    assert replace(BOXES["drain"], words="a & b").draw()[1].count("a &amp; b") == 1
