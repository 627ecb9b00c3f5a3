"""A network as a program of terms: its cycles by schedule, and what its lanes and its copies of maps would take.

The other organisation of an engine, beside arrays. A weight is a few terms ±2^k, or ±√2·2^k; zeros are none. A lane
holds a pixel and an output channel, and adds K terms a cycle, the largest first; its sum doubles in between (Horner's
rule). P lanes with the same program work on P pixels, G programs on G output channels.

    cycles of a layer = FILL + tiles of P pixels · Σ_groups of G channels max(cycles of a channel, P · G / L)
    cycles of a channel = pieces of a code · Σ_k max(1, ⌈terms of 2^k / K⌉)

The schedule is a bound in favour of such an engine. It has each term's activation when it is wanted, writes all copies
of a map at no cost, never waits for a step or for another image, and adds √2 times one sum to another for nothing.
"""

from collections.abc import Iterator
from math import ceil
from pathlib import Path

import numpy as np
from msgspec import Struct

from asq_model.common.files import write_text
from asq_model.common.records import Count, Positive, Whole
from asq_model.spec.graph.graph import Graph
from hw.emit import to_verilog
from hw.engine.engine_spec import EngineSpec
from hw.engine.memory_map import MemorySize
from sim.engine.term_lane import TermLane
from sim.measure.yosys_area import Area, measure_area
from sim.workspace import Workspace

PIXELS = 32  # a row of ResNet-8's largest maps
LANE_SIZES = ((8, 3), (8, 4), (16, 3), (16, 4))  # programs, terms of each a cycle
FILL = 24  # cycles in which a layer's first terms and last sums are on their way
PROGRAM_FAMILY = "xc7"  # whose cells lanes are made of


class TermProgram(Struct, frozen=True):
    """An engine of `programs` · `pixels` lanes of `terms` terms each, as far as it was measured.

    weight_terms: terms a weight, over the layers of narrow codes. blocks: of memory, for the copies of maps.
    """

    programs: Whole
    pixels: Whole
    terms: Whole
    weight_terms: Positive
    cycles: Whole
    lane: Area
    blocks: Count


def split_digits(level: int) -> list[tuple[int, int]]:
    """Split an integer into the fewest terms ±2^k, no two next to each other: k and sign of each, the lowest first."""
    terms = []
    place = 0
    while level:
        if level & 1:
            sign = 2 - (level & 3)
            terms.append((place, sign))
            level -= sign
        level >>= 1
        place += 1
    return terms


def count_terms(levels: np.ndarray) -> np.ndarray:
    """Count how many terms of each 2^k levels [N] have: int [digits]."""
    found = np.zeros(1, np.int64)
    for level, count in zip(*np.unique(levels, return_counts=True), strict=True):
        for place, _ in split_digits(int(level)):
            found = np.pad(found, (0, max(0, place + 1 - len(found))))
            found[place] += count
    return found


def count_cycles(terms: np.ndarray, at_once: int) -> int:
    """Count the cycles in which a lane adds terms [digits], `at_once` in each; an empty digit takes one, to double."""
    return int(np.maximum(1, -(-terms // at_once)).sum())


def group_levels(levels: np.ndarray) -> Iterator[np.ndarray]:
    """Levels in groups with the same odd factor, 1, 3, 5 …, divided by it.

    A group's sum is multiplied by the factor once, when it is whole.
    """
    factors = np.abs(levels) // np.maximum(levels & -levels, 1)
    for factor in np.unique(factors[factors > 0]):
        yield levels[factors == factor] // factor


def count_channel_cycles(even: np.ndarray, odd: np.ndarray | None, pieces: int, at_once: int) -> int:
    """Count the cycles of an output channel with levels even + odd·√2 [N], in the cheapest way that there is."""
    if odd is not None:
        terms = [count_terms(part) for part in (even, odd)]
        return pieces * sum(count_cycles(part, at_once) for part in terms)
    by_factor = sum(count_cycles(count_terms(part), at_once) for part in group_levels(even))
    return pieces * max(1, min(count_cycles(count_terms(even), at_once), by_factor))


def pieces_of(code_bits: int, activation_bits: int) -> int:
    """How many activations of the inner layers' width a code of another layer is."""
    return ceil(code_bits / activation_bits)


def count_network_cycles(graph: Graph, programs: int, at_once: int, spec: EngineSpec) -> int:
    """Count the cycles of an image; spec: of the engine whose way out these sums take too."""
    total = 0
    for node in graph.convolutions():
        even, odd = node.products.even, node.products.odd
        pieces = pieces_of(node.quantiser.bits, spec.mac.activation_bits)
        channels = sorted(
            count_channel_cycles(even[place], None if odd is None else odd[place], pieces, at_once)
            for place in range(len(even))
        )
        pixels = int(np.prod(graph.tensors[node.name].shape[1:]))
        groups = [channels[start : start + programs] for start in range(0, len(channels), programs)]
        way_out = [ceil(len(group) * min(PIXELS, pixels) / spec.lanes) for group in groups]
        tile = sum(max(*group, out) for group, out in zip(groups, way_out, strict=True))
        total += FILL + ceil(pixels / PIXELS) * tile
    return total


def count_weight_terms(graph: Graph, spec: EngineSpec) -> float:
    """Count the terms a weight of the layers whose codes the products take whole; 0 where there is no such layer."""
    terms = weights = 0
    for node in graph.convolutions():
        if node.quantiser.bits <= spec.mac.activation_bits:
            even, odd = node.products.even, node.products.odd
            terms += int(np.count_nonzero(even)) + (0 if odd is None else int(np.count_nonzero(odd)))
            weights += even.size
    return terms / weights if weights else 0.0


def count_map_copies(graph: Graph, programs: int, at_once: int, spec: EngineSpec) -> MemorySize:
    """Count the copies of the largest map of codes that has to be whole: one for each term of a cycle."""
    rows = 0
    for node in graph.convolutions():
        channels, height, width = graph.input_of(node).shape
        pieces = pieces_of(node.quantiser.bits, spec.mac.activation_bits)
        rows = max(rows, channels * pieces * ceil(height * width / PIXELS))
    return MemorySize("copies of maps", rows, PIXELS * spec.mac.activation_bits, programs * at_once)


def measure_lane(terms: int, spec: EngineSpec, root: Path) -> Area:
    """Measure the cells of a lane of 7-series. Raises InputError."""
    lane = TermLane(terms, spec.mac.activation_bits, spec.sum_bits)
    top = f"term_lane_{terms}_{spec.mac.activation_bits}_{spec.sum_bits}"  # of its size, as is the area kept by it
    verilog = Workspace(root).verilog_file(top)
    write_text(verilog, to_verilog(lane, top, f"a lane of {terms} terms a cycle"))
    return measure_area(verilog, top, PROGRAM_FAMILY, False, root)


def measure_programs(graph: Graph, spec: EngineSpec, root: Path) -> list[TermProgram]:
    """Measure a network as programs of terms, in each of LANE_SIZES; none where products take no layer's codes whole.

    spec: of the engine of arrays that it is compared with. Raises InputError.
    """
    if not count_weight_terms(graph, spec):
        return []
    lanes = {terms: measure_lane(terms, spec, root) for terms in sorted({terms for _, terms in LANE_SIZES})}
    return [
        TermProgram(
            programs=programs,
            pixels=PIXELS,
            terms=terms,
            weight_terms=count_weight_terms(graph, spec),
            cycles=count_network_cycles(graph, programs, terms, spec),
            lane=lanes[terms],
            blocks=count_map_copies(graph, programs, terms, spec).count_blocks(PROGRAM_FAMILY),
        )
        for programs, terms in LANE_SIZES
    ]
