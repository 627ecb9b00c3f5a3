"""What is kept from an earlier run names every source that it depends on: those that its modules import."""

import ast
from functools import cache
from pathlib import Path

import pytest
from conftest import ROOT

from asq_model.config import fingerprints
from hw.emit import SOURCES as GENERATOR
from sim.engine import simulate_network
from sim.explore import measure_design
from sim.measure import switching
from sim.runner import bench_runner, jobs
from sim.unrolled import layer

# How and where files are stored and what is said changes no figure: what is stored has a format of its own, and is made
# again if it does not fit.
STORAGE = {"asq_model/common", "sim/explore/design_rows.py", "sim/workspace.py"}
BENCHES = [f"sim.benches.{name}" for name in set(jobs.BENCHES.values())]
# (modules that make the result, sources that its key is of, imports that decide nothing)
KEPT = {
    "a checkpoint": (["asq_model.training.train"], fingerprints.TRAINING_SOURCES, STORAGE),
    "a network in integers": (["asq_model.export.network_graph"], fingerprints.EXPORT_SOURCES, STORAGE),
    "a simulated network": (["sim.engine.simulate_network"], [*simulate_network.SOURCES, *GENERATOR], STORAGE),
    "golden vectors": (["asq_model.export.golden_checkpoint"], fingerprints.EXPORT_SOURCES, STORAGE),
    "emitted Verilog": (["hw.emit", "hw.catalogue", "hw.cycle_counter"], GENERATOR, STORAGE),
    "a row of a comparison": (
        ["sim.explore.measure_design"],
        [*measure_design.ROW_SOURCES, *GENERATOR],
        STORAGE,
    ),
    "the outcome of a bench": (
        ["sim.runner.bench_runner", *BENCHES],
        [*bench_runner.BENCH_SOURCES, *GENERATOR],
        STORAGE,
    ),
    "the switching of gates": (["sim.measure.switching"], [*switching.SOURCES, *GENERATOR], STORAGE),
    # Area and clock have keys of their own; the generator's are imported by what places units.
    "an adder graph": (
        ["sim.unrolled.layer"],
        [*layer.SOURCES, *GENERATOR],
        STORAGE | {f"sim/measure/{name}.py" for name in ("yosys_area", "nextpnr_clock", "fpga_families", "tools")},
    ),
}


def file_of(module: str) -> Path | None:
    """A module of this tree, None for others."""
    base = ROOT.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


@cache
def imported(path: Path) -> set[Path]:
    """The files of this tree that a file imports, at any depth of its code."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        found |= set(filter(None, map(file_of, names)))
    return found


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
    return sorted(name for name in names if not any(name == other or name.startswith(f"{other}/") for other in exempt))


@pytest.mark.parametrize("modules, sources, exempt", KEPT.values(), ids=KEPT)
def test_a_key_covers_what_the_result_depends_on(modules, sources, exempt):
    assert left_out(modules, sources, exempt) == []


def test_a_source_that_is_left_out_is_seen():
    without = [source for source in measure_design.ROW_SOURCES if source.name != "design.py"]
    seen = left_out(["sim.explore.measure_design"], [*without, *GENERATOR], STORAGE)
    assert seen == ["sim/explore/design.py"]
    without = [source for source in fingerprints.EXPORT_SOURCES if source.name != "spec"]
    assert "asq_model/spec/levels.py" in left_out(["asq_model.export.golden_checkpoint"], without, STORAGE)


def test_every_source_is_there():
    """A folder that is gone has no files, and no error."""
    assert [source for _, sources, _ in KEPT.values() for source in sources if not source.exists()] == []
