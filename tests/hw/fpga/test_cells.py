"""The models of the families' cells, and the additions that are made of cells, proved for all inputs."""

import random

import pytest
from conftest import some
from proofs import column_verilog, prove_additions, prove_column, proved, yosys_cells

from asq_model.spec.array import ArraySpec
from asq_model.spec.mac import MacSpec
from hw.column import make_column
from hw.emit import to_verilog
from hw.fpga import cell_models

CELLS = {  # inputs, outputs, and parameters with their bits
    "SB_LUT4": ("ice40", ("I0", "I1", "I2", "I3"), ("O",), {"LUT_INIT": 16}),
    "SB_CARRY": ("ice40", ("I0", "I1", "CI"), ("CO",), {}),
    "CCU2C": (
        "ecp5",
        ("CIN", *(f"{port}{half}" for half in (0, 1) for port in "ABCD")),
        ("S0", "S1", "COUT"),
        {"INIT0": 16, "INIT1": 16},
    ),
    "LUT6_2": ("xc7", tuple(f"I{place}" for place in range(6)), ("O5", "O6"), {"INIT": 64}),
    "CARRY4": ("xc7", ("CI", "CYINIT", "DI", "S"), ("CO", "O"), {}),
}
CONTENTS = 8  # of tables, by chance
UNITS = [("post", -1), ("post", 0), ("post", 2), ("pot", None), ("apot", None), ("e2m1", None), ("uniform-sign", None)]
WIDTHS = [(3, 3), (4, 4), (4, 8)]


def array(unit, widths, frac, family, rows):
    return ArraySpec(MacSpec(unit, *widths, frac=frac), rows, 1, fpga_family=family)


MAPPED = [
    (unit, widths, frac, family)
    for family in ("ecp5", "xc7")
    for unit, frac in UNITS
    for widths in WIDTHS
    if not (unit == "e2m1" and widths[0] == 3)
] + [("uniform-sign", (2, bits), None, family) for family in ("ecp5", "xc7") for bits in (3, 4)]
QUICK = [("post", (4, 4), -1, "ecp5"), ("uniform-sign", (4, 4), None, "xc7"), ("uniform-sign", (2, 4), None, "xc7")]
COLUMNS = [*QUICK, ("post", (4, 4), -1, "ice40"), ("post", (4, 4), -1, "generic")]


def both_models(cell):
    """Verilog of both models side by side, with the same contents; and the outputs that say whether they are equal."""
    family, inputs, outputs, parameters = CELLS[cell]
    size = "[3:0] " if cell == "CARRY4" else ""
    chance = random.Random(cell)
    lines, goals = [], []
    for index in range(CONTENTS if parameters else 1):
        chosen = [f".{name}({bits}'d{chance.getrandbits(bits)})" for name, bits in parameters.items()]
        chosen += [f'.INJECT1_{half}("NO")' for half in (0, 1) if cell == "CCU2C"]
        contents = f"#({', '.join(chosen)}) " if chosen else ""
        for model, module in (("own", f"own_{cell}"), ("yosys", cell)):
            wires = {name: f"{model}_{name}_{index}" for name in outputs}
            ports = ", ".join(f".{name}({wire})" for name, wire in ({name: name for name in inputs} | wires).items())
            lines += [f"wire {size}{', '.join(wires.values())};", f"{module} {contents}{model}_{index} ({ports});"]
        goals.append(f"equal_{index}")
        same = [f"own_{name}_{index} == yosys_{name}_{index}" for name in outputs]
        lines.append(f"assign {goals[-1]} = {' && '.join(same)};")
    declared = [f"input {'[3:0] ' if name in ('DI', 'S') else ''}{name}" for name in inputs]
    header = f"module top({', '.join([*declared, *(f'output {goal}' for goal in goals)])});"
    return family, "\n".join([header, *lines, "endmodule\n"]), goals


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_s_model_is_that_of_yosys(cell, tmp_path):
    family, verilog, goals = both_models(cell)
    (path,) = cell_models(array("post", (4, 4), -1, family, 1))
    own = path.read_text().replace(f"module {cell}(", f"module own_{cell}(")
    (tmp_path / "own.v").write_text(own)
    assert all(proved(verilog, f"{yosys_cells(family)}; read_verilog -overwrite own.v", goals, tmp_path))


@pytest.mark.parametrize(("unit", "widths", "frac", "family"), COLUMNS)
def test_a_product_and_the_partial_sum_are_right_for_all_inputs(unit, widths, frac, family, tmp_path):
    assert prove_column(array(unit, widths, frac, family, 1), tmp_path)


@pytest.mark.parametrize(("unit", "widths", "frac", "family"), QUICK)
def test_every_addition_of_a_column_is_right_for_all_inputs(unit, widths, frac, family, tmp_path):
    assert all(prove_additions(array(unit, widths, frac, family, 3), tmp_path))


@pytest.mark.parametrize("family", ["ecp5", "xc7"])
def test_one_wrong_bit_of_a_table_is_found(family, tmp_path):
    verilog = column_verilog(array("post", (4, 4), -1, family, 1))
    before, name, after = verilog.partition(".INIT1(16'h" if family == "ecp5" else ".INIT(64'h")
    digits, end, rest = after.partition(")")
    place = len(digits) - 1 if family == "ecp5" else next(index for index, digit in enumerate(digits) if digit != "0")
    wrong = f"{digits[:place]}{int(digits[place], 16) ^ 2:x}{digits[place + 1 :]}"
    assert not all(proved(before + name + wrong + end + rest, yosys_cells(family), ["equal"], tmp_path))


@pytest.mark.exhaustive
@pytest.mark.parametrize(("unit", "widths", "frac", "family"), MAPPED)
def test_columns_of_one_and_two_products_are_right_for_all_inputs(unit, widths, frac, family, tmp_path):
    for rows in (1, 2) if widths == (3, 3) else (1,):
        assert prove_column(array(unit, widths, frac, family, rows), tmp_path)


# More rows add more of the same at each level: a number that is no power of two, and the width that is used most.
@pytest.mark.exhaustive
@pytest.mark.parametrize(("unit", "widths", "frac", "family"), MAPPED)
def test_all_additions_are_right_for_all_inputs(unit, widths, frac, family, tmp_path):
    for rows in (3, 16) if widths == (4, 4) else (3,):
        assert all(prove_additions(array(unit, widths, frac, family, rows), tmp_path))


@pytest.mark.parametrize("rows", [5, some(11, (), "11"), some(16, (), "16")])
@pytest.mark.parametrize(
    ("unit", "family"), [("apot", "xc7"), ("uniform-sign", "xc7"), ("post", "xc7"), ("apot", "ecp5")]
)
def test_columns_whose_tree_adds_two_and_three_at_once_are_written(unit, family, rows):
    """Every cell of a level has a name of its own."""
    spec = array(unit, (4, 4), None, family, rows)
    assert to_verilog(make_column(spec), "column", "a column").count("endmodule") >= 1
