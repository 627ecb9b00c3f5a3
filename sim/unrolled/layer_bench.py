"""Checking a layer as adders: its Verilog in Verilator on vectors with known results."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
from amaranth.hdl import signed, unsigned

from asq_model.common.errors import InputError
from asq_model.common.files import reported_os_errors
from asq_model.spec.fixed_point import signed_width
from sim.measure.templates import fill_template
from sim.runner.runtime import VERILATOR_OPTIONS, compile_design, verilate
from sim.runner.verilator import ask_compiler_version, find_verilator
from sim.vectors.packing import pack_rows
from sim.workspace import Workspace

HERE = Path(__file__).parent
BENCH = HERE / "layer_bench.v"  # vectors change while the clock is low and are compared at its rise
MAIN = HERE / "layer_bench.cpp"
OPTIMISATION = [f"OPT_{part}=-O0" for part in ("FAST", "SLOW", "GLOBAL")]  # a run is far shorter than the compilation


def build_layer_bench(name: str, source: Path, folder: Path, runtime: Path) -> None:
    """Compile `bench.v` and `main.cpp` in the folder with the module in `source`. Raises InputError."""
    options = ["--top-module", "bench", "--Mdir", ".", "-Wno-fatal", "-Wno-lint", *VERILATOR_OPTIONS]
    verilate(name, [*options, str(source.resolve()), "bench.v", "main.cpp"], folder)
    compile_design(folder, "Vbench.mk", "Vbench", OPTIMISATION, runtime, folder / "build.log")


def simulate(
    name: str, source: Path, activations: np.ndarray, bits: int, expected: np.ndarray, widths: list[int], root: Path
) -> None:
    """Run a layer's module in Verilator. Raises InputError unless every result is the expected one.

    activations: int [V, N] of `bits` bits. expected: int [V, results], signed, of `widths` bits.
    """
    for column, width in zip(expected.T, widths, strict=True):
        if signed_width(int(column.min()), int(column.max())) > width:
            raise InputError(f"{name} gives {width} bits for results from {column.min()} to {column.max()}")
    folder = source.parent / "bench"
    a_bits = bits * activations.shape[1]
    tools = [find_verilator(), ask_compiler_version(), VERILATOR_OPTIONS, OPTIMISATION]
    runtime = Workspace(root).runtime(tools)
    with reported_os_errors("simulate in", folder):
        folder.mkdir(parents=True, exist_ok=True)
        bench = fill_template(BENCH, top=name, a_bits=a_bits, y_bits=sum(widths), vectors=len(activations))
        (folder / "bench.v").write_text(bench)
        shutil.copyfile(MAIN, folder / "main.cpp")
        words = pack_rows(
            np.hstack([activations, expected]),
            [unsigned(bits)] * activations.shape[1] + [signed(width) for width in widths],
        )
        (folder / "vectors.hex").write_text("\n".join(f"{word:x}" for word in words) + "\n")
        build_layer_bench(name, source, folder, runtime)
    done = subprocess.run([folder.resolve() / "Vbench"], cwd=folder, capture_output=True, text=True)
    counted = re.search(r"^wrong: (\d+) of (\d+)$", done.stdout, re.MULTILINE)
    if done.returncode or counted is None:
        raise InputError(f"the simulation of {name} in {folder} ended with {done.returncode} before it had its results")
    wrong, vectors = counted.groups()
    if (wrong, vectors) != ("0", str(len(activations))):
        raise InputError(f"{name} is not the layer: {wrong} of {vectors} results differ from the specification")
