"""The passes of a layer over its operands: which terms meet which pieces of codes, by falling exponent."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from asq_model.common.errors import InputError
from asq_model.spec.mac import MacSpec
from hw.engine.compiler.pick_steps import pick_steps
from hw.engine.compiler.terms import list_partial_products, piece_bits_of, split_weights
from hw.engine.engine_spec import WIDEST_CODE, EngineSpec

IMAGE_CHANNELS = 3
IMAGE_PLACES = 9  # of a kernel of 3 × 3


@dataclass(frozen=True)
class Pass:
    """One pass over a layer's operands: the piece of the codes, and for each channel of a word the term that it meets.

    shifted: the sum is shifted before it. piece: of all channels. terms: the term of each slot's weight, or −1 for
    none.
    """

    shifted: bool
    piece: int
    terms: tuple[int, ...]


def make_passes(counts: Sequence[int], pieces: int, radix_bits: int, piece_bits: int, slots: int) -> list[Pass]:
    """Make the passes of a layer whose words hold one piece each: every term with every piece, by falling exponent."""
    passes: list[Pass] = []
    before = None
    for exponent, piece, term in sorted(list_partial_products(counts, pieces, radix_bits, piece_bits), reverse=True):
        passes += make_empty_passes(before, exponent, radix_bits, slots)
        passes.append(Pass(before not in (None, exponent), piece, (term,) * slots))
        before = exponent
    return passes + make_ending_passes(before, radix_bits, slots)


def make_empty_passes(before: int | None, exponent: int, radix_bits: int, slots: int) -> list[Pass]:
    """Make the passes that only shift, where an exponent between two is missing."""
    missing = 0 if before is None else (before - exponent) // radix_bits - 1
    return [Pass(True, 0, (-1,) * slots)] * missing


def make_ending_passes(before: int | None, radix_bits: int, slots: int) -> list[Pass]:
    """Make the passes that only shift, where the lowest exponent is above zero."""
    return [Pass(True, 0, (-1,) * slots)] * ((before or 0) // radix_bits)


@dataclass(frozen=True)
class Slot:
    """What a channel of a packed word holds: the value of which channel, which piece of its code, which copy."""

    channel: int
    piece: int
    copy: int


def make_packed_slots(channels: int, pieces: int, copies: int) -> list[Slot]:
    """Make the slots of a word that holds all channels, pieces and copies at once."""
    return [Slot(c, piece, copy) for copy in range(copies) for piece in range(pieces) for c in range(channels)]


def make_packed_passes(
    counts: Sequence[int], slots: Sequence[Slot], pieces: int, copies: int, radix_bits: int, piece_bits: int, size: int
) -> list[Pass]:
    """Make the passes of a layer whose words hold all pieces: every slot meets the term of the pass's exponent."""
    first = np.concatenate([[0], np.cumsum(counts)])
    used = [digit for digit, count in enumerate(counts) if count]
    exponents = {radix_bits * digit + piece_bits * piece for digit in used for piece in range(pieces)}
    passes: list[Pass] = []
    before = None
    for exponent in sorted(exponents, reverse=True):
        digits = {piece: (exponent - piece_bits * piece) // radix_bits for piece in range(pieces)}
        counted = {piece: counts[d] if 0 <= d < len(counts) else 0 for piece, d in digits.items()}
        rounds = max(1, -(-max(counted.values()) // copies))
        for turn in range(rounds):
            terms = [-1] * size
            for place, slot in enumerate(slots):
                number = turn * copies + slot.copy
                if number < counted[slot.piece]:
                    terms[place] = int(first[digits[slot.piece]]) + number
            passes += make_empty_passes(before, exponent, radix_bits, size)
            passes.append(Pass(before not in (None, exponent), 0, tuple(terms)))
            before = exponent
    return passes + make_ending_passes(before, radix_bits, size)


def find_best_packing(
    counts: Sequence[int], channels: int, pieces: int, radix_bits: int, piece_bits: int, size: int
) -> tuple[list[Slot], list[Pass]] | None:
    """Find slots and passes of a word that holds all, with as many copies as take the fewest passes; None: no room."""
    best = None
    for copies in range(1, max(counts) + 1):
        slots = make_packed_slots(channels, pieces, copies)
        if len(slots) <= size:
            passes = make_packed_passes(counts, slots, pieces, copies, radix_bits, piece_bits, size)
            if best is None or len(passes) < len(best[1]):
                best = slots, passes
    return best


@lru_cache
def count_image_steps(mac: MacSpec, size: int, picks: int) -> dict[int, tuple[int, int]]:
    """Count a tile's steps, for each radix's bits, in a first layer of any 8-bit weights, 3 × 3 places, three channels.

    The fewest, and those without picking. size: channels of a word. picks: places of a window that a word is put
    together of, if lanes keep windows.
    """
    weights = np.arange(-(1 << WIDEST_CODE - 1), 1 << WIDEST_CODE - 1)[:, None]
    found = {}
    for bits in range(1, mac.activation_bits + 1):
        try:
            counts = split_weights(mac, bits, weights, None).counts
        except InputError:  # more terms than are allowed
            continue
        piece_bits = piece_bits_of(mac, bits)
        pieces = -(-WIDEST_CODE // piece_bits)
        packing = find_best_packing(counts, IMAGE_CHANNELS, pieces, bits, piece_bits, size)
        passes = packing[1] if packing else make_passes(counts, pieces, bits, piece_bits, size)
        steps = fewest = IMAGE_PLACES * len(passes) * (1 if packing else pieces)
        if picks:
            picked = len(pick_steps([counts] * IMAGE_PLACES, pieces, bits, piece_bits, picks))
            fewest = min(steps, max(picked, IMAGE_PLACES))
        found[bits] = fewest, steps
    return found


def find_image_radix(mac: MacSpec, size: int, picks: int) -> int:
    """Find the radix's bits with which an image's first layer takes the fewest steps, and the fewest without picking.

    size, picks: as `count_image_steps` has them.
    """
    steps = count_image_steps(mac, size, picks)
    return min(steps, key=lambda bits: (steps[bits], bits))


def radix_bits_of(spec: EngineSpec) -> int:
    """Bits by which sums are shifted between passes: the engine's, or those that suit any first layer best."""
    return spec.radix_bits or find_image_radix(spec.mac, spec.channels, spec.picks)
