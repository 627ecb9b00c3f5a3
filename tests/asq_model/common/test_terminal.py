import sys

import pytest

from asq_model.common import terminal
from asq_model.common.terminal import convert_markdown, convert_table, format_text_table, wrap_paragraph

TITLES = ("unit", "products", "cycles a product", "latency", "stalls in, out", "over serial", "over uniform")


def rows(name):
    return [[name, 112976, 1.0, 2, "0, 0", 3.0, 1.0]]


def test_titles_take_as_many_lines_as_it_takes_to_fit():
    for name in ("post", "post_exact_mac_w3a3_d1152", "x" * 200):
        lines = format_text_table(TITLES, rows(name), "lrrrrrr").split("\n")
        assert max(map(len, lines)) <= 80
        assert name in "".join(line.split(" ")[0] for line in lines[1:])  # folded, never cut
    wide, narrow = (
        format_text_table(TITLES[:5], [rows(name)[0][:5]], "lrrrr").split("\n") for name in ("post", "x" * 35)
    )
    assert "cycles a product" in wide[0] and len(wide) == 3
    assert "cycles a" in narrow[0] and "product" in narrow[1] and len(narrow) == 4


def test_numbers_stand_on_the_right():
    lines = format_text_table(("unit", "LUTs"), [["post", 5], ["uniform", 12345]], "lr").split("\n")
    assert lines == ["unit      LUTs", "──────────────", "post         5", "uniform  12345"]


def test_a_terminal_that_is_wide_is_used(monkeypatch):
    text = " ".join(["word"] * 30)
    assert max(map(len, wrap_paragraph(text).split("\n"))) <= 80
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    assert terminal.terminal_width() == 200 and wrap_paragraph(text) == text


def test_a_page_s_section_loses_its_marks():
    markdown = "By [`make`](x.md), **now**:\n\n|  | a |\n|---|---:|\n| `post` | **1** |\n"
    assert convert_markdown(markdown) == "By make, now:\n\n      a\n───────\npost  1\n"
    with pytest.raises(ValueError):
        convert_table(["| a | b |", "|---|---|", "| 1 |"])


def test_there_are_no_escape_codes(monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in format_text_table(TITLES, rows("post"), "lrrrrrr")
