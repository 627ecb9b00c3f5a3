"""The `train` command run by a study, in a process of its own, so that a failure does not take the study along."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import TextIO, cast

from asq_model.common.errors import InputError
from asq_model.common.files import PACKAGES
from asq_model.common.progress import TRAINING, Bar

ERROR = "error: "  # what the one line of a command that failed begins with


def words_of(options: Mapping[str, object]) -> list[str]:
    """Options and their values as a command line has them; those without a value are left out."""
    return [word for name, value in options.items() if value is not None for word in (name, str(value))]


def run_train(words: Sequence[str], bar: Bar) -> None:
    """Run the `train` command in a process of its own; what it prints goes to the bar, its progress as a note.

    Raises InputError with the last line that it printed.
    """
    command = [sys.executable, "-m", "asq_model", "train", *words]
    last, null, pipe = "", subprocess.DEVNULL, subprocess.PIPE
    with subprocess.Popen(command, stdout=null, stderr=pipe, cwd=PACKAGES, text=True, errors="replace") as process:
        for line in cast(TextIO, process.stderr):
            last = line.rstrip() or last
            if line.startswith(f"{TRAINING}: "):
                bar.advance(0, line.rstrip())
            elif not line.startswith(ERROR):  # which is raised
                bar.say(line.rstrip())
    if process.returncode:
        raise InputError(last.removeprefix(ERROR) or f"train ended with {process.returncode}")
