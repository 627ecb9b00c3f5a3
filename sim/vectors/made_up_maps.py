"""Feature maps that the test benches make up: random parameters, answered by the integer specification."""

import numpy as np

from asq_model.spec.adaptive_step import IntegerAdapter, IntegerDense, IntegerQuantiser, sum_channels
from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.rescale import Rescale
from sim.vectors.feature_maps import AdapterMaps, LayerMaps, QuantiserMaps, RescaleMaps

NAME = "made"  # stands for a layer's name in messages


def make_signed_values(rng: np.random.Generator, bits: int, shape: tuple[int, ...]) -> np.ndarray:
    """Make random integers of `bits` bits, two's complement."""
    return rng.integers(-(1 << bits - 1), 1 << bits - 1, shape)


def make_random_adapter(
    spec: BlockSpec, channels: int, seed: int, hidden: int, beta: float, spread: int
) -> tuple[IntegerDense | None, IntegerDense]:
    """Make (hidden layer or None, output layer) of random weights, whose β lies around `beta`.

    spread: how many bits of β's fraction the map may change.
    """
    rng = np.random.default_rng(seed)
    precision = spec.precision
    weights = make_signed_values(rng, precision, (max(hidden, 1), channels))
    sums_shift = max(spec.sum_bits + precision - 1 + (channels - 1).bit_length() - precision - spread, 0)
    middle = int(beta * 2.0**precision)
    if not hidden:
        return None, IntegerDense(weights, np.array([middle << sums_shift]), sums_shift)
    first = IntegerDense(weights, make_signed_values(rng, precision, (hidden,)), sums_shift)
    output_shift = 2 * precision - spread
    bias = middle << output_shift
    limit = 1 << spec.accumulator_bits - 2
    output_shift -= max(0, bias.bit_length() - limit.bit_length() + 1)
    output_weights = make_signed_values(rng, precision, (1, hidden)) >> 4
    return first, IntegerDense(output_weights, np.array([middle << output_shift]), output_shift)


def make_up_adapter(
    spec: BlockSpec, x: np.ndarray, seed: int, hidden: int, mantissa: int, beta: float = 1.0, spread: int = 4
) -> LayerMaps:
    """Make maps x int [N, C, pixels] with a random adapter of `hidden` neurons (0: none) whose β lies around `beta`.

    spread: how many bits of β's fraction the map may change.
    """
    first, output = make_random_adapter(spec, x.shape[1], seed, hidden, beta, spread)
    adapter = IntegerAdapter(first, output, 1 << max(spec.precision - 4, 0), spec.precision, spec.hidden_bits)
    quantiser = IntegerQuantiser(spec.activation_bits, spec.signed_activation, mantissa, 0, adapter)
    steps, sums = quantiser.compute_step(x), sum_channels(x)
    neurons = first or output
    return LayerMaps(
        NAME,
        QuantiserMaps(
            spec.activation_bits, spec.signed_activation, mantissa, x, steps, codes=quantiser.encode(x, steps)
        ),
        AdapterMaps(
            hidden=hidden,
            hidden_shift=first.shift if first else 0,
            output_shift=output.shift,
            output_bias=int(output.bias[0]) if first else 0,
            floor=adapter.floor,
            neuron_weights=neurons.weights,
            neuron_biases=neurons.bias,
            output_weights=output.weights[0] if first else np.zeros(1, np.int64),
            sums=sums,
            betas=adapter(sums),
        ),
    )


def make_up_codes(spec: BlockSpec, x: np.ndarray, steps: np.ndarray) -> LayerMaps:
    """Make maps x int [N, C, pixels] with these steps, int [N]."""
    quantiser = IntegerQuantiser(spec.activation_bits, spec.signed_activation, 1, 0, None)
    codes = quantiser.encode(x, steps)
    return LayerMaps(NAME, QuantiserMaps(spec.activation_bits, spec.signed_activation, 1, x, steps, codes))


def make_up_rescale(spec: BlockSpec, shape: tuple[int, int, int], seed: int) -> LayerMaps:
    """Make random sums [N, C, pixels] and constants; some outputs saturate."""
    rng = np.random.default_rng(seed)
    precision = spec.precision
    steps = rng.integers(1, 1 << precision + 4, shape[0])
    rescale = Rescale(
        make_signed_values(rng, precision, (shape[1],)),
        make_signed_values(rng, spec.bias_bits - 3, (shape[1],)),
        int(rng.integers(precision - 1, precision + 3)),
        int(rng.integers(spec.bias_bits - precision - 4, spec.bias_bits - precision)),
        precision,
    )
    align, relu = int(rng.integers(0, spec.bias_bits - precision - 3)), bool(seed % 2)
    totals, sides = make_signed_values(rng, spec.total_bits, shape), make_signed_values(rng, precision, shape)
    outputs, _ = rescale.finish(rescale.scale_sums(totals, steps) + (sides << align), relu)
    return LayerMaps(
        NAME,
        rescale=RescaleMaps(
            scale_shift=rescale.scale_shift,
            shift=rescale.shift,
            align=align,
            relu=relu,
            multipliers=rescale.multiplier,
            biases=rescale.bias,
            steps=steps,
            totals=totals,
            sides=sides,
            outputs=outputs,
        ),
    )
