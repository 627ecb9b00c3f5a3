"""Commands that measurements run: a failure is one line, and what a command prints can be read while it runs."""

import os
from pathlib import Path

import pytest

from asq_model.common.errors import InputError
from sim.measure.tools import run_tool
from sim.runner.failures import find_first_error
from sim.runner.runtime import verilate


def test_what_cannot_be_done_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"false failed in {tmp_path}: it ended with 1"):
        run_tool(["false"], tmp_path)
    with pytest.raises(InputError, match=r"sh failed in .*: an error$"):
        run_tool(["sh", "-c", "echo begin; echo an error >&2; echo end >&2; exit 1"], tmp_path)


def test_a_tool_that_is_killed_is_told_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says nothing of an error: the status is what is known."""
    assert find_first_error("", -9) == "it ended with -9"
    assert find_first_error("%Warning\n%Error: no such file\n%Error: Exiting\n", 1) == "%Error: no such file"
    (tmp_path / "verilator").write_text("#!/bin/sh\nkill -9 $$\n")
    (tmp_path / "verilator").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(InputError, match=f"Verilator could not build a design in {tmp_path}: it ended with -9"):
        verilate("a design", [], tmp_path)


def test_what_a_command_prints_is_there_while_it_runs(tmp_path: Path) -> None:
    run_tool(["/bin/sh", "-c", "echo placing; cp sh.log seen"], tmp_path)
    assert (tmp_path / "seen").read_text() == "placing\n"
