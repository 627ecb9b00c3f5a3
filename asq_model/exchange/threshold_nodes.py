"""What `MultiThreshold` becomes: a factor and an offset for each channel, and a quantiser."""

import numpy as np
import torch

from asq_model.exchange.network_builder import Activation, NetworkBuilder, UniformQuantiser
from asq_model.exchange.quantiser_nodes import check_scale, give_pending
from asq_model.spec.fixed_point import bounds

LAYOUTS = ("", "NC", "NCW", "NCHW")
UNEVEN = 1e-4  # of a distance: what float32 makes of thresholds that are evenly spaced


def read_thresholds(builder: NetworkBuilder) -> tuple[np.ndarray, np.ndarray, int]:
    """Read each channel's first threshold, the distance to the next, and the bits of the count. Raises InputError."""
    thresholds = builder.constant(1, "list of thresholds").values.astype(np.float64)
    count = thresholds.shape[-1] if thresholds.ndim == 2 else 0
    bits = count.bit_length()
    if count < 3 or count + 1 != 1 << bits:
        builder.node.refuse(f"has thresholds of shape {list(thresholds.shape)}; allowed: [channels, 2^bits - 1]")
    distances = np.diff(thresholds, axis=1)
    mean = distances.mean(1, keepdims=True)
    if not (mean > 0).all() or (np.abs(distances - mean) > UNEVEN * mean).any():
        builder.node.refuse("has thresholds that are not evenly spaced; allowed: those of a uniform quantiser")
    return thresholds[:, 0], mean[:, 0], bits


def translate_multi_threshold(builder: NetworkBuilder) -> None:
    """Translate MultiThreshold with even thresholds t + i·d: the count is (x − t)/d + ½, rounded, kept in its range."""
    node, value = builder.node, builder.activation()
    if node.attributes.get("data_layout", "") not in LAYOUTS:
        node.refuse("has its channels on another axis than 1; allowed: NCHW")
    first, distance, bits = read_thresholds(builder)
    scale = float(check_scale(builder, np.array(node.attributes.get("out_scale", 1.0))))
    lowest = round(node.attributes.get("out_bias", 0.0) / scale)
    signed = lowest < 0
    if lowest * scale != node.attributes.get("out_bias", 0.0) or lowest != bounds(bits, signed)[0]:
        node.refuse(f"counts from {node.attributes.get('out_bias', 0.0):g}; allowed: 0, or all of a signed integer")
    factor = scale / distance
    offset = scale * (0.5 + lowest - first / distance)
    shape = (-1, *(1,) * (value.example.dim() - 2))
    parts = [torch.tensor(part, dtype=torch.float32).reshape(shape) for part in (factor, offset)]
    constants = [builder.graph.get_attr(builder.add(f"{node.name}_constant", part)) for part in parts]
    scaled = builder.graph.call_function(torch.mul, (builder.make_real(value), constants[0]))
    source = builder.graph.call_function(torch.add, (scaled, constants[1]))
    give_pending(builder, Activation(source, value.example), UniformQuantiser(scale, bits, signed))
