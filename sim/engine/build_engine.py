"""From a compiled network to a simulator of its engine: Verilog, and what Verilator makes of it, each made once."""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from asq_model.common.files import fingerprint, reported_os_errors, write_text
from asq_model.common.records import Digest, Schema, remembered
from hw.emit import generator_fingerprint
from hw.engine.compiler.compiled import Compiled
from hw.engine.emit_engine import make_engine_verilog
from hw.engine.engine import Engine
from hw.fpga import cell_models
from sim.runner.runtime import VERILATOR_OPTIONS, compile_design, verilate
from sim.runner.verilator import OPTIMISATION, ask_compiler_version, find_verilator
from sim.workspace import Workspace

HARNESS = Path(__file__).with_name("harness.cpp")
TOP = "engine"


@dataclass(frozen=True)
class FileDigest:
    """The SHA-256 of a file that was made."""

    sha256: Digest


VERILOG: Schema[FileDigest] = Schema("engine's Verilog", FileDigest)
SIMULATOR: Schema[FileDigest] = Schema("engine's simulator", FileDigest)


def compiled_fingerprint(compiled: Compiled) -> str:
    """The SHA-256 over all that an engine's Verilog is made from, beside the generator."""
    return fingerprint([asdict(compiled.spec), asdict(compiled.image), compiled.radix_bits, compiled.piece_bits])


def write_verilog(compiled: Compiled, folder: Path) -> Path:
    """Write the Verilog of a network's engine, unless it is there. Its ports show the words it makes (`observed`)."""
    path = folder / f"{TOP}.v"

    def write() -> FileDigest:
        engine = Engine(compiled.spec, compiled.image, compiled.radix_bits, compiled.piece_bits, observed=True)
        write_text(path, make_engine_verilog(engine, TOP, "an engine with a network in its memories, for simulation"))
        return FileDigest(fingerprint([], [path]))

    inputs = fingerprint([generator_fingerprint(), compiled_fingerprint(compiled)])
    remembered(folder / "verilog.json", VERILOG, inputs, write, lambda found: is_whole(path, found))
    return path


def is_whole(path: Path, found: FileDigest) -> bool:
    """Whether a file is as it was written."""
    return path.is_file() and fingerprint([], [path]) == found.sha256


def build_simulator(compiled: Compiled, verilog: Path, folder: Path, root: Path) -> Path:
    """Build the simulator of an engine's Verilog, unless it is there, and return the executable.

    root: the build folder, which has Verilator's runtime. Raises InputError when a tool fails.
    """
    place = folder / "simulator"
    executable = place / f"V{TOP}"
    options = [*VERILATOR_OPTIONS, "-Wno-fatal", "-Wno-lint"]
    # As for test benches, which have the same runtime.
    tools = {
        "verilator": find_verilator(),
        "compiler": ask_compiler_version(),
        "args": [*VERILATOR_OPTIONS, *OPTIMISATION],
    }
    runtime = Workspace(root).runtime(tools)
    sources = [verilog, *cell_models(compiled.spec.array), HARNESS]

    def build() -> FileDigest:
        with reported_os_errors("build in", place):
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            files = [str(source.resolve()) for source in sources]
            verilate(str(verilog), ["--Mdir", ".", *options, "--top", TOP, *files], place)
            compile_design(place, f"V{TOP}.mk", f"V{TOP}", OPTIMISATION, runtime, place / "build.log")
        return FileDigest(fingerprint([], [executable]))

    inputs = fingerprint([tools, options], sources)
    remembered(folder / "simulator.json", SIMULATOR, inputs, build, lambda found: is_whole(executable, found))
    return executable
