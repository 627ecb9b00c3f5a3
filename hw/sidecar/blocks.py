"""What ASQ's blocks compute, in the sidecar: formulas, constants, memories and timing."""

from collections.abc import Mapping
from typing import Any

from amaranth.lib import data

from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.fixed_point import bounds
from asq_model.spec.precision import BETA_LIMIT, GUARD
from hw.asq.memories import row_layouts
from hw.sidecar.ports import describe_shape

ROUND_SHIFT = "round_shift(x, n) = floor(x / 2^n + 1/2); clamp(x, low, high) = min(max(x, low), high)"
CHANNEL_SUM = "sum[c] = sum of value[c] over the pixels of a map"
ADAPTER = [
    "h[j] = clamp(round_shift(sum over c of weights[j][c] * sum[c] + units[j].bias, hidden_shift), 0, hidden_max)",
    "beta = clamp(round_shift(sum over j of units[j].weight * h[j] + output_bias, output_shift), floor, beta_max)",
    "if hidden is 0: beta = clamp(round_shift(sum over c of weights[0][c] * sum[c] + units[0].bias, output_shift),"
    " floor, beta_max)",
    "step = max(round_shift(mantissa * beta, beta_frac), 1)",
]
CODE = "code = clamp(floor((value * 2^{shift} + step) / (2 * step)), code_min, code_max)"
RESCALE = [
    "K = round_shift(channels[c].multiplier * step, scale_shift), which must fit scale_bits, signed",
    "y = clamp(round_shift(total * K + channels[c].bias + side * 2^align, shift), 0 if relu else y_min, y_max)",
    "side * 2^align, total * K and channels[c].bias + side * 2^align must fit bias_bits, signed",
]
SIZES = {"hidden": "constants.hidden", "words": "size.words", "pixels": "size.pixels"}
# Inputs that must not change while a map is inside.
HELD = {
    "channel-sums": ("size",),
    "adapter": ("words", "constants"),
    "quantiser": (),
    "rescale": ("size", "constants"),
    "adapter-step": ("size", "constants"),
}
EVERY, LAST_OF_A_MAP = "every", "last of a map"


def code_range(spec: BlockSpec) -> dict[str, int]:
    """The numbers in a quantiser's formula."""
    low, high = bounds(spec.activation_bits, spec.signed_activation)
    return {"value_shift": GUARD + 1, "code_min": low, "code_max": high}


def adapter_constants(spec: BlockSpec) -> dict[str, int]:
    """The numbers in an adapter's formulas."""
    return {
        "hidden_max": (1 << spec.hidden_bits) - 1,
        "beta_frac": spec.precision,
        "beta_max": BETA_LIMIT << spec.precision,
        "accumulator_bits": spec.accumulator_bits,
    }


def list_formulas(spec: BlockSpec) -> list[str]:
    """List the formulas of a block, in the order in which they are applied."""
    code = CODE.format(shift=GUARD + 1)
    return {
        "channel-sums": [CHANNEL_SUM],
        "adapter": [ROUND_SHIFT, *ADAPTER],
        "quantiser": [code],
        "rescale": [ROUND_SHIFT, *RESCALE],
        "adapter-step": [ROUND_SHIFT, CHANNEL_SUM, *ADAPTER, code],
    }[spec.unit]


def list_constants(spec: BlockSpec) -> dict[str, int]:
    """List the numbers in the formulas that are this unit's, and the most that its size inputs may be."""
    high = (1 << spec.precision - 1) - 1
    maxima = {"words_max": spec.words, "pixels_max": spec.pixels}
    rescale = {"scale_bits": spec.scale_bits, "bias_bits": spec.bias_bits, "y_min": -high - 1, "y_max": high}
    return {
        "channel-sums": maxima,
        "adapter": {"words_max": spec.words} | adapter_constants(spec),
        "quantiser": code_range(spec),
        "rescale": maxima | rescale,
        "adapter-step": maxima | adapter_constants(spec) | code_range(spec) | {"buffer": spec.buffer},
    }[spec.unit]


def describe_rows(layout: data.StructLayout, roles: Mapping[str, str]) -> list[dict[str, Any]]:
    """The fields of a memory's rows, the lowest first, with what each is for."""
    return [
        {"name": name, "offset": field.offset} | describe_shape(field.shape) | {"role": roles[name]}
        for name, field in layout
    ]


def describe_memories(spec: BlockSpec) -> list[dict[str, Any]]:
    """Describe what `load` writes: which memory, how many words, what is at which address, the fields of its data."""
    roles = {
        "channels": {"multiplier": "M of the channel", "bias": "B of the channel"},
        "weights": {f"lane{lane}": f"weight of channel word * lanes + {lane}" for lane in range(spec.lanes)},
        "units": {
            "bias": "bias of neuron j, or of the output in the one-layer form",
            "weight": "weight of neuron j in the output; not used in the one-layer form",
        },
    }
    fields = {name: describe_rows(layout, roles[name]) for name, layout in row_layouts(spec).items()}
    if spec.unit == "rescale":
        depth, address = spec.channels, "the channel"
        return [{"name": "channels", "depth": depth, "address": address, "fields": fields["channels"]}]
    if not fields:
        return []
    depth = spec.hidden * spec.words
    address = "j * words + word: neuron j's weights for the word-th beat of a map's sums"
    return [
        {"name": "weights", "select": {"unit": 0}, "depth": depth, "address": address, "fields": fields["weights"]},
        {"name": "units", "select": {"unit": 1}, "depth": spec.hidden, "address": "j", "fields": fields["units"]},
    ]


def describe_cases(offset: int, more: str = "") -> list[dict[str, Any]]:
    """Describe the cycles of the adapter and `offset` more, by whether there are hidden neurons."""
    return [
        {"if": "hidden > 0", "cycles": f"hidden * (words + 7){more} + {offset}"},
        {"if": "hidden == 0", "cycles": f"words{more} + {offset + 3}"},
    ]


def describe_latency(of: str, beats: str, to: str = EVERY, **cycles: object) -> dict[str, Any]:
    """Describe the cycles of stream `of`, from the beats of `i` that are named to those of `of`."""
    return {"of": of, "from": {"stream": "i", "beats": beats}, "to": {"stream": of, "beats": to}, **cycles}


def list_latencies(spec: BlockSpec) -> list[dict[str, Any]]:
    """List the cycles from a beat to what comes of it, as formulas where they depend on a layer's sizes."""
    if spec.unit == "channel-sums":
        return [describe_latency("o", "of the last pixel", cycles=spec.latency)]
    if spec.unit in ("quantiser", "rescale"):
        return [describe_latency("o", EVERY, cycles=spec.latency)]
    fixed = spec.adapter_latency(0, 0) - 3
    if spec.unit == "adapter":
        return [describe_latency("o", LAST_OF_A_MAP, cases=describe_cases(fixed))]
    return [
        describe_latency("o", LAST_OF_A_MAP, "first of a map", cases=describe_cases(fixed + spec.step_latency(0))),
        describe_latency("s", LAST_OF_A_MAP, cases=describe_cases(fixed + spec.step_offered(0))),
    ]


def describe_timing(spec: BlockSpec) -> dict[str, Any]:
    """Describe the interval and latencies of a block, and the period of one that is busy with a map for longer."""
    row: dict[str, Any] = {"interval": spec.interval, "latency": list_latencies(spec)}
    if spec.unit not in ("adapter", "adapter-step"):
        return row
    row["variables"] = dict(SIZES)
    if spec.unit == "adapter":
        row["variables"] = {"hidden": SIZES["hidden"], "words": "words"}
    # What a map takes from its first beat to the next one's: in the adapter, or in adapter-step if it is shorter.
    return row | {"period": describe_cases(spec.adapter_latency(0, 0) - 4, " + words")}


def describe_block(spec: BlockSpec) -> dict[str, Any]:
    """Formulas, constants, memories and timing of a block."""
    return {
        "computes": list_formulas(spec),
        "constants": list_constants(spec),
        "memories": describe_memories(spec),
        "held": list(HELD[spec.unit]),
        "lanes": spec.lanes,
        "timing": describe_timing(spec),
    }
