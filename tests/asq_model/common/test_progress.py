"""A bar for a terminal, lines for a log: the same work."""

import os
import pty
import subprocess
import sys

import pytest
from conftest import ROOT

from asq_model.common import progress
from asq_model.common.progress import LogBar, progress_bar

WORK = """
from asq_model.common.progress import progress_bar
with progress_bar("solving") as bar:
    bar.say("before")
    bar.expect(4, done=1)
    for number in range(3):
        bar.advance(note=f"layer {number}")
        bar.say(f"  layer {number} is [solved]")
print("done")
"""


def test_a_log_gets_lines_and_no_escape_codes():
    done = subprocess.run([sys.executable, "-c", WORK], capture_output=True, text=True, cwd=ROOT)
    assert done.stderr.splitlines() == ["before", *(f"  layer {number} is [solved]" for number in range(3))]
    assert done.stdout == "done\n"


def test_a_terminal_gets_one_labelled_bar_with_its_total_and_the_lines():
    parent, child = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "80"}
    process = subprocess.Popen([sys.executable, "-c", WORK], stderr=child, stdout=child, cwd=ROOT, env=environment)
    os.close(child)
    shown = b""
    while True:
        try:
            part = os.read(parent, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(parent)
    assert process.wait() == 0
    text = shown.decode()
    assert "solving" in text and "4/4" in text and "  layer 2 is [solved]" in text and "before" in text


def test_a_log_is_told_now_and_then_where_long_work_stands(monkeypatch, capsys):
    now = iter([0.0, 5.0, 25.0, 25.0, 30.0, 50.0, 50.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    bar = LogBar("training")
    bar.expect(100, done=50)
    for _ in range(4):
        bar.advance(5, "loss 1.0")
    assert capsys.readouterr().err.splitlines() == [
        "training: 60 of 100, loss 1.0, 0:01:40 left",
        "training: 70 of 100, loss 1.0, 0:01:15 left",
    ]


def test_a_quiet_bar_shows_nothing(capsys):
    with progress_bar("training", quiet=True) as bar:
        bar.expect(2)
        bar.say("a line")
        bar.advance()
    assert capsys.readouterr() == ("", "")


def test_what_ends_the_work_ends_the_bar(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with pytest.raises(KeyError), progress_bar("solving") as bar:
        bar.expect(1)
        assert bar.progress.live.is_started
        raise KeyError
    assert not bar.progress.live.is_started
