"""Maps that the benches make up: random ones of all sizes, and extreme ones."""

from collections.abc import Iterator
from itertools import product

import numpy as np

from asq_model.spec.asq_blocks import BlockSpec
from asq_model.spec.precision import GUARD
from sim.vectors.feature_maps import LayerMaps
from sim.vectors.made_up_maps import make_signed_values, make_up_adapter, make_up_codes, make_up_rescale


def fits(spec: BlockSpec, maps: LayerMaps) -> bool:
    """Whether a golden layer has what this block is sent."""
    if spec.unit == "rescale":
        return maps.rescale is not None
    quantiser = maps.quantiser
    if quantiser is None or (maps.adapter is None and spec.unit != "quantiser"):
        return False
    same_codes = (quantiser.bits, quantiser.signed) == (spec.activation_bits, spec.signed_activation)
    return same_codes or spec.unit in ("channel-sums", "adapter")


def make_random_values(spec: BlockSpec, rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    """Make random maps; of unsigned codes mostly positive ones, as after ReLU."""
    x = make_signed_values(rng, spec.precision, shape)
    return x if spec.signed_activation else np.where(rng.random(shape) < 0.9, np.maximum(x, ~x), x)


def find_most_pixels(spec: BlockSpec, words: int, limit: int) -> int:
    """Find the most pixels of a map with that many words a pixel: about `limit` words in all, twice in the buffer."""
    room = min(limit, spec.buffer // 2) if spec.unit == "adapter-step" else limit
    return max(1, min(spec.pixels, room // words))


def make_random_cases(spec: BlockSpec, seed: int, count: int) -> Iterator[LayerMaps]:
    """Make maps of random sizes within the block's, at most some hundred words each, adapters of both forms in turn."""
    rng = np.random.default_rng(seed)
    for index in range(count):
        words = int(rng.integers(1, min(spec.words, 24) + 1))
        pixels = int(rng.integers(1, find_most_pixels(spec, words, 400) + 1))
        shape = (int(rng.integers(2, 5)), words * spec.lanes, pixels)
        if spec.unit == "rescale":
            yield make_up_rescale(spec, shape, seed * 100 + index)
            continue
        if spec.unit == "quantiser":
            steps = rng.integers(1, 1 << int(rng.integers(2, spec.step_bits + 1)), shape[0])
            yield make_up_codes(spec, make_random_values(spec, rng, shape), steps)
            continue
        hidden = 0 if index % 2 else int(rng.integers(1, spec.hidden + 1))
        mantissa = int(rng.integers(1, 1 << spec.precision + 6 - int(rng.integers(0, spec.activation_bits + 2))))
        yield make_up_adapter(spec, make_random_values(spec, rng, shape), seed * 100 + index, hidden, mantissa)


def make_edge_cases(spec: BlockSpec, rng: np.random.Generator) -> LayerMaps:
    """Values exactly between two codes, the values just below and just above, for steps of all sizes."""
    codes = np.arange(-(1 << spec.activation_bits), (1 << spec.activation_bits) + 1)
    halves = 1 << np.arange(spec.precision - spec.activation_bits - 2)  # half a step, in units of the input's last bit
    offsets = np.array([-1, 0, 1])
    x = halves[:, None, None] * (2 * codes[:, None] - 1) + offsets
    x = np.clip(x, -(1 << spec.precision - 1), (1 << spec.precision - 1) - 1).reshape(len(halves), 1, -1)
    x = np.repeat(x, spec.lanes, axis=1)
    return make_up_codes(spec, x, halves * 2 << GUARD)


def list_extreme_steps(spec: BlockSpec) -> list[int]:
    """List the steps at which a quantiser may go wrong: at both ends, and around those that change what it divides."""
    edge = 1 << spec.mantissa_bits  # beyond it every code is 0
    smallest = edge >> spec.activation_bits
    return [1, 2, edge - 1, edge, edge + 1, (1 << spec.step_bits) - 1, smallest, smallest + 1]


def make_extreme_cases(spec: BlockSpec, seed: int) -> Iterator[LayerMaps]:
    """Make zero and saturated maps, the smallest and the largest; steps and β at both ends."""
    rng = np.random.default_rng(seed)
    low, high = -(1 << spec.precision - 1), (1 << spec.precision - 1) - 1
    words = spec.words if spec.unit != "adapter-step" else min(spec.words, spec.buffer // 2)
    largest, smallest = (2, words * spec.lanes, find_most_pixels(spec, words, 1024)), (4, spec.lanes, 1)
    if spec.unit == "rescale":
        for index, shape in enumerate((largest, smallest, largest)):
            yield make_up_rescale(spec, shape, seed + index)
        return
    if spec.unit == "quantiser":  # which has no state: no larger map shows more
        largest = (2, spec.lanes, 64)
    maps = [
        np.zeros(largest, np.int64),
        np.full(largest, low),
        np.full(largest, high),
        make_random_values(spec, rng, smallest),
    ]
    maps += [np.where(rng.random(largest) < 0.5, low, high)]
    if spec.unit == "quantiser":
        for step, x in product(list_extreme_steps(spec), maps):
            yield make_up_codes(spec, x, np.full(len(x), step))
        yield make_edge_cases(spec, rng)
        return
    top, middle = (1 << spec.mantissa_bits) - 1, 1 << spec.precision
    ends = ((1, 1.0), (top, 1.0), (top, 40.0), (middle, -3.0), (middle, 0.1))
    for index, x in enumerate(maps):
        for mantissa, beta in ends[:1] if spec.unit == "channel-sums" else ends:  # sums are the same for all
            yield make_up_adapter(spec, x, seed + index, spec.hidden if index % 2 else 0, mantissa, beta)
