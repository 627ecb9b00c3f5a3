"""What the bench of an array sends and expects back: tiles of weights, vectors of activations, partial sums."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import signed, unsigned

from asq_model.spec.array import ArraySpec
from asq_model.spec.golden_vectors import GoldenLayer
from hw.multipliers import activation_shape
from sim.vectors.packing import pack_rows

GOLDEN_VECTORS = 64  # of a layer and tile
GOLDEN_TILES = 4  # of a layer


@dataclass(frozen=True)
class Tile:
    """Codes [R, C], activations [N, R], partial sums and expected sums [N, C · sums], a column's sums side by side."""

    name: str
    codes: np.ndarray
    activations: np.ndarray
    partial: np.ndarray
    expected: np.ndarray

    @classmethod
    def of(
        cls, spec: ArraySpec, name: str, codes: np.ndarray, activations: np.ndarray, partial: np.ndarray | None = None
    ) -> "Tile":
        """A tile with the specification's results; without `partial` the partial sums that come in are zero."""
        sums = np.stack(list(spec.compute_sums(codes, activations).values()), -1).reshape(len(activations), -1)
        partial = np.zeros_like(sums) if partial is None else partial
        return cls(name, codes, activations, partial, sums + partial)

    def pack_load(self, spec: ArraySpec) -> list[int]:
        """Pack the words of `load`: a row of codes each, the last row first."""
        return pack_rows(self.codes[::-1], [unsigned(spec.mac.level_set.code_bits)] * spec.columns)

    def pack_words(self, spec: ArraySpec) -> list[int]:
        """Pack the words of `i`: a vector of activations each."""
        return pack_rows(self.activations, [activation_shape(spec.mac)] * spec.rows)

    def pack_partial(self, spec: ArraySpec) -> list[int]:
        """Pack the words of `s`: a vector of partial sums each."""
        return pack_rows(self.partial, [signed(width) for width in spec.result_widths])

    def pack_expected(self, spec: ArraySpec) -> list[int]:
        """Pack the words expected of `o`: a vector of sums each."""
        return pack_rows(self.expected, [signed(width) for width in spec.result_widths])


def make_golden_tiles(spec: ArraySpec, layer: GoldenLayer, seed: int) -> Iterator[Tile]:
    """Make tiles of a layer's weights, spread over it, each with the layer's activations for its rows."""
    codes = layer.codes(spec.mac.level_set).astype(np.int64)  # [channels, terms]
    rng = np.random.default_rng(seed)
    channels, terms = codes.shape
    for index in range(GOLDEN_TILES):
        first = 0 if terms <= spec.rows else int(rng.integers(0, terms - spec.rows + 1))
        rows = np.arange(first, first + spec.rows) % terms
        columns = (np.arange(spec.columns) + index * spec.columns) % channels
        activations = layer.activations[:GOLDEN_VECTORS, rows].astype(np.int64)
        yield Tile.of(spec, f"{layer.name} tile {index}", codes[np.ix_(columns, rows)].T, activations)


def make_random_tile(spec: ArraySpec, seed: int, count: int) -> Tile:
    """Make a tile of random codes, activations and partial sums that leave room for the products."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 1 << spec.mac.level_set.code_bits, (spec.rows, spec.columns))
    activations = rng.choice(spec.mac.activations, (count, spec.rows))
    reach = [1 << width - 2 for width in spec.sum_widths.values()] * spec.columns
    room = np.abs(np.stack(list(spec.compute_sums(codes, activations).values()), -1)).reshape(count, -1)
    partial = np.clip(rng.integers(-np.array(reach), reach, room.shape), room - reach, reach - room)
    return Tile.of(spec, "random", codes, activations, partial)


def make_extreme_tiles(spec: ArraySpec) -> Iterator[Tile]:
    """Make tiles of one weight at its largest products, on sums that take the result to both ends of its range."""
    products = list(spec.mac.level_set.values)
    for code in (int(np.argmax(products)), int(np.argmin(products))):
        codes = np.full((spec.rows, spec.columns), code)
        extremes = [spec.mac.activations.min(), spec.mac.activations.max()]
        activations = np.repeat(np.array(extremes)[:, None], spec.rows, 1)
        sums = np.stack(list(spec.compute_sums(codes, activations).values()), -1).reshape(len(activations), -1)
        for side in (1, -1):
            widths = np.array(spec.result_widths)
            end = (1 << widths - 1) - 1 if side > 0 else -(1 << widths - 1)
            partial = np.where(sums * side > 0, end - sums, end)
            yield Tile.of(spec, f"code {code} to the {'top' if side > 0 else 'bottom'}", codes, activations, partial)
