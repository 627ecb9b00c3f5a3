"""What a bench sends to a unit and expects back: operand words and results, with a name for each dot product."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asq_model.spec.golden_vectors import GoldenLayer, read_golden
from asq_model.spec.mac import MacSpec
from hw.mac.operands import operand_layout, pair_layout
from sim.vectors.packing import WordPacker


@dataclass(frozen=True)
class Workload:
    """Dot products over weight codes and activation values, with the results that are expected.

    `codes` and `activations` hold the operands of all of them one after the other, `ends[k]` where the k-th stops.
    """

    name: str
    codes: np.ndarray
    activations: np.ndarray
    ends: np.ndarray
    expected: np.ndarray

    @classmethod
    def of(cls, spec: MacSpec, name: str, terms: list[tuple[np.ndarray, np.ndarray]]) -> "Workload":
        """Dot products given as (codes, activations), their expected results from the integer specification."""
        return cls(
            name,
            np.concatenate([codes for codes, _ in terms]),
            np.concatenate([activations for _, activations in terms]),
            np.cumsum([len(codes) for codes, _ in terms]),
            np.array([spec.dot(codes, activations) for codes, activations in terms], np.int64),
        )

    @property
    def products(self) -> int:
        """How many products all dot products have together."""
        return len(self.codes)

    def pack_words(self, spec: MacSpec) -> list[int]:
        """Pack the operands as words of the unit's `operand_layout`, the first lane lowest.

        A dot product is filled up with zero weights. Raises InputError for codes and activations that do not fit.
        """
        fields = {"weight": self.codes, "activation": self.activations.astype(np.int64)}
        if spec.shared:
            patterns = spec.find_patterns(self.activations)
            fields |= {name: table[patterns] for name, table in spec.multiples.items()}
        pair, last = WordPacker(pair_layout(spec)), 1 << operand_layout(spec)["last"].offset
        pairs, place = pair.pack_words(np.stack([fields[name] for name in pair.names], -1)), pair_layout(spec).size
        zero = int(spec.level_set.codes[spec.level_set.values[spec.level_set.codes] == 0][0])
        words = []
        for start, end in zip(np.concatenate([[0], self.ends[:-1]]).tolist(), self.ends.tolist(), strict=True):
            beats = [pairs[first : min(first + spec.lanes, end)] for first in range(start, end, spec.lanes)]
            beats[-1] += [zero] * (spec.lanes - len(beats[-1]))
            words += [sum(pair << lane * place for lane, pair in enumerate(beat)) for beat in beats]
            words[-1] |= last
        return words

    def count_beats(self, spec: MacSpec) -> int:
        """Count how many words there are: each dot product takes a whole number."""
        lengths = np.diff(self.ends, prepend=0)
        return int((-(-lengths // spec.lanes)).sum())


def split_by_parity(spec: MacSpec, codes: np.ndarray, activations: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The terms of one dot product in two: odd half-exponents first, then the others; without a part that is empty."""
    odd = spec.level_set.odd[codes] != 0
    return [(codes[part], activations[part]) for part in (odd, ~odd) if part.any()]


def make_golden_workload(spec: MacSpec, layer: GoldenLayer) -> Workload:
    """Make a workload of a layer's golden vectors, with the results stored for this unit, or its own if none are."""
    vectors, terms = layer.activations.shape
    codes = layer.codes(spec.level_set)[layer.channels].astype(np.int64)
    activations = layer.activations.astype(np.int64)
    if spec.unit == "post-sorted":
        pairs = zip(codes, activations, strict=True)
        return Workload.of(spec, layer.name, [part for pair in pairs for part in split_by_parity(spec, *pair)])
    ends = np.arange(1, vectors + 1) * terms
    expected = layer.expected(spec) if layer.has(spec) else spec.dot(codes, activations)
    return Workload(layer.name, codes.reshape(-1), activations.reshape(-1), ends, expected)


def make_random_workload(spec: MacSpec, seed: int, dots: int = 60, longest: int = 40) -> Workload:
    """Make dot products of random lengths, codes and activations; every fourth has one term only."""
    rng = np.random.default_rng(seed)
    terms = []
    for index in range(dots):
        length = 1 if index % 4 == 0 else int(rng.integers(1, min(longest, spec.depth) + 1))
        codes = rng.integers(0, 1 << spec.level_set.code_bits, length)
        terms.append((codes, rng.choice(spec.activations, length)))
    return Workload.of(spec, "random", terms)


def make_product_workload(spec: MacSpec) -> Workload:
    """Make the workload of every weight code times every activation value, each a dot product of its own."""
    codes = np.repeat(np.arange(1 << spec.level_set.code_bits), 1 << spec.activation_bits)
    activations = np.tile(spec.activations, 1 << spec.level_set.code_bits)
    ends = np.arange(1, len(codes) + 1)
    return Workload("products", codes, activations, ends, spec.dot(codes[:, None], activations[:, None]))


def make_extreme_workload(spec: MacSpec) -> Workload:
    """Make three of the longest dot products, with the largest, the smallest and again the largest sum there can be.

    Every bit of the accumulator has to move from one to the next.
    """
    values = np.outer(spec.level_set.values, spec.activations)
    terms = []
    for index in (values.argmax(), values.argmin(), values.argmax()):
        code, pattern = np.unravel_index(index, values.shape)
        terms.append((np.full(spec.depth, code), np.full(spec.depth, spec.activations[pattern])))
    return Workload.of(spec, "extremes", terms)


def make_golden_workloads(spec: MacSpec, folder: Path) -> Iterator[Workload]:
    """Make one workload per golden layer whose operands are as wide as the unit's."""
    for layer in read_golden(folder):
        if layer.fits(spec):
            yield make_golden_workload(spec, layer)
