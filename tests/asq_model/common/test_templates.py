"""Templates of pages: what a page names it gets, and a tag leaves no line."""

import tomllib
from fnmatch import fnmatch

import pytest
from jinja2 import UndefinedError

from asq_model.common.files import PACKAGES
from asq_model.common.templates import render_template


@pytest.fixture
def template(tmp_path):
    path = tmp_path / "page.md.j2"
    path.write_text("# {{ title }}\n\n{% if rows %}\n- {{ rows | join(', ') }}\n{% endif %}\n", encoding="utf-8")
    return path


def test_values_stand_in_their_places_and_tags_leave_no_lines(template):
    assert render_template(template, title="<a> & b", rows=[1, 2]) == "# <a> & b\n\n- 1, 2\n"
    assert render_template(template, title="none", rows=[]) == "# none\n\n"


def test_a_value_that_is_missing_is_an_error(template):
    with pytest.raises(UndefinedError, match="'rows' is undefined"):
        render_template(template, title="x")


def test_every_template_comes_with_the_package():
    patterns = tomllib.loads((PACKAGES / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    names = [path.relative_to(PACKAGES / "asq_model").as_posix() for path in (PACKAGES / "asq_model").rglob("*.j2")]
    assert "studies/runs.md.j2" in names
    assert not [name for name in names if not any(fnmatch(name, pattern) for pattern in patterns["asq_model"])]
