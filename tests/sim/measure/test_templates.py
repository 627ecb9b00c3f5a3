"""Templates of Verilog and C++: holes are named, and every file of them comes with the package."""

import tomllib
from fnmatch import fnmatch

import pytest

from asq_model.common.files import PACKAGES
from sim.measure.templates import fill_template


def test_a_hole_is_braced_and_has_to_be_filled(tmp_path):
    (tmp_path / "x.v").write_text('initial $display("%h", {a, $signed(a)}); wire [${width}-1:0] a;\n')
    filled = fill_template(tmp_path / "x.v", width=4)
    assert filled == 'initial $display("%h", {a, $signed(a)}); wire [4-1:0] a;\n'
    with pytest.raises(KeyError):
        fill_template(tmp_path / "x.v", other=4)


def test_every_template_comes_with_the_package():
    patterns = tomllib.loads((PACKAGES / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["sim"]
    texts = [
        path
        for suffix in ("v", "cpp", "h", "mk", "j2", "md", "svg", "vlt", "sh")
        for path in (PACKAGES / "sim").rglob(f"*.{suffix}")
    ]
    names = [path.relative_to(PACKAGES / "sim").as_posix() for path in texts]
    assert len(names) > 10
    assert not [name for name in names if not any(fnmatch(name, pattern) for pattern in patterns)]
