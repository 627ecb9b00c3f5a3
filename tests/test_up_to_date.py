"""What is kept from an earlier run names every source that it depends on: those that its modules import."""

import ast
from pathlib import Path

import pytest
from conftest import ROOT

from asq_model import golden, recipe
from hw.emit import SOURCES as GENERATOR
from sim import energy, measure, run, unrolled

# How files are stored changes no figure: what is stored has a format of its own, and is made again if it does not fit.
STORAGE = {"asq_model/files.py", "asq_model/records.py", "sim/rows.py"}
STORAGE |= {"asq_model/extras.py"}  # says which package is missing
READER = {path.relative_to(ROOT).as_posix() for path in golden.READER}
BENCHES = [f"sim.benches.{name}" for name in set(run.BENCHES.values())]
# (modules that make the result, sources that its key is of, imports that decide nothing)
KEPT = {
    "a checkpoint": (["asq_model.train"], [recipe.ROOM / name for name in recipe.TRAINING_SOURCES], STORAGE),
    "golden vectors": (["asq_model.export"], [recipe.ROOM / name for name in recipe.EXPORT_SOURCES], STORAGE),
    # What a trained layer puts into a block is in the key by its digest.
    "emitted Verilog": (["hw.emit", "hw.units", "hw.counter"], GENERATOR, STORAGE | READER),
    "a row of a comparison": (["sim.measure"], [*measure.ROW_SOURCES, *GENERATOR], STORAGE),
    "the outcome of a bench": (["sim.run", *BENCHES], [*run.BENCH_SOURCES, *GENERATOR], STORAGE),
    "the switching of gates": (["sim.energy"], [*energy.SOURCES, *GENERATOR], STORAGE),
    # Area and clock have keys of their own; the generator's are imported by what places units.
    "an adder graph": (["sim.unrolled"], [*unrolled.SOURCES, *GENERATOR], STORAGE | {"sim/synth.py", "sim/place.py"}),
}


def file_of(module: str) -> Path | None:
    """A module of this tree, None for others."""
    base = ROOT.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def imported(path: Path):
    """The files of this tree that a file imports, at any depth of its code."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        yield from filter(None, map(file_of, names))


def everything(modules: list[str]) -> set[Path]:
    """The modules and all that they import, directly or not."""
    found, todo = set(), [file_of(module) for module in modules]
    while todo:
        path = todo.pop()
        if path not in found and path.stat().st_size:
            found.add(path)
            todo += imported(path)
    return found


def left_out(modules: list[str], sources: list[Path], exempt: set[str]) -> list[str]:
    """Names of the files that the modules import and no source covers."""
    covered = {source.resolve() for source in sources}
    names = {
        path.relative_to(ROOT).as_posix()
        for path in everything(modules)
        if not covered & {path.resolve(), *path.resolve().parents}
    }
    return sorted(names - exempt - {"sim/__init__.py"})


@pytest.mark.parametrize("modules, sources, exempt", KEPT.values(), ids=KEPT)
def test_a_key_covers_what_the_result_depends_on(modules, sources, exempt):
    assert left_out(modules, sources, exempt) == []


def test_a_source_that_is_left_out_is_seen():
    without = [source for source in measure.ROW_SOURCES if source.name != "designs.py"]
    assert left_out(["sim.measure"], [*without, *GENERATOR], STORAGE) == ["sim/designs.py"]
    without = [recipe.ROOM / name for name in recipe.EXPORT_SOURCES if name != "export_maps.py"]
    assert left_out(["asq_model.export"], without, STORAGE) == ["asq_model/export_maps.py"]


def test_every_source_is_there():
    """A folder that is gone has no files, and no error."""
    assert [source for _, sources, _ in KEPT.values() for source in sources if not source.exists()] == []
