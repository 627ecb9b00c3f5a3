"""Ports and streams in the sidecar: names, widths, packed fields, what each is for and in which unit it counts."""

from typing import Any

from amaranth.hdl import Shape, ShapeLike
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from asq_model.spec.array import ArraySpec
from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.mac import MacSpec
from asq_model.spec.precision import GUARD

CLOCK = {"port": "clk", "edge": "rising"}
RESET = {
    "port": "rst",
    "active": 1,
    "synchronous": True,
    "cycles": 1,
    "drops": "all that is inside the unit, an array's weights too; memories keep what was loaded",
}
Spec = MacSpec | ArraySpec | BlockSpec | None

COUNTER_ROLES = {
    "i_valid": "valid of the watched unit's input stream",
    "i_ready": "ready of the watched unit's input stream",
    "o_valid": "valid of the watched unit's output stream",
    "o_ready": "ready of the watched unit's output stream",
    "cycles": "cycles from the first accepted operand to the latest result taken, both included",
    "input_stalls": "of the cycles between accepted operands, those with ready and without valid",
    "output_stalls": "cycles with a result offered and not taken",
    "operands": "operands accepted",
    "results": "results taken",
}
# By the field's name: what it is, and the unit that it counts in (f: the binary point of the layer's input).
BLOCK_ROLES = {
    "beta": ("β of the map", "2^-{precision}"),
    "step": ("step S = s·β of the map, 1 or more", "2^-(f + {guard})"),
    "words": ("beats of a pixel: channels divided by lanes, 1 or more", ""),
    "pixels": ("pixels of a map, 1 or more", ""),
    "hidden": ("hidden neurons in use; 0: the one-layer form, of neuron 0's weights and bias", ""),
    "hidden_shift": ("n1, the right shift of a hidden neuron's sum", ""),
    "output_shift": ("n2, the right shift of the output's sum", ""),
    "output_bias": ("b2, the output's bias; not used in the one-layer form", "2^-({precision} + n2)"),
    "floor": ("the least β", "2^-{precision}"),
    "mantissa": ("s, the learned step at β = 1", "2^-(f + {guard})"),
    "scale_shift": ("m, the right shift of M·S", ""),
    "shift": ("n, the right shift of the output's sum", ""),
    "align": ("the left shift of `side`", ""),
    "relu": ("1: outputs below 0 become 0", ""),
    "total": ("a sum of products", ""),
    "side": ("the value of the other branch of a residual block; 0 where there is none", ""),
    "values": ("values of consecutive channels of one pixel, the lowest channel lowest", "2^-f"),
    "unit": ("which memory is written: see `memories`", ""),
    "address": ("the word that is written", ""),
    "data": ("what is written: fields in `memories`, lowest bits first, the rest not used", ""),
}
LANE_ROLES = {
    ("channel-sums", "o"): ("sum of channel beat·lanes + {lane}", "2^-f"),
    ("adapter", "i"): ("sum of channel beat·lanes + {lane}", "2^-f"),
    ("quantiser", "o"): ("activation code of lane {lane}", "S"),
    ("adapter-step", "o"): ("activation code of channel beat·lanes + {lane}", "S"),
}
PORT_ROLES = {
    "size": "size of the maps",
    "words": "beats of a map's sums",
    "constants": "the layer's constants",
}
BEATS = {
    ("mac", "i"): "one operand a lane, and whether it ends its dot product",
    ("mac", "o"): "a dot product's result",
    ("array", "load"): "codes of one row's weights, a column each: they become row 0's, and every row's become the next"
    " row's; so the last row is sent first",
    ("array", "i"): "an activation for each row; it meets the weights loaded in its own cycle and before",
    ("array", "s"): "a partial sum for each column, taken in each cycle in which ready is 1",
    ("array", "o"): "a sum for each column, offered for one cycle",
    ("channel-sums", "i"): "values of consecutive channels; all channels of the first pixel, then of the next",
    ("channel-sums", "o"): "sums of consecutive channels, channels in order",
    ("adapter", "i"): "sums of consecutive channels, a map's after another's",
    ("adapter", "o"): "β and step of a map",
    ("quantiser", "i"): "values and the step that they are quantised with",
    ("quantiser", "o"): "their codes",
    ("rescale", "i"): "a sum of products and its side; all channels of the first pixel, then of the next",
    ("rescale", "s"): "the step of a map: held through the map, taken with its last beat; no beat of `i` without it",
    ("rescale", "o"): "a value of the layer's output, in the order of `i`",
    ("adapter-step", "i"): "values of consecutive channels; all channels of the first pixel, then of the next",
    ("adapter-step", "o"): "codes, in the order of `i`",
    (
        "adapter-step",
        "s",
    ): "β and step of a map, offered before its first codes; must be taken: the next map waits for it",
    ("adapter", "load"): "a word of a memory; not while a map is inside",
    ("rescale", "load"): "a word of a memory; not while a map is inside",
    ("adapter-step", "load"): "a word of a memory; not while a map is inside",
}
# Ports of the same cycle that a stream's `ready` follows; of the others it comes from registers.
READY_FOLLOWS = {
    ("mac", "i"): ["o__ready"],
    ("serial", "i"): [],  # while a result waits, a weight's first bit waits behind it, and its last has not come
    ("channel-sums", "i"): ["o__ready"],
    ("quantiser", "i"): ["o__ready"],
    ("rescale", "i"): ["o__ready", "s__valid"],
    ("rescale", "s"): ["i__valid", "o__ready", "s__valid"],
}


def form_of(spec: Spec) -> str:
    """The form of a unit: mac, array, block or counter."""
    return {MacSpec: "mac", ArraySpec: "array", BlockSpec: "block", type(None): "counter"}[type(spec)]


def product_role(spec: MacSpec, port: str, name: str, of_lanes: bool) -> tuple[str, str]:
    """Role and unit of measure of a field of a unit (whose numbered fields are lanes) or an array."""
    if port == "load":
        return f"code of the weight of column {name}", ""
    if port == "i" and name.isdigit():
        return (f"operand of lane {name}", "") if of_lanes else (f"activation of row {name}", "s_a")
    roles = {
        "weight": ("code of the weight", ""),
        "activation": ("integer activation a", "s_a"),
        "root": (f"round(sqrt(2) * a * 2^{spec.frac}) of this operand's activation", f"s_a * 2^{-spec.frac_bits}"),
        "triple": ("3 * a of this operand's activation", "s_a"),
        "last": ("1 in the last beat of a dot product", ""),
        "operands": ("one operand a lane", ""),
        "sum": ("the column's sum", f"2^{-spec.result_frac}"),
        "even": ("the column's sum of terms without sqrt(2)", "1"),
        "odd": ("the column's sum of terms with sqrt(2)", "sqrt(2)"),
    }
    return roles.get(name, (f"column {name}", ""))


def block_role(spec: BlockSpec, port: str, name: str) -> tuple[str, str]:
    """Role and unit of measure of a field of a block."""
    if name.startswith("lane"):
        lane = name.removeprefix("lane")
        channel = ("value of channel beat·lanes + {lane}" if port == "i" else "lane {lane}", "2^-f")
        role, unit = LANE_ROLES.get((spec.unit, port), channel)
        return role.format(lane=lane), unit
    role, unit = BLOCK_ROLES[name]
    return role, unit.format(precision=spec.precision, guard=GUARD)


def field_role(spec: Spec, port: str, name: str) -> dict[str, Any]:
    """`role` and, if it counts in one, `unit` of a field."""
    if isinstance(spec, BlockSpec):
        role, unit = block_role(spec, port, name)
    elif isinstance(spec, ArraySpec):
        role, unit = product_role(spec.mac, port, name, False)
    else:
        assert spec is not None, "the cycle counter has no fields"
        role, unit = product_role(spec, port, name, True)
    return {"role": role} | ({"unit": unit} if unit else {})


def describe_shape(shape: ShapeLike, spec: Spec = None, port: str = "") -> dict[str, Any]:
    """Width and signedness of a port's shape, and the fields of a packed one (offsets in bits, lowest first)."""
    flat = Shape.cast(shape)
    row: dict[str, Any] = {"width": flat.width, "signed": flat.signed}
    if isinstance(shape, data.Layout):
        row["fields"] = [
            {"name": str(name), "offset": field.offset}
            | describe_shape(field.shape, spec, port)
            | field_role(spec, port, str(name))
            for name, field in shape
        ]
    return row


def port_role(spec: Spec, path: tuple[str, ...]) -> str:
    """What a port is for, by the path of its name."""
    if spec is None:
        return COUNTER_ROLES[path[0]]
    if len(path) == 1:
        return PORT_ROLES[path[0]]
    return f"{path[1]} of stream {path[0]}"


def describe_ports(spec: Spec, component: wiring.Component) -> list[dict[str, Any]]:
    """Every port as Amaranth names it in Verilog: direction, shape, fields, role."""
    ports = [
        {"name": CLOCK["port"], "direction": "input", "width": 1, "signed": False, "role": "clock"},
        {"name": RESET["port"], "direction": "input", "width": 1, "signed": False, "role": "reset"},
    ]
    for path, member, _ in component.signature.flatten(component):
        shape = describe_shape(member.shape, spec, path[0])
        direction = "input" if member.flow == In else "output"
        name = "__".join(map(str, path))
        ports.append({"name": name, "direction": direction, **shape, "role": port_role(spec, path)})
    return ports


def describe_streams(spec: MacSpec | ArraySpec | BlockSpec, ports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Streams: the ports that belong together, and what a beat is."""
    directions = {port["name"]: port["direction"] for port in ports}
    unit = spec.unit if isinstance(spec, BlockSpec) else form_of(spec)
    streams: list[dict[str, Any]] = []
    for name in dict.fromkeys(port["name"].split("__")[0] for port in ports if "__" in port["name"]):
        signals = {part: f"{name}__{part}" for part in ("payload", "valid", "ready") if f"{name}__{part}" in directions}
        streams.append(
            {"name": name, "direction": "in" if directions[signals["payload"]] == "input" else "out"}
            | {part: signals.get(part) for part in ("payload", "valid", "ready")}
            | {"ready_in_reset": ready_in_reset(spec, name, directions.get(signals.get("ready")))}
            | {"ready_follows": READY_FOLLOWS.get((spec.unit, name), READY_FOLLOWS.get((unit, name), []))}
            | {"beat": BEATS[unit, name]}
        )
    return streams


def ready_in_reset(spec: Spec, stream: str, direction: str | None) -> int | None:
    """What an input stream's ready shows while the unit is reset and nothing else is offered; None for an output's."""
    if direction != "output" or isinstance(spec, ArraySpec):
        return None
    return int(not (isinstance(spec, BlockSpec) and spec.unit == "rescale" and stream != "load"))
