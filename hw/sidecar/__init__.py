"""The sidecar of an emitted module: all that it takes to drive it and to know what it must answer.

`schema.json` says what each entry means, `docs/verilog.md` tells it in prose. Nothing here is read by this program: it
is for whoever has the Verilog only, and tests/hw/sidecar/sidecar_model.py is such a reader.
"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amaranth.lib import wiring

from asq_model.spec.array import ArraySpec
from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.mac import MacSpec
from hw.sidecar.blocks import describe_block
from hw.sidecar.ports import CLOCK, RESET, describe_ports, describe_streams, form_of
from hw.sidecar.products import describe_array, describe_mac

if TYPE_CHECKING:
    from hw.asq.layer_contents import Contents

SIDECAR_VERSION = 2
SCHEMA = Path(__file__).with_name("schema.json")


def describe_unit(spec: MacSpec | ArraySpec | BlockSpec) -> dict[str, Any]:
    """What a unit computes, from what, and when."""
    if isinstance(spec, BlockSpec):
        return describe_block(spec)
    return describe_array(spec) if isinstance(spec, ArraySpec) else describe_mac(spec)


def add_layer(sidecar: dict[str, Any], contents: "Contents") -> dict[str, Any]:
    """Add to a block's sidecar the layer whose weights it holds from the start: that layer's inputs and latencies."""
    timing = sidecar["timing"]
    latency = [
        entry | ({"cycles": contents.latencies[entry["of"]]} if entry["of"] in contents.latencies else {})
        for entry in timing["latency"]
    ]
    return sidecar | {"timing": timing | {"latency": latency}, "inputs": contents.inputs}


def make_sidecar(
    spec: MacSpec | ArraySpec | BlockSpec | None,
    name: str,
    component: wiring.Component,
    contents: "Contents | None" = None,
) -> dict[str, Any]:
    """Make the sidecar of a unit's component, or of the cycle counter's (None), without its provenance."""
    ports = describe_ports(spec, component)
    common = {"format": SIDECAR_VERSION, "top": name, "unit": spec.unit if spec else "counter", "form": form_of(spec)}
    common |= {"parameters": asdict(spec) if spec else {}, "clock": CLOCK, "reset": RESET}
    common |= {"streams": describe_streams(spec, ports) if spec else [], "ports": ports}
    if spec is None:
        return common
    sidecar = common | describe_unit(spec)
    return add_layer(sidecar, contents) if contents else sidecar
