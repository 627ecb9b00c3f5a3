"""Extras of the package: a missing one is one line with the command that installs it, and every import is declared."""

import ast
import subprocess
import sys
import tomllib

import pytest
from conftest import ROOT, some

from asq_model.common.extras import EXTRA_OF, how_to_install

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
# As where only the package's own wheel is installed: no module and no distribution of an optional part.
BARE = """
import importlib.metadata as metadata, runpy, sys
from asq_model.common.extras import EXTRA_OF
installed = metadata.version
def version(name):
    if name in EXTRA_OF:
        raise metadata.PackageNotFoundError(name)
    return installed(name)
metadata.version = version
sys.modules |= dict.fromkeys(EXTRA_OF)
package, *sys.argv[1:] = sys.argv[1:]
runpy.run_module(package, run_name="__main__")
"""


def bare(*words, cwd):
    command = [sys.executable, "-c", BARE, *map(str, words)]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment)


def test_verilog_needs_no_extra(tmp_path):
    done = bare("hw", "verilog", cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.split()[0] == "build/verilog/post_mac_w3a3.v", done.stderr


# By command: the extra that it needs, which is not there.
MISSING = {
    "asq_model train": "train",
    "asq_model export": "train",
    "asq_model bench": "train",
    "asq_model parity": "train",
    "asq_model arithmetic": "train",
    "asq_model trained-out": "train",
    "asq_model figures": "train",
    "asq_model onnx x.safetensors": "train",
    "sim tools": "sim",
    f"sim run {ROOT / 'sim' / 'golden' / 'digits_post3_a3_seed0'}": "sim",
    "sim synth --targets xc7": "synth",
    "sim sweep --targets xc7": "synth",
    "sim report": "synth",
    "sim unrolled": "synth",
}
USUAL = ("asq_model train", "asq_model onnx x.safetensors", "sim tools", "sim synth --targets xc7", "sim unrolled")


@pytest.mark.parametrize("words", [some(words, USUAL, " ".join(words.split()[:2])) for words in MISSING])
def test_a_missing_extra_is_one_line_with_the_command_that_installs_it(words, tmp_path):
    done = bare(*words.split(), cwd=tmp_path)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 2 and last.startswith("error: ") and "Traceback" not in done.stderr, done.stderr
    assert f"not installed beside this Python; pip install 'asq-post[{MISSING[words]}]'" in last


def distribution(requirement):
    return requirement.partition("[")[0].partition(">")[0].strip()


def test_every_extra_s_distributions_are_known():
    for extra in set(EXTRAS) - {"test", "docs"}:
        for name in map(distribution, EXTRAS[extra]):
            assert name == "asq-post" or EXTRA_OF[name] == extra, name


def test_what_every_installation_has_belongs_to_no_extra():
    assert not EXTRA_OF.keys() & set(map(distribution, PROJECT["dependencies"]))


def test_every_import_is_of_a_declared_distribution():
    """By the names of modules; the tests' extra is for the tests."""
    own = {"asq_model", "hw", "sim"} | {distribution(name) for name in PROJECT["dependencies"]}
    for package in ("asq_model", "hw", "sim"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module] if isinstance(node, ast.ImportFrom) else []
                for first in {name.partition(".")[0] for name in names}:
                    assert first in own or first in sys.stdlib_module_names or first in EXTRA_OF, f"{path}: {first}"


def test_an_unknown_module_is_said_to_be_missing():
    assert how_to_install("spam.eggs") == "spam.eggs is not installed beside this Python"
