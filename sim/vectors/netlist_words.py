"""What the gates of a unit or an array are driven with to see them work: words, one a cycle, and the results due."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from asq_model.common.errors import InputError
from asq_model.spec.array import ArraySpec
from asq_model.spec.golden_vectors import GoldenLayer, read_golden
from asq_model.spec.mac import MacSpec
from sim.vectors.array_tiles import Tile, make_golden_tiles
from sim.vectors.bit_planes import cut_bit_planes
from sim.vectors.dot_products import Workload, make_golden_workloads
from sim.vectors.packing import unpack_word

SEED = 1  # which tiles of a layer an array gets


@dataclass(frozen=True)
class Stimulus:
    """The words that drive the gates of a netlist, and the words that they must answer.

    words: of a unit, its input payloads; of an array, `i.payload`, `load.payload`, `i.valid` and `load.valid`, the
    first lowest. expected: the signed sums of all result words one after the other, each with the name of its dot
    product. widths: of the sums in one result word, the first lowest. products: how many all this makes.
    """

    words: list[int]
    expected: list[tuple[str, int]]
    widths: list[int]
    products: int

    def check(self, name: str, results: list[int]) -> None:
        """Raises InputError unless these result words of the gates of `name` are those expected."""
        values = [value for word in results for value in unpack_word(word, self.widths)]
        for (where, expected), got in zip(self.expected, values, strict=False):
            if got != expected:
                raise InputError(f"gates of {name} compute wrongly: {where}: expected {expected}, got {got}")
        if len(values) != len(self.expected):
            raise InputError(f"gates of {name} gave {len(values)} results of {len(self.expected)}")


def take_products(workload: Workload, products: int) -> Workload:
    """Take a workload's first dot products, whole ones, as many as it takes to have `products` products."""
    dots = int(np.searchsorted(workload.ends, products)) + 1
    end = int(workload.ends[:dots][-1])
    return replace(
        workload,
        codes=workload.codes[:end],
        activations=workload.activations[:end],
        ends=workload.ends[:dots],
        expected=workload.expected[:dots],
    )


def make_unit_parts(spec: MacSpec, golden: Path, products: int) -> Iterator[Stimulus]:
    """Make the words that drive a unit's gates: a part for each golden layer, until they make `products` products."""
    for whole in make_golden_workloads(spec, golden):
        workload = take_products(whole, products)
        expected = [(f"{workload.name} vector {vector}", int(sum_)) for vector, sum_ in enumerate(workload.expected)]
        yield Stimulus(workload.pack_words(spec), expected, [spec.result_width], workload.products)
        products -= workload.products
        if products <= 0:
            return


def pack_array(spec: ArraySpec, tile: Tile) -> list[int]:
    """Pack a tile: its weights, a row each, then its activations. A payload that is not valid stays as it was."""
    i_width, load_width = spec.rows * spec.mac.activation_bits, spec.columns * spec.mac.level_set.code_bits
    vectors, loads = tile.pack_words(spec), tile.pack_load(spec)
    i_valid = 1 << i_width + load_width
    loading = [vectors[0] | load << i_width | i_valid << 1 for load in loads]
    return loading + [vector | loads[-1] << i_width | i_valid for vector in vectors]


def choose_array_layers(spec: ArraySpec, golden: Path, cut_bits: int) -> Iterator[GoldenLayer]:
    """Choose the golden layers of an array's operands; cut_bits: each bit of those with weights of so many bits."""
    for layer in read_golden(golden):
        if not cut_bits and layer.fits(spec.mac):
            yield layer
        elif layer.entry["weight_bits"] == cut_bits:
            yield from cut_bit_planes(layer, spec.mac)


def make_array_parts(spec: ArraySpec, golden: Path, products: int, cut_bits: int) -> Iterator[Stimulus]:
    """Make the words that drive an array's gates: a part for each golden tile, until they make `products` products."""
    for layer in choose_array_layers(spec, golden, cut_bits):
        for tile in make_golden_tiles(spec, layer, SEED):
            if products <= 0:
                return
            expected = [
                (f"{tile.name} vector {vector} sum {index}", value)
                for vector, sums in enumerate(tile.expected.tolist())
                for index, value in enumerate(sums)
            ]
            count = len(tile.activations) * spec.rows * spec.columns
            yield Stimulus(pack_array(spec, tile), expected, spec.result_widths, count)
            products -= count


def make_stimulus(spec: MacSpec | ArraySpec, golden: Path, products: int, cut_bits: int = 0) -> Stimulus:
    """Make the words that drive a netlist's gates: golden vectors, layer by layer, until they make `products` products.

    cut_bits: not 0 for an array that takes weights of so many bits bit by bit. Raises InputError where the golden
    vectors hold nothing for the unit.
    """
    if products < 1:
        raise InputError(f"products is {products}; allowed: 1 or more")
    if isinstance(spec, ArraySpec):
        parts = list(make_array_parts(spec, golden, products, cut_bits))
    else:
        parts = list(make_unit_parts(spec, golden, products))
    if not parts:
        raise InputError(f"golden vectors {golden} hold no operands for unit {spec.name}")

    return Stimulus(
        [word for part in parts for word in part.words],
        [result for part in parts for result in part.expected],
        parts[0].widths,
        sum(part.products for part in parts),
    )
