"""Which package may import which, and what the Makefile offers."""

import ast
import importlib
import subprocess
import sys

import pytest
from conftest import ROOT

TORCH_FREE = ("common", "spec", "__version__")  # the two folders of asq_model that hardware is built and checked with


def imports(path):
    """Every module that a file imports, at any depth of its code."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            whole = node.module in ("asq_model", "hw", "sim")
            yield from (f"{node.module}.{alias.name}" for alias in node.names) if whole else (node.module,)


@pytest.mark.parametrize("package", ["hw", "sim"])
def test_hw_and_sim_import_only_the_torch_free_part_of_asq_model(package):
    for path in (ROOT / package).rglob("*.py"):
        for name in imports(path):
            first, *rest = name.split(".")
            assert first != "torch", path
            assert first != "asq_model" or rest[0] in TORCH_FREE, f"{path} imports {name}"


def test_the_torch_free_part_is_free_of_torch():
    for name in ("common", "spec"):
        for path in (ROOT / "asq_model" / name).rglob("*.py"):
            assert not [module for module in imports(path) if module.split(".")[0] in ("torch", "sklearn")], path


def test_what_a_package_offers_is_there():
    for package in ("asq_model", "hw", "sim"):
        for path in (ROOT / package).rglob("__init__.py"):
            module = importlib.import_module(".".join(path.parent.relative_to(ROOT).parts))
            assert [name for name in getattr(module, "__all__", ()) if not hasattr(module, name)] == [], path


def test_asq_model_imports_neither_hw_nor_sim_and_hw_not_sim():
    for package, others in (("asq_model", {"hw", "sim"}), ("hw", {"sim"})):
        for path in (ROOT / package).rglob("*.py"):
            assert not others & {name.split(".")[0] for name in imports(path)}, path


def test_every_module_of_hw_and_sim_loads_without_torch():
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for package in ("hw", "sim")
        for path in (ROOT / package).rglob("*.py")
        if path.name != "__init__.py" and "benches" not in path.parts  # benches load inside the simulator
    ]
    code = f"import sys, importlib\nfor m in {modules!r}: importlib.import_module(m)\nassert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_make_help_lists_every_target():
    text = (ROOT / "Makefile").read_text()
    targets = next(line for line in text.splitlines() if line.startswith(".PHONY")).split()[1:]
    done = subprocess.run(["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True)
    *lines, options = done.stdout.splitlines()
    assert [line.split()[1] for line in lines] == targets
    assert options.startswith("Options ") and max(map(len, (*lines, options))) <= 80
