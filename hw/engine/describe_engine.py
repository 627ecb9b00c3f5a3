"""The JSON beside an engine's Verilog: ports, memories and what is in them, and when each instruction starts."""

from collections.abc import Iterator
from dataclasses import asdict
from itertools import count
from typing import Any

from amaranth.hdl import Shape
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from hw.engine.compiler.compiled import Compiled
from hw.engine.memory_map import make_memory_map

FORMAT = 1
ROLES = {
    "i__payload": "a number of an image: pixel by pixel, the channels of a pixel one after the other",
    "i__valid": "there is a number",
    "i__ready": "the number is taken",
    "takes_last": "the number that is taken next is an image's last",
    "o__payload": "a result: `value`, the channels of a pixel one after the other; `last` with an image's last",
    "o__valid": "there is a result",
    "o__ready": "the result is taken",
    "array": "what the arrays' program has just done: `done`, `kind`",
    "value": "what the other program has just done: `done`, `kind`",
    "error": "a program is damaged; the engine has stopped",
    "clk": "clock, rising edge",
    "rst": "synchronous reset, 1 cycle; the memories keep their contents",
}
BUSES = {
    "s_axis": "images, AXI4-Stream; TLAST with an image's last number",
    "m_axis": "results, AXI4-Stream; TLAST with an image's last result",
    "s_axil": "registers, AXI4-Lite",
}


def role_of(name: str) -> str:
    """What a port is for."""
    return ROLES[name] if name in ROLES else BUSES[name.rpartition("_")[0]]


def describe_ports(engine: wiring.Component) -> Iterator[dict[str, Any]]:
    """Describe every port of the Verilog module: name, direction, bits, fields if it has some, and what it is for."""
    yield from ({"name": name, "direction": "in", "bits": 1, "role": ROLES[name]} for name in ("clk", "rst"))
    for path, member, _ in engine.signature.flatten(engine):
        name = "__".join(map(str, path))
        layout = member.shape
        entry = {
            "name": name,
            "direction": "in" if member.flow == In else "out",
            "bits": Shape.cast(layout).width,
            "signed": Shape.cast(layout).signed,
            "role": role_of(name),
        }
        if isinstance(layout, data.Layout):
            entry["fields"] = [describe_field(str(key), field) for key, field in layout]
        yield entry


def describe_field(name: str, field: data.Field) -> dict[str, Any]:
    """Describe a field of a port."""
    shape = Shape.cast(field.shape)
    return {"name": name, "offset": field.offset, "bits": shape.width, "signed": shape.signed}


def describe_instructions(compiled: Compiled) -> list[dict[str, Any]]:
    """Describe the instructions of a round of both programs, by the cycle in which they start."""
    numbers = {arrays: count(1) for arrays in (True, False)}  # behind what is done once
    numbered = [(each, next(numbers[each.instruction.is_arrays])) for each in compiled.timed]
    numbered.sort(key=lambda pair: (pair[0].start, not pair[0].instruction.is_arrays))
    return [
        {
            "start": each.start,
            "cycles": each.instruction.cycles,
            "program": "arrays" if each.instruction.is_arrays else "values",
            "number": number,
            "kind": each.instruction.kind.name,
            "name": each.instruction.name,
            "bank": each.instruction.fields.get("bank", 0),
            "products": each.instruction.products,
        }
        for each, number in numbered
    ]


def describe_engine(name: str, engine: wiring.Component, compiled: Compiled, image_channels: int) -> dict[str, Any]:
    """All that the JSON says of an engine with a network in its memories."""
    memories = []
    for memory in make_memory_map(compiled.spec, image_channels):
        entry = {"name": memory.name, "rows": memory.rows, "bits": memory.bits, "copies": memory.copies}
        if memory.depth:
            entry["used"] = compiled.used[memory.depth]
        memories.append(entry)
    return {
        "format": FORMAT,
        "module": name,
        "parameters": asdict(compiled.spec),
        "ports": list(describe_ports(engine)),
        "memories": memories,
        "images_under_way": compiled.images,
        "period": compiled.period,
        "latency": compiled.latency,
        "products_at_work": round(compiled.utilisation, 4),
        "instructions": describe_instructions(compiled),
    }
