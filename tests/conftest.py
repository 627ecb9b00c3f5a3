"""Shared by all tests: command lines as a user runs them, a small trained network, one build folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]


def pytest_addoption(parser):
    parser.addoption("--exhaustive", action="store_true", help="every configuration, not a few of each")


def pytest_configure(config):
    exhaustive = config.getoption("exhaustive")
    settings.register_profile("usual", max_examples=60, derandomize=True)
    settings.register_profile("exhaustive", max_examples=400, derandomize=True)
    settings.load_profile("exhaustive" if exhaustive else "usual")


def pytest_collection_modifyitems(config, items):
    """Tests marked `exhaustive` are for `make verify`: without the option they are not collected."""
    if config.getoption("exhaustive"):
        return
    left = [item for item in items if item.get_closest_marker("exhaustive")]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in set(left)]


def pytest_collection_finish(session):
    """Tests of one group share a folder. pytest-xdist puts groups into node ids, which some versions of pytest ignore:
    they would run side by side, and fail now and then."""
    if getattr(session.config.option, "loadgroup", False):
        apart = [
            item.nodeid for item in session.items if item.get_closest_marker("xdist_group") and "@" not in item.nodeid
        ]
        if apart:
            pytest.exit(f"this pytest does not keep pytest-xdist's groups together: {apart[0]}", returncode=3)


@pytest.fixture(scope="session")
def build_root() -> Path:
    """One build folder for all workers: a configuration is built once, and a later run of the tests reuses it."""
    return ROOT / "build" / "test"


@pytest.fixture
def command():
    """Run `python -m <package> …` as a user does; returns the finished process."""

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
def refused(command):
    """Run a command that must fail: one line on stderr that starts with `error:`, status 2. Returns the line."""

    def run(*words, **kwargs):
        done = command(*words, **kwargs)
        assert done.returncode == 2, done.stdout + done.stderr
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1 and lines[0].startswith("error: "), done.stderr
        return lines[0]

    return run


@pytest.fixture(scope="session")
def small_recipe():
    """Enough training to have real weights, scales and β; not enough for accuracy."""
    from asq_model.config.recipe import Recipe

    return Recipe(full_precision_epochs=1, quantised_epochs=1)


@pytest.fixture(scope="session")
def small_checkpoint(small_recipe, tmp_path_factory) -> Path:
    from asq_model.training.train import train

    path = tmp_path_factory.mktemp("checkpoint") / "small.safetensors"
    train(small_recipe, path)
    return path


@pytest.fixture(scope="session")
def small_golden(small_checkpoint, tmp_path_factory) -> Path:
    from asq_model.export.golden_layers import export

    folder = tmp_path_factory.mktemp("golden") / "small"
    export(small_checkpoint, folder)
    return folder
