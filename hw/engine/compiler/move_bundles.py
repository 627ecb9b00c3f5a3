"""A shorter round: what belongs together is moved past what it does not depend on, while that saves cycles."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from hw.engine.compiler.conflicts import Conflicts, Turn
from hw.engine.compiler.instructions import Instruction
from hw.engine.program import Kind

FARTHEST = 12  # bundles past which one is moved
MOST_TRIALS = 600


@dataclass(frozen=True)
class Bundle:
    """Turns that stay together: a layer, or all that prepares one.

    is_entry: they read the image. enters: one of them is the first of its program that is for a new image.
    """

    turns: tuple[Turn, ...]
    is_entry: bool
    enters: bool

    @property
    def bank(self) -> int:
        """The bank of their image."""
        return self.turns[0].bank

    @property
    def numbers(self) -> list[int]:
        """The numbers of their instructions."""
        return [turn.number for turn in self.turns]


def bundle_turns(instructions: Sequence[Instruction], turns: Sequence[Turn]) -> list[Bundle]:
    """Bundle the turns of a round, in its order."""
    parts: list[list[Turn]] = []
    before: Turn | None = None
    for turn in turns:
        one = instructions[turn.number]
        stays = one.kind in (Kind.LOAD, Kind.FINISH)
        if before is not None and before.bank == turn.bank:
            stays |= bool(one.owner) and one.owner == instructions[before.number].owner
        if stays and before is not None:
            parts[-1].append(turn)
        else:
            parts.append([turn])
        before = turn
    return [
        Bundle(
            tuple(part),
            any(instructions[turn.number].begins for turn in part),
            any(instructions[turn.number].fields.get("enters") for turn in part),
        )
        for part in parts
    ]


def may_swap(first: Bundle, second: Bundle, conflicts: Conflicts) -> bool:
    """Whether two bundles may change places.

    Those of one bank do if neither needs the other and they are for the same image: the numbers of its instructions
    rise, and the first that is for a new image stays the first.
    """
    if first.bank != second.bank:
        return True
    if conflicts.rows[np.ix_(first.numbers, second.numbers)].any():
        return False
    if first.is_entry or second.is_entry:
        return True
    return max(first.numbers) < min(second.numbers) and not (first.enters or second.enters)


def list_moves(bundles: Sequence[Bundle], place: int, conflicts: Conflicts) -> Iterator[list[Bundle]]:
    """The orders in which the bundle of a place stands earlier, nearest first, then those in which it stands later."""
    for way in (-1, 1):
        moved = list(bundles)
        for here in range(place, place + way * FARTHEST, way):
            there = here + way
            if not 0 <= there < len(bundles) or not may_swap(*sort_pair(moved, here, there), conflicts):
                break
            moved[here], moved[there] = moved[there], moved[here]
            yield list(moved)


def sort_pair(bundles: Sequence[Bundle], one: int, other: int) -> tuple[Bundle, Bundle]:
    """Sort two neighbours, the one that stands first before the other."""
    return bundles[min(one, other)], bundles[max(one, other)]


def turns_of(bundles: Sequence[Bundle]) -> list[Turn]:
    """The turns of bundles, in their order."""
    return list(chain.from_iterable(bundle.turns for bundle in bundles))


def shorten_round(
    instructions: Sequence[Instruction],
    conflicts: Conflicts,
    turns: Sequence[Turn],
    cycles_of: Callable[[list[Turn]], int],
    ends: Callable[[list[Turn]], bool],
) -> list[Turn]:
    """An order of a round that takes no more cycles than the given one.

    instructions: those of an image, with arrivals marked. cycles_of: the cycles of a round in an order. ends: whether
    all images come to their end in an order.
    """
    bundles = bundle_turns(instructions, turns)
    fewest, trials, improved = cycles_of(turns_of(bundles)), 0, True
    while improved and trials < MOST_TRIALS:
        improved = False
        for place in range(len(bundles)):
            for moved in list_moves(bundles, place, conflicts):
                trials += 1
                if (cycles := cycles_of(turns_of(moved))) < fewest and ends(turns_of(moved)):
                    bundles, fewest, improved = moved, cycles, True
                    break
    return turns_of(bundles)
