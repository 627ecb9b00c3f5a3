"""The Verilog of a matrix's adder graph: tables of √2·a before it where it takes them, √2 of each output behind it."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asq_model.common.errors import InputError
from asq_model.spec.fixed_point import signed_width
from asq_model.spec.sqrt2 import make_sqrt2_table
from sim.measure.templates import fill_template
from sim.unrolled.adder_graph import Problem

if TYPE_CHECKING:
    from da4ml.types import CombLogic

# √2 ≈ 181/128 = (4·45 + 1)/128, three adders: 181·O/128 = (45·O + O/4)/32. Off by 1.51e-4, so that the result is one of
# the two integers around the exact one as long as |O|·1.51e-4 < ½.
SQRT2_ERROR = math.sqrt(2) - 181 / 128
SQRT2_DEPTH = 4  # 5·O, 45·O, + O/4, + E
# da4ml's primitives, with its parameters. One bit of each sum is kept: Yosys would merge the adders into carry-save
# trees, which take more cells of these families than the adders on carry chains that the graph was solved for.
PRIMITIVES = Path(__file__).with_name("primitives.v")


def write_table_wires(problem: Problem) -> list[str]:
    """Write the Verilog of round(√2·a·2^frac) per input, bit by bit: a case table would be taken for a memory."""
    bits = problem.spec.activation_bits
    table = make_sqrt2_table(problem.spec.activations, problem.frac)
    width = int(table[-1]).bit_length()
    columns = [sum(int(value >> bit & 1) << place for place, value in enumerate(table)) for bit in range(width)]
    lines = [f"localparam [{(1 << bits) - 1}:0] T{bit} = {1 << bits}'d{column};" for bit, column in enumerate(columns)]
    for index in range(problem.inputs):
        at = f"a[{bits * index + bits - 1}:{bits * index}]"
        picked = ", ".join(f"T{bit}[{at}]" for bit in reversed(range(width)))
        lines.append(f"wire [{width - 1}:0] root{index} = {{{picked}}};")
    return lines


def write_sum_wires(graph: "CombLogic") -> tuple[list[str], list[int]]:
    """Write the Verilog of the graph's results as signed wires v0, v1, …, and their widths."""
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


def write_root_wires(problem: Problem, widths: list[int]) -> tuple[list[str], list[int], int]:
    """Write the Verilog of (32·E + 16 + 45·O + O/4) / 32 as wires y0, y1, …; their widths, and the adders' bits.

    Raises InputError where √2 is not near enough for the layer's sums.
    """
    top, outputs = int(problem.spec.activations.max()), len(problem.codes)
    levels = problem.spec.level_set.values[problem.codes]
    reach = top * int(np.abs(problem.odd).sum(1).max())
    if reach * SQRT2_ERROR >= 0.5:
        raise InputError(
            f"sums of {problem.name} reach {reach}·√2; 181/128 rounds faithfully up to {0.5 / SQRT2_ERROR:.0f}"
        )
    lines, result_widths, cost = [], [], 0
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
        result_widths.append(width)
    return lines, result_widths, cost


@dataclass(frozen=True)
class Netlist:
    """Verilog of a layer, the widths of its results, its cost in adder bits and its depth in adders."""

    text: str
    widths: list[int]
    cost: float
    depth: int


def make_netlist(problem: Problem) -> Netlist:
    """Make the module `problem.name`: activations in port `a`, signed results in `y`, the first in the lowest bits."""
    from da4ml.codegen.rtl.verilog import comb_logic_gen

    graph, bits = problem.graph, problem.spec.activation_bits
    taken = [f"a[{bits * index + bits - 1}:{bits * index}]" for index in range(problem.inputs)]
    tables = write_table_wires(problem) if problem.form.how == "tabled" else []
    taken += [f"root{index}" for index in range(problem.inputs)] if tables else []
    used = [wire for wire, bits_taken in zip(taken, graph.inp_kifs.sum(0), strict=True) if bits_taken]
    lines, widths = write_sum_wires(graph)
    cost, depth, letter = graph.cost, int(graph.latency[1]), "v"
    if problem.form.how == "pair":
        root, widths, root_cost = write_root_wires(problem, widths)
        lines, cost, depth, letter = [*lines, *root], cost + root_cost, depth + SQRT2_DEPTH, "y"
    results = ", ".join(f"{letter}{index}" for index in reversed(range(len(widths))))
    body = [
        f"module {problem.name} (input [{bits * problem.inputs - 1}:0] a, output [{sum(widths) - 1}:0] y);",
        *(f"  {line}" for line in [*tables, *lines]),
        f"  {problem.name}_graph graph ({{{', '.join(reversed(used))}}}, sums);",
        f"  assign y = {{{results}}};",
        "endmodule",
    ]
    text = "\n".join([comb_logic_gen(graph, f"{problem.name}_graph"), *body, fill_template(PRIMITIVES)])
    return Netlist(text, widths, cost, depth)
