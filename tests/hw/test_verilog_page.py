"""The beats that docs/verilog.md shows are what the emitted modules do, in Icarus Verilog."""

import json
import re
import shutil
import subprocess

import pytest
from click.testing import CliRunner
from conftest import ROOT
from sidecar_model import field_of, packed

from asq_model.spec.array import MAX_STAGES, STAGED_UNITS
from asq_model.spec.mac import MacSpec
from asq_model.spec.units import TWOS_COMPLEMENT, UNITS
from hw.cli import cli

PAGE = (ROOT / "docs" / "verilog.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^`(UNIT=[^`]*)`:\n\n```beats\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
assert len(EXAMPLES) == PAGE.count("```beats")


def emitted(options: str, folder):
    words = [part for option in options.split() for part in ("--" + option.split("=")[0].lower(), option.split("=")[1])]
    done = CliRunner().invoke(cli, ["verilog", *words, "--out", str(folder)], catch_exceptions=False)
    verilog, sidecar, *_ = done.output.split()
    return json.loads((folder / sidecar).read_text()), verilog


def columns_of(table: str) -> tuple[list[str], list[str], list[tuple[list[str], list[str]]]]:
    """Inputs, outputs, and for each cycle what they are."""
    head, *lines = [[part.split() for part in line.split("|")] for line in table.strip().splitlines()]
    return *head, lines


def words_by_port(sidecar: dict, names: list[str], values: list[str]) -> dict[str, int]:
    """A word for each port, of the values of its fields; anything is 0."""
    ports = {}
    for name, value in zip(names, values, strict=True):
        port, *path = name.split(".")
        ports.setdefault(port, {})[tuple(path)] = 0 if value == "-" else int(value)
    return {port: packed(sidecar, port, fields) for port, fields in ports.items()}


def wrong_cycles(sidecar: dict, verilog: str, table: str, folder) -> list[str]:
    """Which outputs are not what the table says, after a reset."""
    inputs, outputs, lines = columns_of(table)
    width = {port["name"]: port["width"] for port in sidecar["ports"]}
    ports = {name.split(".")[0] for name in inputs}
    given = [name for name, row in ((port["name"], port) for port in sidecar["ports"]) if row["direction"] == "input"]
    text = ["module bench;"]
    text += [f"  reg [{width[name] - 1}:0] {name} = 0;" for name in given]
    text += [
        f"  wire [{width[port['name']] - 1}:0] {port['name']};"
        for port in sidecar["ports"]
        if port["name"] not in given
    ]
    text += [f"  {sidecar['top']} dut ({', '.join(f'.{name}({name})' for name in width)});", "  initial begin"]
    text += ["    rst = 1; #1 clk = 1; #1 clk = 0; rst = 0;"]
    for cycle, (driven, shown) in enumerate(lines):
        values = words_by_port(sidecar, inputs, driven)
        text += [f"    {name} = {width[name]}'h{values[name]:x};" for name in sorted(ports)]
        text.append("    #1;")
        for name, value in zip(outputs, shown, strict=True):
            if value == "-":
                continue
            port, *path = name.split(".")
            offset, bits, _ = field_of(sidecar, port, *path)
            expected = int(value) & (1 << bits) - 1
            text.append(f'    if ({port}[{offset} +: {bits}] !== {bits}\'h{expected:x}) $display("{cycle} {name}");')
        text.append("    clk = 1; #1 clk = 0;")
    (folder / "bench.v").write_text("\n".join([*text, "  end", "endmodule", ""]))
    assert shutil.which("iverilog") and shutil.which("vvp"), "run the tests by `make test`, which gets Icarus Verilog"
    subprocess.run(["iverilog", "-g2005", "-s", "bench", "-o", "bench", "bench.v", verilog], cwd=folder, check=True)
    done = subprocess.run(["vvp", "-n", "bench"], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize("options, table", EXAMPLES, ids=[options for options, _ in EXAMPLES])
def test_beats(options, table, tmp_path):
    sidecar, verilog = emitted(options, tmp_path)
    assert wrong_cycles(sidecar, verilog, table, tmp_path) == []
    last = table.rstrip().splitlines()[-2]
    shown = last.split()[-1]
    wrong = table.replace(last, last[: -len(shown)] + str(int(shown) + 1))
    assert len(wrong_cycles(sidecar, verilog, wrong, tmp_path)) == 1


def rows_of(page: str) -> dict[str, list[str]]:
    """Cells of the table of units, by unit; a name that starts with a dash goes on from the row's first."""
    rows = {}
    for line in page.split("## Multiply-accumulate units")[1].split("Interval:")[0].splitlines():
        names = re.findall(r"`([a-z0-9-]+)`", line.split("|")[1]) if line.startswith("| `") else []
        for name in names:
            unit = name if not name.startswith("-") else names[0].split("-")[0] + name
            rows[unit] = [cell.strip() for cell in line.split("|")[2:-1]]
    return rows


def test_the_table_of_units_says_what_they_take():
    rows = rows_of(PAGE)
    assert set(rows) == set(UNITS)
    for unit, (_, _, interval, latency, shared, gated, array, stages) in rows.items():
        spec = MacSpec(unit, 4, 4)
        said = {"BITS": str(spec.weight_bits), "BITS + 1": str(spec.weight_bits + 1)}
        assert said.get(interval, interval) == str(spec.interval), unit
        assert said.get(latency, latency) == str(spec.latency), unit
        assert shared == (f"`{next(iter(spec.multiples))}`" if spec.multiples else "–"), unit
        assert gated == ("–" if unit in TWOS_COMPLEMENT else "yes"), unit
        assert array.startswith("yes") == (unit not in ("serial", "post-sorted")), unit
        of_row = {"uniform-sign": "3", "uniform-adders": ""}.get(unit, stages)
        assert of_row == (str(MAX_STAGES) if unit in STAGED_UNITS else ""), unit
