"""Running an engine's simulator: images in, and what the log of the harness says in the end."""

import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from asq_model.common.errors import InputError
from asq_model.common.files import reported_os_errors
from asq_model.common.progress import SILENT, Bar
from asq_model.spec.graph.graph import Graph
from hw.engine.engine_spec import EngineSpec

ARRAYS, VALUES = "A", "B"  # the letters of the two programs in a log
WORDS = {"R": "results", "V": "values", "C": "codes"}


@dataclass(frozen=True)
class Conditions:
    """How an engine is driven. sample: images whose values and codes are logged. most_cycles: then it has to be ready.

    in_stalls, out_stalls: of 256 cycles those in which no number is offered, and no result taken. reset_at: the cycle
    of a reset, after which all images are sent again; 0: none.
    """

    sample: int
    most_cycles: int
    in_stalls: int = 0
    out_stalls: int = 0
    reset_at: int = 0


@dataclass
class EngineLog:
    """What an engine did after the last reset, each with its cycle.

    values, codes: words that were made. done: the kinds of instructions of each program, by its letter. error: the
    cycle in which it stopped, or none. cycles: how many passed.
    """

    results: list[tuple[int, int]] = field(default_factory=list)
    values: list[tuple[int, int]] = field(default_factory=list)
    codes: list[tuple[int, int]] = field(default_factory=list)
    done: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: {ARRAYS: [], VALUES: []})
    error: int | None = None
    cycles: int = 0


def list_numbers(spec: EngineSpec, images: np.ndarray) -> np.ndarray:
    """List images as an engine takes them: as bits, pixel by pixel, the channels of a pixel one after the other."""
    bits = 8 if spec.byte_input else spec.value_bits
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1).astype(np.int64) & (1 << bits) - 1, np.uint32)


def run_engine(
    executable: Path,
    spec: EngineSpec,
    graph: Graph,
    images: np.ndarray,
    conditions: Conditions,
    folder: Path,
    bar: Bar = SILENT,
) -> EngineLog:
    """Send images [N, C, H, W] through an engine, and read what it did. Leaves images and log in the folder.

    Raises InputError when the simulator fails.
    """
    given, log = folder / "images.bin", folder / "log.txt"
    with reported_os_errors("simulate in", folder):
        folder.mkdir(parents=True, exist_ok=True)
        given.write_bytes(list_numbers(spec, images).tobytes())
    sizes = [int(np.prod(graph.input.shape)), int(np.prod(graph.result.shape))]
    numbers = [*sizes, conditions.sample, conditions.most_cycles]
    numbers += [conditions.in_stalls, conditions.out_stalls, conditions.reset_at]
    run_simulator(executable, [str(given), str(log), *map(str, numbers)], bar)
    return read_log(log)


def run_simulator(executable: Path, arguments: list[str], bar: Bar) -> None:
    """Run a simulator, which prints a line for each image. Raises InputError, with the last that it said, if it fails.

    What it says of errors goes to a file: a pipe that is read at the end would stop it once it is full.
    """
    with reported_os_errors("run", executable), tempfile.TemporaryFile("w+", errors="replace") as errors:
        command = [str(executable.resolve()), *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
            assert process.stdout is not None
            for _ in process.stdout:
                bar.advance()
        errors.seek(0)
        said = errors.read().strip().splitlines()
    if process.returncode:
        last = f": {said[-1][-200:]}" if said else ""
        raise InputError(f"the simulator {executable} ended with {process.returncode}{last}")


def read_log(path: Path) -> EngineLog:
    """Read the log that `harness.cpp` wrote; its head has the form of a line. Raises InputError for one cut short."""
    log = EngineLog()
    with path.open() as lines:
        for line in lines:
            try:
                log = add_line(log, line)
            except (ValueError, IndexError) as error:
                raise InputError(f"{path} ends in the middle of a line, as on a full disk: {line[:40]!r}") from error
    return log


def add_line(log: EngineLog, line: str) -> EngineLog:
    """The log with one more line; an empty one after a reset. Raises ValueError or IndexError for part of a line."""
    what, text, *word = line.split()
    cycle = log.cycles = int(text)
    if what in (ARRAYS, VALUES):
        log.done[what].append((cycle, int(word[0])))
    elif what in WORDS:
        getattr(log, WORDS[what]).append((cycle, int(word[0], 16)))
    elif what == "E":
        log.error = cycle
    elif what == "X":
        return EngineLog()
    return log
