"""Ctrl-C, which a terminal sends to a program and all its children: one line, status 130, nothing left running."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from conftest import ROOT

BEGIN_S = 120  # a program that is not interrupted by then never will be
# Stand-ins: what is measured waits in a program of its own, as synthesis does.
SYNTH = """
import subprocess, sys
import sim.explore.sweep
from asq_model.common.command_line import run
from sim.explore.measure_design import describe_task

def measure(task, root):
    print("begun", file=sys.stderr, flush=True)
    subprocess.run(["sleep", "60"])
    return describe_task(task)

sim.explore.sweep.measure = measure
if __name__ == "__main__":
    sys.argv = ["sim", "synth", "--targets", "xc7", "--root", sys.argv[1]]
    run("sim.cli", "python -m sim")
"""
POOL = """
import subprocess, sys, types
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from asq_model.common.child_processes import end_on_interrupt, interrupts_held
from asq_model.common.command_line import run

def work(number):
    print("begun", file=sys.stderr, flush=True)
    subprocess.run(["sleep", "60"])

def cli():
    with ProcessPoolExecutor(2, get_context("spawn"), end_on_interrupt) as pool:
        with interrupts_held():
            started = pool.map(work, range(4))
        list(started)

if __name__ == "__main__":
    cli.main = lambda **_: cli()
    sys.modules["stand_in"] = types.SimpleNamespace(cli=cli)
    run("stand_in", "stand-in")
"""


def heed_interrupts():
    """Let a child process end on Ctrl-C, which a process that a shell started in the background ignores."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for_begun(process):
    """Read what a program says until its first child has begun; end it and fail where none does in time."""
    said = []
    limit = threading.Timer(BEGIN_S, os.killpg, (process.pid, signal.SIGKILL))
    limit.start()
    for line in process.stderr:
        said.append(line)
        if "begun" in line:
            limit.cancel()
            return
    limit.cancel()
    pytest.fail(f"no child began within {BEGIN_S} s: {''.join(said)}")


@pytest.mark.parametrize("program", [SYNTH, POOL], ids=["synth", "pool"])
def test_one_line_and_nothing_left_running(program, tmp_path):
    script = tmp_path / "program.py"
    script.write_text(program)
    process = subprocess.Popen(
        [sys.executable, script, tmp_path / "build"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        start_new_session=True,
        preexec_fn=heed_interrupts,  # noqa: PLW1509 -- it only sets a signal's handler
    )
    wait_for_begun(process)
    time.sleep(1)  # the second child begins, too
    os.killpg(process.pid, signal.SIGINT)
    try:
        _, said = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode == 130, said
    lines = [line for line in said.split("\n") if line and "begun" not in line]
    assert lines == ["interrupted"], said
    with pytest.raises(ProcessLookupError):
        for _ in range(50):
            os.killpg(process.pid, 0)
            time.sleep(0.1)


def test_while_a_command_loads():
    """An import that is interrupted has no traceback either."""
    code = (
        "import os, signal, sys, types\nfrom asq_model.common.command_line import run\n"
        "class Loader:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'late':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Loader())\n"
        "run('late', 'late')"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, preexec_fn=heed_interrupts)
    assert (done.returncode, done.stderr) == (130, "interrupted\n")
