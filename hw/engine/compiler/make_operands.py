"""How an engine can multiply a layer: the fewest passes over its words of codes, or why there are none.

An engine's codes are unsigned: signed ones are moved by half their range, which adds a constant to each sum. A fixed
step's bias takes it away. Where a step adapts, every pass is followed by one with the weights' negatives, in which
all places lie beyond the map, where codes stand for zero: what moving adds is then 0.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from math import prod

import numpy as np

from asq_model.common.errors import InputError
from asq_model.spec.graph.convolution import Convolution
from asq_model.spec.graph.round_products import make_root_table
from hw.engine.compiler.layer_operands import Operands, Words
from hw.engine.compiler.passes import Pass, find_best_packing, make_packed_slots, make_passes, radix_bits_of
from hw.engine.compiler.pick_steps import NO_PICKS, pick_steps
from hw.engine.compiler.place_terms import split_places
from hw.engine.compiler.terms import Terms, piece_bits_of, split_weights
from hw.engine.engine_spec import MOST_PASSES, MOST_PIECES, MOST_PLACES, EngineSpec


def make_operands(spec: EngineSpec, node: Convolution, channels: int, may_pack: bool) -> Operands:
    """The way to multiply a layer that takes the fewest steps. Raises InputError where the engine's products have none.

    channels: of the layer's input. may_pack: whether a word may hold channels, or pieces of their codes, several times.
    """
    quantiser, products = node.quantiser, node.products
    radix = radix_bits_of(spec)
    piece_bits, own = piece_bits_of(spec.mac, radix), spec.mac.activation_bits
    check_roots(spec, node)
    negates = quantiser.signed and quantiser.adapter is not None
    terms = split_both(spec, radix, node) if negates else split_weights(spec.mac, radix, products.even, products.odd)
    pieces = 1 if quantiser.bits <= own else -(-quantiser.bits // piece_bits)
    if pieces > 1 and products.odd is not None:
        raise InputError(f"has codes of {quantiser.bits} bits and levels with √2; allowed: up to {own} bits")
    if pieces > MOST_PIECES:
        raise InputError(f"has codes of {quantiser.bits} bits in {pieces} pieces; allowed: {MOST_PIECES}")
    check_reach(spec, terms, quantiser.bits)
    size = spec.channels
    groups, outputs = -(-channels // size), -(-len(products.even) // size)
    passes = make_passes(terms.counts, pieces, radix, piece_bits, size)
    words = find_words(node, channels, size)
    if negates:
        passes = add_negatives(passes, sum(terms.counts))
    about = quantiser.bits, quantiser.signed, pieces, None, groups, outputs, words, tuple(passes), terms
    plain = Operands(*about, negates=negates)
    ways = [plain]
    if (pieces == 1 and not negates) or may_pack:
        ways += pick_words(spec, node, plain, channels)
    if pieces > 1 and may_pack and node.groups == 1:
        packing = find_best_packing(terms.counts, channels, pieces, radix, piece_bits, size)
        ways += [replace(plain, pieces=1, slots=tuple(packing[0]), passes=tuple(packing[1]))] if packing else []
    best = min(ways, key=lambda way: len(way.picked) or len(way.passes) * prod(node.kernel))
    if len(best.passes) > MOST_PASSES:
        raise InputError(f"takes {len(best.passes)} passes; allowed: {MOST_PASSES}")
    return best


def pick_words(spec: EngineSpec, node: Convolution, plain: Operands, channels: int) -> Iterator[Operands]:
    """Operands whose words are picked of windows, where the engine keeps windows for so many channels and places."""
    places, pieces = prod(node.kernel), plain.pieces
    fits = places <= MOST_PLACES and pieces * channels <= spec.channels
    if channels != spec.window_channels or node.groups != 1 or not fits:
        return
    radix = radix_bits_of(spec)
    piece_bits, terms = piece_bits_of(spec.mac, radix), plain.terms
    counts = [terms.counts] * places
    if node.products.odd is None:
        even = node.products.even.reshape(-1, channels, places)
        fewer, each = split_places(spec.mac, radix, piece_bits, pieces, spec.picks, even)
        if spec.holds_sums(compute_reach(spec, fewer, plain.code_bits)):
            terms, counts = fewer, each
    steps = pick_steps(counts, pieces, radix, piece_bits, spec.picks)
    steps += [NO_PICKS] * (places - len(steps))  # a window takes as long to be filled
    slots = tuple(make_packed_slots(channels, pieces, 1)) if pieces > 1 else None
    yield replace(plain, pieces=1, slots=slots, passes=(), picked=tuple(steps), terms=terms)


def split_both(spec: EngineSpec, radix_bits: int, node: Convolution) -> Terms:
    """The terms of a layer's weights and, behind them, those of their negatives: as many of each digit."""
    products, signs = node.products, np.array([1, -1], np.int32)
    even, odd = (
        None if part is None else np.concatenate(list(signs[:, None, None] * part), axis=1)
        for part in (products.even, products.odd)
    )
    assert even is not None
    both = split_weights(spec.mac, radix_bits, even, odd)
    codes, magnitudes = (np.concatenate(np.split(part, 2, axis=2)) for part in (both.codes, both.magnitudes))
    return Terms(both.counts, codes, magnitudes)


def add_negatives(passes: Sequence[Pass], terms: int) -> list[Pass]:
    """Passes, each followed by one with the negatives of its weights, which are so many terms further."""
    negatives = (Pass(False, each.piece, tuple(n + terms if n >= 0 else n for n in each.terms)) for each in passes)
    return list(chain.from_iterable(zip(passes, negatives, strict=True)))


def find_words(node: Convolution, channels: int, size: int) -> Words:
    """The words that each group of output channels needs; all of them where there is no regular pattern."""
    every = -(-channels // size)
    outputs = len(node.products.even)
    inputs_each, outputs_each = channels // node.groups, outputs // node.groups
    needs = []
    for first in range(0, outputs, size):
        last = min(first + size, outputs) - 1
        low, high = first // outputs_each * inputs_each, (last // outputs_each + 1) * inputs_each
        needs.append((low // size, -(-high // size)))
    count = max(high - low for low, high in needs)
    repeat = next((n for n, (low, _) in enumerate(needs) if low != needs[0][0]), len(needs))
    regular = all(
        low >= (n // repeat) * count and high <= (n // repeat + 1) * count for n, (low, high) in enumerate(needs)
    )
    inside = -(-len(needs) // repeat) * count <= every  # the last group's words are all there
    return Words(count, repeat) if regular and inside and count < every else Words(every, len(needs))


def check_roots(spec: EngineSpec, node: Convolution) -> None:
    """Raises InputError unless √2 is rounded in the graph as the engine's products round it."""
    products = node.products
    if products.odd is None:
        return
    frac = spec.mac.frac_bits
    wanted = make_root_table(node.quantiser.bits, node.quantiser.signed, frac)
    same = products.roots is not None and products.frac == max(frac, 0) and np.array_equal(products.roots, wanted)
    if spec.mac.unit != "post" or not same:
        raise InputError(f"has levels with √2 that are not rounded as the products of unit {spec.mac.unit} round them")


def compute_reach(spec: EngineSpec, terms: Terms, code_bits: int) -> int:
    """Compute the largest sum on the way to a layer's results, in the accumulators' steps."""
    digits = np.repeat(np.arange(len(terms.counts)), terms.counts)
    scale = np.array([1 << radix_bits_of(spec) * int(digit) for digit in digits])
    sizes = (terms.magnitudes * np.resize(scale, len(terms.codes))[:, None, None]).sum((0, 2))
    return int(sizes.max()) * ((1 << code_bits) - 1) << spec.mac.result_frac


def check_reach(spec: EngineSpec, terms: Terms, code_bits: int) -> None:
    """Raises InputError unless the accumulators hold every sum on the way."""
    reach = compute_reach(spec, terms, code_bits)
    if not spec.holds_sums(reach):
        raise InputError(f"has sums that may reach {reach}; allowed: {spec.sum_bits} bits")
