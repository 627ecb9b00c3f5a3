"""A click sorts the tables of pages: the script of the report and of the site runs in V8, on a page of stand-ins.

The page has of the browser's interface what the script uses, and nothing else.
"""

import json
from collections.abc import Callable

import pytest
from py_mini_racer import MiniRacer

from sim.reports.html import TABLES

PAGE = """
class Cell {
  constructor(text) {
    this.textContent = text;
    this.classes = [];
    this.classList = { add: (name) => this.classes.push(name) };
    this.attributes = {};
    this.listeners = {};
  }
  getAttribute(name) { return this.attributes[name] ?? null; }
  setAttribute(name, value) { this.attributes[name] = value; }
  removeAttribute(name) { delete this.attributes[name]; }
  addEventListener(name, listener) { this.listeners[name] = listener; }
  closest(name) { return table; }
}
const titles = TITLES.map((text) => new Cell(text));
titles.forEach((title, column) => {
  title.cellIndex = column;
  title.parentElement = { querySelectorAll: () => titles };
});
const body = { rows: ROWS.map((texts) => ({ cells: texts.map((text) => new Cell(text)) })) };
body.append = (...rows) => { body.rows = [...body.rows.filter((row) => !rows.includes(row)), ...rows]; };
const table = { tBodies: [body] };
const cells = body.rows.flatMap((row) => row.cells);
const document = { querySelectorAll: (what) => (what === "table:not([class]) th" ? titles : cells) };
const shown = (column) => JSON.stringify(body.rows.map((row) => row.cells[column].textContent));
"""


@pytest.fixture
def table_of() -> Callable[..., MiniRacer]:
    """Make a page with one table, given its rows, on which the script has run."""

    def make(*rows: tuple[str, ...]) -> MiniRacer:
        titles = [f"title {column}" for column in range(len(rows[0]))]
        page = MiniRacer()
        page.eval(PAGE.replace("TITLES", json.dumps(titles)).replace("ROWS", json.dumps(rows)))
        page.eval(TABLES.read_text(encoding="utf-8"))
        return page

    return make


def click(page: MiniRacer, column: int) -> list[str]:
    """What a column shows once its title was clicked."""
    page.eval(f"titles[{column}].listeners.click()")
    return json.loads(str(page.eval(f"shown({column})")))


@pytest.mark.parametrize(
    "ascending",
    [
        ["0.92", "1.08", "640.5", "8,320.0", "1,050,000"],
        ["−0.22 ± 0.61, undecided", "-0.05 ± 0.23", "+0.64 ± 0.12, holds", "+1.11"],
        ["3.0 (2)", "24.0 (10)", "100.1 (3)"],
        ["9.5%", "53%", "266.41%"],
        ["0.95: post over apot", "0.95: post over uniform", "1.05: pot over apot"],
        ["3 × 3, array of 8 × 8", "4 × 4, array of 8 × 8", "4 × 4, array of 16 × 16"],
        ["2", "10", "post", "uniform"],  # numbers before words
        ["block2.conv1", "block10.conv1", "Stem"],
    ],
    ids=lambda texts: texts[0],
)
def test_a_click_sorts_and_another_turns_round(ascending: list[str], table_of: Callable[..., MiniRacer]) -> None:
    """Numbers are in the order of their size, cells without a value last both times."""
    missing = ["–", "not measured", ""]
    given = [missing[0], *ascending[::2], missing[1], *ascending[1::2], missing[2]]
    page = table_of(*((text, str(place)) for place, text in enumerate(given)))
    assert click(page, 0) == ascending + missing
    assert page.eval("titles[0].getAttribute('aria-sort')") == "ascending"
    assert click(page, 0) == ascending[::-1] + missing
    assert page.eval("titles[0].getAttribute('aria-sort')") == "descending"
    assert click(page, 0) == ascending + missing


def test_rows_stay_whole_and_one_column_at_a_time_is_marked(table_of: Callable[..., MiniRacer]) -> None:
    page = table_of(("b", "2"), ("a", "3"), ("c", "1"))
    assert click(page, 1) == ["1", "2", "3"] and json.loads(str(page.eval("shown(0)"))) == ["c", "b", "a"]
    assert click(page, 0) == ["a", "b", "c"] and json.loads(str(page.eval("shown(1)"))) == ["3", "2", "1"]
    assert page.eval("titles.map((title) => title.getAttribute('aria-sort')).join()") == "ascending,"


def test_the_keyboard_sorts_too_and_other_keys_do_not(table_of: Callable[..., MiniRacer]) -> None:
    page = table_of(("10",), ("9",))
    press = "titles[0].listeners.keydown({ key: '%s', preventDefault() {} }); shown(0)"
    assert page.eval(press % "Tab") == '["10","9"]'
    assert page.eval(press % "Enter") == '["9","10"]'
    assert page.eval(press % " ") == '["10","9"]'


def test_values_and_short_and_long_cells_are_marked(table_of: Callable[..., MiniRacer]) -> None:
    page = table_of(("85.66 ± 0.25", "x" * 32, "x" * 60, "x" * 100))
    assert page.eval("cells.map((cell) => cell.classes.join()).join(';')") == "value,short;short;;long"
