"""Shared by all tests: command lines as a user runs them, a small trained network, one build folder."""

import contextlib
import gc
import io
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from few_golden import write_few
from hypothesis import settings

from asq_model.common import command_line
from asq_model.common.files import hold_lock

ROOT = Path(__file__).parents[1]


def pytest_addoption(parser):
    parser.addoption("--exhaustive", action="store_true", help="all of each kind, not one or a few")
    parser.addoption("--write-digests", action="store_true", help="write tests/hw/emitted_digests.json anew")
    parser.addoption(
        "--triton", action="store_true", help="kernels in Triton's interpreter: pip install 'asq-post[gpu]'"
    )


def pytest_configure(config):
    # No deadline: how long an example takes depends on the machine, and the first one may compile or load something.
    exhaustive = config.getoption("exhaustive")
    settings.register_profile("usual", max_examples=25, derandomize=True, deadline=None)
    settings.register_profile("exhaustive", max_examples=400, derandomize=True, deadline=None)
    settings.load_profile("exhaustive" if exhaustive else "usual")


def pytest_ignore_collect(collection_path, config):
    """Kernels are tested where Triton is asked for: it comes with torch for CUDA only."""
    return True if collection_path.name == "test_fused_functions.py" and not config.getoption("triton") else None


def pytest_collection_modifyitems(config, items):
    """Tests marked `exhaustive` are for `make verify`: without the option they are not collected."""
    if config.getoption("exhaustive"):
        return
    left = [item for item in items if item.get_closest_marker("exhaustive")]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if not item.get_closest_marker("exhaustive")]


def pytest_collection_finish(session):
    """Tests of one group share a folder. pytest-xdist puts groups into node ids, which some versions of pytest ignore:
    they would run side by side, and fail now and then."""
    gc.collect()
    gc.freeze()  # what has been imported stays: every later collection would look through it again
    if getattr(session.config.option, "loadgroup", False):
        apart = [
            item.nodeid for item in session.items if item.get_closest_marker("xdist_group") and "@" not in item.nodeid
        ]
        if apart:
            pytest.exit(f"this pytest does not keep pytest-xdist's groups together: {apart[0]}", returncode=3)


@pytest.fixture(scope="session", autouse=True)
def yosys_in_process():
    """Verilog is written without a process for each file."""
    import yosys_in_process
    from amaranth._toolchain.yosys import _BuiltinYosys

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_BuiltinYosys, "run", staticmethod(yosys_in_process.run))
        yield


@pytest.fixture(scope="session")
def build_root() -> Path:
    """One build folder for all workers: a configuration is built once, and a later run of the tests reuses it."""
    return ROOT / "build" / "test"


def some(value, usual, name: str):
    """A parameter of a test, or a tuple of several: tried each time if it is among the usual, else by `make verify`."""
    values = value if isinstance(value, tuple) else (value,)
    return pytest.param(*values, id=name, marks=[] if value in usual else [pytest.mark.exhaustive])


@pytest.fixture(scope="session")
def mutants_root(build_root) -> Path:
    """Where broken units are built, apart from the right ones of the same names."""
    return build_root / "mutants"


@pytest.fixture
def process():
    """Run `python -m <package> …` in a process of its own, as a user does; returns the finished process."""

    def run(*words, cwd=ROOT, **env):
        return subprocess.run(
            [sys.executable, "-m", *map(str, words)],
            cwd=cwd,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | env,
        )

    return run


@pytest.fixture
def command(monkeypatch):
    """Run `python -m <package> …` within this process, which has imported most of what it needs; returns what a process
    of its own would: exit status and what was printed."""

    def run(package, *words, cwd=ROOT):
        monkeypatch.setattr(sys, "argv", [package, *map(str, words)])
        printed, said = io.StringIO(), io.StringIO()
        with contextlib.chdir(cwd), redirect_stdout(printed), redirect_stderr(said), pytest.raises(SystemExit) as ended:
            command_line.run(f"{package}.cli", f"python -m {package}")
        status = ended.value.code or 0
        return subprocess.CompletedProcess([package, *words], status, printed.getvalue(), said.getvalue())

    return run


@pytest.fixture
def refused(command):
    """Run a command that must fail: one line on stderr that starts with `error:`, status 2. Returns the line."""

    def run(*words, **kwargs):
        return refusal(command(*words, **kwargs))

    return run


def refusal(done: subprocess.CompletedProcess) -> str:
    """The line that says why a command did nothing."""
    assert done.returncode == 2, done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), done.stderr
    return lines[0]


@pytest.fixture(scope="session")
def small_recipe():
    """Enough training to have real weights, scales and β; not enough for accuracy."""
    from asq_model.config.recipe import Recipe

    return Recipe(full_precision_epochs=1, quantised_epochs=1)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory, worker_id):
    """Make a file or a folder in one worker; the others wait for it. `make` is given the path.

    What a killed worker left half made is made anew.
    """
    # pytest-xdist gives each worker a folder within the run's.
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "made"

    def made(name, make):
        with hold_lock(folder / f"{name}.lock"):
            if not (whole := folder / f"{name}.whole").exists():
                shutil.rmtree(folder / name, ignore_errors=True)
                make(folder / name)
                whole.touch()
        return folder / name

    return made


@pytest.fixture(scope="session")
def small_checkpoint(small_recipe, made_once) -> Path:
    def make(path):
        from asq_model.training.train import train

        train(small_recipe, path)

    return made_once("small.safetensors", make)


@pytest.fixture(scope="session")
def small_golden(small_checkpoint, made_once) -> Path:
    def make(path):
        from asq_model.export.golden_checkpoint import export

        export(small_checkpoint, path)

    return made_once("small", make)


@pytest.fixture(scope="session")
def few_golden(small_golden, made_once) -> Path:
    return made_once("few", lambda path: write_few(small_golden, path))


@pytest.fixture(scope="session")
def tiny_engine(made_once):
    """Write a small network's engine by its command, once for all tests that look at it with the same options.

    Returns the paths that the command prints.
    """

    def written(*options: str) -> list[Path]:
        from networks import TINY, write_tiny_network

        from hw.cli import cli
        from hw.engine.presets import presets

        def make(folder: Path) -> None:
            printed = io.StringIO()
            write_tiny_network(folder / "graph")
            with redirect_stdout(printed), pytest.MonkeyPatch.context() as patch:
                patch.setitem(presets(), "tiny", TINY)
                words = ["engine", str(folder / "graph"), "--preset", "tiny", *options, "--out", str(folder / "out")]
                cli.main(words, standalone_mode=False)
            (folder / "printed").write_text(printed.getvalue())

        folder = made_once("-".join(["engine", *options]), make)
        return [Path(line) for line in (folder / "printed").read_text().splitlines()]

    return written
