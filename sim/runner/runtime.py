"""Verilator's runtime, which is the same for every design: compiled once for all builds with the same tools."""

import os
import shutil
import subprocess
from pathlib import Path

from asq_model.common.errors import InputError
from asq_model.common.files import hold_lock
from sim.runner.failures import find_first_error

HEADER = Path(__file__).with_name("runtime.h")
RULES = Path(__file__).with_name("runtime.mk")
PRECOMPILED = f"{HEADER.name}.gch"
# For Verilator. One C++ file a design: split, its files would be precompiled together instead of with the runtime.
VERILATOR_OPTIONS = ["--output-split", "0", "-CFLAGS", f"-include {HEADER.name}"]


def make(words: list[str], folder: Path, log: Path | None = None) -> None:
    """Run make in a folder. Raises InputError with the first error that it names."""
    done = subprocess.run(["make", "-C", str(folder), *words], capture_output=True, text=True)
    output = done.stdout + done.stderr
    if log is not None:
        with log.open("a") as file:
            file.write(output)
    if done.returncode:
        raise InputError(f"make failed in {folder}: {find_first_error(output, done.returncode)}")


def compile_design(folder: Path, makefile: str, target: str, options: list[str], runtime: Path, log: Path) -> None:
    """Compile what Verilator wrote to `folder`, with the runtime in the folder `runtime`, made if it is not there.

    options: variables of make. Raises InputError when the compiler fails.
    """
    shutil.copy(HEADER, folder)
    with hold_lock(runtime.with_name(f"{runtime.name}.lock")):
        if not runtime.exists():
            make(["-j", str(os.cpu_count()), "-f", makefile, "-f", str(RULES), "runtime", *options], folder, log)
            keep(folder, runtime)
    for item in runtime.glob("*.o"):
        shutil.copy(item, folder)  # newer than the design's headers: make leaves it alone
    (folder / PRECOMPILED).unlink(missing_ok=True)
    (folder / PRECOMPILED).symlink_to((runtime / PRECOMPILED).resolve())
    make(["-f", makefile, target, *options], folder, log)


def verilate(what: str, words: list[str], folder: Path) -> None:
    """Let Verilator write the C++ of `what`, for a program that has a `main` of its own; it runs in a folder.

    Raises InputError with its first error.
    """
    done = subprocess.run(["verilator", "--cc", "--exe", *words], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        reason = find_first_error(done.stdout + done.stderr, done.returncode)
        raise InputError(f"Verilator could not build {what} in {folder}: {reason}")


def keep(folder: Path, runtime: Path) -> None:
    """Move the compiled runtime out of a design's folder, all at once."""
    partial = runtime.with_name(f".{runtime.name}.{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)  # of a killed process
    partial.mkdir(parents=True)
    for item in [*folder.glob("verilated*.o"), folder / PRECOMPILED]:
        item.rename(partial / item.name)
    partial.rename(runtime)
