"""How a layer is multiplied by an engine's arrays: the passes, the words of codes, and the rows of weights."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from asq_model.common.errors import InputError
from asq_model.spec.graph.convolution import Convolution
from hw.engine.compiler.passes import Pass, Slot, best_packing, packed_slots, passes_of, radix_of
from hw.engine.compiler.pick_steps import NO_PICKS, PickStep, pick_steps
from hw.engine.compiler.terms import Terms, piece_bits_of, split_weights
from hw.engine.engine_spec import MOST_PASSES, MOST_PIECES, MOST_PLACES, EngineSpec
from hw.engine.instruction_fields import PIECE_BITS


@dataclass(frozen=True)
class Words:
    """The words of a pixel that a group of output channels sees: `count` of them, the next every `repeat` groups."""

    count: int
    repeat: int


@dataclass(frozen=True)
class Operands:
    """A layer's codes and weights as the engine has them.

    pieces: words that a group of channels takes, one for each piece of its codes; 1 where a word is packed. slots: what
    a packed word holds, or None. groups: of input channels. outputs: groups of output channels. picked: the steps of a
    layer whose words are put together of a window's places; it has no passes.
    """

    code_bits: int
    signed: bool
    pieces: int
    slots: tuple[Slot, ...] | None
    groups: int
    outputs: int
    words: Words
    passes: tuple[Pass, ...]
    terms: Terms
    picked: tuple[PickStep, ...] = ()

    def steps(self, places: int) -> int:
        """Steps of a tile. places: of the kernel."""
        return len(self.picked) or len(self.passes) * places * self.words.count

    @property
    def parts(self) -> int:
        """Products of the arrays that one of the layer's takes."""
        pieces = max(slot.piece for slot in self.slots) + 1 if self.slots else self.pieces
        return sum(self.terms.counts) * pieces

    @property
    def pixel_words(self) -> int:
        """Words of a pixel."""
        return self.groups * self.pieces

    @property
    def piece_step(self) -> int:
        """Words from a piece of a code to the next, if there are several: a small memory may have fewer."""
        return self.groups if self.pieces > 1 else 0

    @property
    def splits(self) -> bool:
        """Whether codes are stored in pieces."""
        return self.slots is not None or self.pieces > 1

    @property
    def zero(self) -> int:
        """What a code of zero is stored as."""
        return 1 << self.code_bits - 1 if self.signed else 0

    def piece_numbers(self, size: int) -> list[int]:
        """The lowest piece of each channel of a word."""
        return [slot.piece for slot in self.slots] + [0] * (size - len(self.slots)) if self.slots else [0] * size


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


def make_operands(spec: EngineSpec, node: Convolution, channels: int, may_pack: bool) -> Operands:
    """A layer's operands. Raises InputError for a layer that the engine's products cannot multiply."""
    quantiser, products = node.quantiser, node.products
    radix = radix_of(spec.mac, spec.channels, spec.picks)
    piece_bits, own = piece_bits_of(spec.mac, radix), spec.mac.activation_bits
    check_roots(spec, node)
    terms = split_weights(spec.mac, radix, products.even, products.odd)
    pieces = 1 if quantiser.bits <= own else -(-quantiser.bits // piece_bits)
    if pieces > 1 and products.odd is not None:
        raise InputError(f"has codes of {quantiser.bits} bits and levels with √2; allowed: up to {own} bits")
    if pieces > MOST_PIECES:
        raise InputError(f"has codes of {quantiser.bits} bits in {pieces} pieces; allowed: {MOST_PIECES}")
    check_reach(spec, terms, quantiser.bits)
    size = spec.channels
    groups, outputs = -(-channels // size), -(-len(products.even) // size)
    passes = passes_of(terms.counts, pieces, radix, piece_bits, size)
    words = find_words(node, channels, size)
    plain = Operands(quantiser.bits, quantiser.signed, pieces, None, groups, outputs, words, tuple(passes), terms)
    ways = [plain]
    if pieces == 1 or may_pack:
        ways += pick_words(spec, node, plain, channels)
    if pieces > 1 and may_pack and node.groups == 1:
        packing = best_packing(terms.counts, channels, pieces, radix, piece_bits, size)
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
    radix = radix_of(spec.mac, spec.channels, spec.picks)
    steps = pick_steps(plain.terms.counts, pieces, radix, piece_bits_of(spec.mac, radix), places, spec.picks)
    steps += [NO_PICKS] * (places - len(steps))  # a window takes as long to be filled
    slots = tuple(packed_slots(channels, pieces, 1)) if pieces > 1 else None
    yield replace(plain, pieces=1, slots=slots, passes=(), picked=tuple(steps))


def check_roots(spec: EngineSpec, node: Convolution) -> None:
    """Raises InputError unless √2 is rounded in the graph as the engine's products round it."""
    products = node.products
    if products.odd is None:
        return
    from asq_model.spec.graph.round_products import root_table  # the graph's own definition

    frac = spec.mac.frac_bits
    wanted = root_table(node.quantiser.bits, node.quantiser.signed, frac)
    same = products.roots is not None and products.frac == max(frac, 0) and np.array_equal(products.roots, wanted)
    if spec.mac.unit != "post" or not same:
        raise InputError(f"has levels with √2 that are not rounded as the products of unit {spec.mac.unit} round them")


def check_reach(spec: EngineSpec, terms: Terms, code_bits: int) -> None:
    """Raises InputError unless the accumulators hold every sum on the way."""
    digits = np.repeat(np.arange(len(terms.counts)), terms.counts)
    scale = np.array([1 << radix_of(spec.mac, spec.channels, spec.picks) * int(digit) for digit in digits])
    sizes = (terms.magnitudes * scale[:, None, None]).sum((0, 2))
    reach = int(sizes.max()) * ((1 << code_bits) - 1) << spec.mac.result_frac
    if not spec.check_sum(reach):
        raise InputError(f"has sums that may reach {reach}; allowed: {spec.sum_bits} bits")


def pass_fields(operands: Operands) -> dict[str, int]:
    """The instruction's fields that name the passes."""
    shifts = sum(number.shifted << place for place, number in enumerate(operands.passes))
    pieces = sum(number.piece << PIECE_BITS * place for place, number in enumerate(operands.passes))
    return {
        "last_pass": max(len(operands.passes), 1) - 1,
        "shifts": shifts,
        "pieces": pieces,
        "piece_step": operands.piece_step,
    } | ({"gathers": 1} if operands.picked else {})


def slot_fields(spec: EngineSpec, operands: Operands) -> dict[str, int]:
    """The instruction's fields that say how codes are written."""
    numbers = operands.piece_numbers(spec.channels)
    return {
        "splits": int(operands.splits),
        "slot_pieces": sum(piece << PIECE_BITS * place for place, piece in enumerate(numbers)),
        "last_piece": operands.pieces - 1,
        "piece_stride": operands.piece_step,
        "code_bits": operands.code_bits,
        "signed": int(operands.signed),
    }


def zero_word(spec: EngineSpec, operands: Operands) -> int:
    """The word that stands for zeros; of codes in several words the one with the highest piece, the others being 0."""
    bits = spec.mac.activation_bits
    piece_bits = piece_bits_of(spec.mac, radix_of(spec.mac, spec.channels, spec.picks))
    numbers = operands.piece_numbers(spec.channels)
    numbers = [piece + operands.pieces - 1 for piece in numbers]
    pieces = [operands.zero >> piece * piece_bits & (1 << piece_bits) - 1 for piece in numbers]
    if not operands.splits:
        pieces = [operands.zero] * spec.channels
    return sum(piece << bits * place for place, piece in enumerate(pieces))
