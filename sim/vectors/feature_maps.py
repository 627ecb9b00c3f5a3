"""What the benches of ASQ's blocks send and expect: feature maps, with an adapter's constants, steps and codes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from asq_model.spec.adaptive_step import Adapter, Dense, Quantiser, channel_sums
from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.golden_vectors import GoldenMaps, read_maps
from asq_model.spec.rescale import Rescale


@dataclass(frozen=True)
class Maps:
    """Feature maps of one layer. N whole maps, K sums: channel sums of those and of more.

    inputs, codes: int [N, C, pixels]; steps: int [K]; adapter: constants as `adapter_layout` names them, or None for a
    fixed step; sums int [K, C], betas int [K]; unit_weights int [J, C], unit_biases, output_weights int [J].
    rescale: constants as `rescale_layout` names them, or None; totals, sides, outputs int [N, C', pixels'];
    multipliers, biases int [C'].
    """

    name: str
    bits: int
    signed: bool
    mantissa: int
    adapter: dict | None
    rescale: dict | None
    arrays: dict[str, np.ndarray] = field(repr=False)

    def __getattr__(self, name: str) -> np.ndarray:
        try:
            return self.__dict__["arrays"][name]
        except KeyError as error:
            raise AttributeError(name) from error

    @property
    def channels(self) -> int:
        return self.inputs.shape[1]

    @property
    def pixels(self) -> int:
        return self.inputs.shape[2]


def flat(array: np.ndarray) -> np.ndarray:
    """int64 [N, C, pixels] of maps [N, C, H, W]."""
    return array.reshape(*array.shape[:2], -1).astype(np.int64)


def golden_layer(layer: GoldenMaps) -> Maps:
    """A layer as exported, its expected values included."""
    maps = {name: flat(layer.arrays[name]) for name in ("inputs", "codes", "totals", "outputs") if name in layer.arrays}
    if "totals" in maps:
        maps["sides"] = flat(layer.arrays["sides"]) if "sides" in layer.arrays else np.zeros_like(maps["totals"])
    entry = layer.entry
    rescale = entry["rescale"]
    if rescale is not None:
        rescale = {name: int(rescale[name]) for name in ("scale_shift", "shift", "align", "relu")}
    return Maps(
        layer.name, entry["bits"], entry["signed"], entry["mantissa"], entry["adapter"], rescale, layer.arrays | maps
    )


def golden_layers(folder: Path) -> Iterator[Maps]:
    return (golden_layer(layer) for layer in read_maps(folder))


def signed_values(rng: np.random.Generator, bits: int, shape: tuple[int, ...]) -> np.ndarray:
    return rng.integers(-(1 << bits - 1), 1 << bits - 1, shape)


def made_layer(
    spec: BlockSpec, x: np.ndarray, seed: int, hidden: int, mantissa: int, beta: float = 1.0, spread: int = 4
) -> Maps:
    """Maps x int [N, C, pixels] with a random adapter whose β lies around `beta`, answered by the specification.

    spread: how many bits of β's fraction the map may change.
    """
    rng = np.random.default_rng(seed)
    channels, precision = x.shape[1], spec.precision
    weights = signed_values(rng, precision, (max(hidden, 1), channels))
    sums_shift = max(spec.sum_bits + precision - 1 + (channels - 1).bit_length() - precision - spread, 0)
    middle = int(beta * 2.0**precision)
    if hidden:
        first = Dense(weights, signed_values(rng, precision, (hidden,)), sums_shift)
        output_shift = 2 * precision - spread
        bias = middle << output_shift
        limit = 1 << spec.accumulator_bits - 2
        output_shift -= max(0, bias.bit_length() - limit.bit_length() + 1)
        output = Dense(
            signed_values(rng, precision, (1, hidden)) >> 4, np.array([middle << output_shift]), output_shift
        )
    else:
        first, output = None, Dense(weights, np.array([middle << sums_shift]), sums_shift)
    adapter = Adapter(first, output, 1 << max(precision - 4, 0), precision, spec.hidden_bits)
    quantiser = Quantiser(spec.activation_bits, spec.signed_activation, mantissa, 0, adapter)
    steps = quantiser.step(x)
    unit = first or output
    constants = {
        "hidden": hidden,
        "hidden_shift": first.shift if first else 0,
        "output_shift": output.shift,
        "output_bias": int(output.bias[0]) if first else 0,
        "floor": adapter.floor,
    }
    arrays = {
        "inputs": x,
        "sums": channel_sums(x),
        "betas": adapter(channel_sums(x)),
        "steps": steps,
        "codes": quantiser.codes(x, steps),
        "unit_weights": unit.weights,
        "unit_biases": unit.bias,
        "output_weights": output.weights[0] if first else np.zeros(1, np.int64),
    }
    return Maps("made", spec.activation_bits, spec.signed_activation, mantissa, constants, None, arrays)


def made_codes(spec: BlockSpec, x: np.ndarray, steps: np.ndarray) -> Maps:
    """Maps x int [N, C, pixels] with these steps, int [N], answered by the specification."""
    quantiser = Quantiser(spec.activation_bits, spec.signed_activation, 1, 0, None)
    arrays = {"inputs": x, "steps": steps, "codes": quantiser.codes(x, steps)}
    return Maps("made", spec.activation_bits, spec.signed_activation, 1, None, None, arrays)


def made_rescale(spec: BlockSpec, shape: tuple[int, int, int], seed: int) -> Maps:
    """Random sums [N, C, pixels] and constants, answered by the integer specification; some outputs saturate."""
    rng = np.random.default_rng(seed)
    precision = spec.precision
    steps = rng.integers(1, 1 << precision + 4, shape[0])
    rescale = Rescale(
        signed_values(rng, precision, (shape[1],)),
        signed_values(rng, spec.bias_bits - 3, (shape[1],)),
        int(rng.integers(precision - 1, precision + 3)),
        int(rng.integers(spec.bias_bits - precision - 4, spec.bias_bits - precision)),
        precision,
    )
    align, relu = int(rng.integers(0, spec.bias_bits - precision - 3)), bool(seed % 2)
    totals, sides = signed_values(rng, spec.total_bits, shape), signed_values(rng, precision, shape)
    outputs, _ = rescale.finish(rescale.total(totals, steps) + (sides << align), relu)
    arrays = {
        "inputs": np.zeros(shape, np.int64),
        "steps": steps,
        "totals": totals,
        "sides": sides,
        "outputs": outputs,
        "multipliers": rescale.multiplier,
        "biases": rescale.bias,
    }
    constants = {"scale_shift": rescale.scale_shift, "shift": rescale.shift, "align": align, "relu": int(relu)}
    return Maps("made", 1, False, 1, None, constants, arrays)


def block_specs(manifest: dict) -> list[BlockSpec]:
    """The blocks that a manifest's maps are for, each as large as its largest layer needs."""
    maps = manifest["maps"]
    adaptive = [entry for entry in maps if entry["adapter"] is not None]
    rescaled = [entry["rescale"] for entry in maps if entry["rescale"] is not None]
    specs = []

    def largest(entries: list[dict]) -> dict:
        return {what: max(entry[what] for entry in entries) for what in ("channels", "pixels")}

    def hidden(entries: list[dict]) -> int:
        return max(1, *(entry["adapter"]["hidden"] for entry in entries))

    if adaptive:
        specs.append(BlockSpec("channel-sums", **largest(adaptive)))
        specs.append(BlockSpec("adapter", **largest(adaptive), hidden=hidden(adaptive)))
    for codes in dict.fromkeys((entry["bits"], entry["signed"]) for entry in maps):
        alike = [entry for entry in maps if (entry["bits"], entry["signed"]) == codes]
        kinds = {"activation_bits": codes[0], "signed_activation": codes[1]}
        specs.append(BlockSpec("quantiser", precision=max(entry["input_bits"] for entry in alike), **kinds))
        steps = [entry for entry in alike if entry["adapter"] is not None]
        if steps:
            buffer = max(4, 2 * max(entry["channels"] * entry["pixels"] for entry in steps))
            specs.append(BlockSpec("adapter-step", **largest(steps), **kinds, hidden=hidden(steps), buffer=buffer))
    if rescaled:
        bits = max(entry["total_bits"] for entry in rescaled)
        specs.append(BlockSpec("rescale", **largest(rescaled), total_bits=max(bits, 16)))
    return specs
