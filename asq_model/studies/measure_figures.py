"""Measure what the paper's figures 1, 4, 5 and 6 show, of trained networks and the images that they see."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from asq_model.quantisation.convert import inner_layers, quantised_layers
from asq_model.studies.figure_networks import Networks, measure_errors, observe_block_outputs, observe_layer_inputs
from asq_model.studies.figure_records import (
    COMPARED_BITS,
    METHODS,
    Activations,
    Codes,
    Errors,
    FiguresReport,
    Histogram,
    Plots,
    Spread,
)

DIGITS = 6  # significant ones that the record keeps


def make_report(networks: Networks, note: str = "") -> FiguresReport:
    """Make the record that the figures and their page come from. note: what else there is to say of the data."""
    return {
        "network": networks.name,
        "low_bits": networks.low_bits,
        "images": len(networks.images),
        "made": networks.origins,
        "data": networks.data,
        "note": note,
        "plots": measure_plots(networks),
    }


def measure_plots(networks: Networks) -> Plots:
    """Measure all that the figures show."""
    wanted = observe_block_outputs(networks.full, networks.images)
    return {
        "activations": measure_activations(networks),
        "codes": {method: measure_codes(networks, method) for method in METHODS},
        "blocks": list(wanted),
        "distances": {method: measure_distances(networks, method, wanted) for method in METHODS},
        "layers": [name for name, _ in inner_layers(networks.quantised[METHODS[0], COMPARED_BITS])],
        "errors": {method: measure_input_errors(networks, method) for method in METHODS},
    }


def measure_activations(networks: Networks) -> Activations:
    """Measure the input of a middle layer for three images, and its weights, in full precision."""
    inputs = observe_layer_inputs(networks.full, networks.images)
    name = pick_middle(list(inputs))
    x = inputs[name].flatten(1)
    order = x.mean(1).argsort()
    edges = np.linspace(0, float(x.quantile(0.999)) if x.numel() < 1 << 24 else float(x.max()), 60)
    chosen = {"smallest mean": order[0], "median": order[len(order) // 2], "largest mean": order[-1]}
    weights = networks.full.get_submodule(name).get_parameter("weight").detach().flatten().numpy()
    return {
        "layer": name,
        "images": {which: count_values(x[index].numpy(), edges, density=True) for which, index in chosen.items()},
        "weights": count_values(weights, np.histogram_bin_edges(weights, 80), density=True),
    }


def pick_middle(names: list[str]) -> str:
    """A layer that is neither the first nor the last."""
    return names[len(names) // 2]


def count_values(values: np.ndarray, edges: np.ndarray, density: bool = False) -> Histogram:
    """Count the values between edges; values beyond the outer ones are left out."""
    counts, _ = np.histogram(values, edges, density=density)
    return {"edges": shorten(edges), "counts": shorten(counts)}


def shorten(values: Iterable[float]) -> list[float]:
    """Keep some significant digits of each number."""
    return [float(f"{float(value):.{DIGITS}g}") for value in values]


def measure_codes(networks: Networks, method: str) -> Codes:
    """Measure the input of a middle layer at few bits, before and after quantisation, and the use of each code."""
    bits = networks.low_bits
    model = networks.quantised[method, bits]
    inputs = observe_layer_inputs(model, networks.images)
    name = pick_middle(list(inputs))
    x, quantiser = inputs[name], dict(quantised_layers(model))[name].activation_quantiser
    with torch.no_grad():
        after = quantiser(x)
    codes, _ = quantiser.encode(x)
    edges = np.linspace(0, float(x.flatten()[::7].quantile(0.9995)), 120)
    share = torch.bincount(codes.flatten(), minlength=1 << bits).numpy() / codes.numel()
    return {
        "layer": name,
        "before": count_values(x.flatten().numpy(), edges),
        "after": count_values(after.flatten().numpy(), edges),
        "shares": shorten(share),
    }


def measure_distances(networks: Networks, method: str, wanted: dict[str, Tensor]) -> list[float]:
    """Measure the mean over images of ‖full precision − quantised‖₂ after each residual block."""
    outputs = observe_block_outputs(networks.quantised[method, COMPARED_BITS], networks.images)
    return shorten(float((outputs[name] - wanted[name]).flatten(1).norm(dim=1).mean()) for name in wanted)


def measure_input_errors(networks: Networks, method: str) -> Errors:
    """Measure the error that rounding and clipping make in each low-bit layer's input."""
    model = networks.quantised[method, COMPARED_BITS]
    inputs = observe_layer_inputs(model, networks.images)
    pairs = [measure_errors(layer, inputs[name]) for name, layer in inner_layers(model)]
    return {
        "rounding": spread_of([rounding for rounding, _ in pairs]),
        "clipping": spread_of([clipping for _, clipping in pairs]),
        "whole": spread_of([rounding.hypot(clipping) for rounding, clipping in pairs]),  # no value has both
    }


def spread_of(norms: list[Tensor]) -> Spread:
    """Mean and standard deviation over images of each layer's norms."""
    means, deviations = [float(norm.mean()) for norm in norms], [float(norm.std()) for norm in norms]
    return {"means": shorten(means), "deviations": shorten(deviations)}
