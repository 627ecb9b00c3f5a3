"""The multipliers that are compared, listed by the question that they answer."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from asq_model.common.errors import InputError
from asq_model.spec.levels import KINDS
from asq_model.spec.mac import MacSpec
from asq_model.spec.mac_parameters import MIN_FRAC


@dataclass(frozen=True)
class Variant:
    """One multiplier: a unit, the kind of its level set, and the fraction bits of its products, where it has a choice.

    shared: the activation's multiples come with the operand. gated: a zero activation makes the sign zero.
    """

    unit: str
    kind: str = ""
    frac: int | None = None
    shared: bool = False
    gated: bool = False


def post(*fracs: int) -> tuple[Variant, ...]:
    """POST's multiplier with √2·a rounded to so many fraction bits."""
    return tuple(Variant("post", "symmetric", frac) for frac in fracs)


def share_multiples(*variants: Variant) -> tuple[Variant, ...]:
    """Make variants of these multipliers whose multiples of the activation come with the operand."""
    return tuple(replace(variant, shared=True) for variant in variants)


def gate_signs(*variants: Variant) -> tuple[Variant, ...]:
    """Make variants of these multipliers with a sign that a zero activation makes zero."""
    return tuple(replace(variant, gated=True) for variant in variants)


TWOS_COMPLEMENT = Variant("uniform")
SIGN_MAGNITUDE = Variant("uniform-sign")
ADDERS = Variant("uniform-adders")
SHARED_MULTIPLES = Variant("uniform-shared")
RIVALS = (
    *(TWOS_COMPLEMENT, SIGN_MAGNITUDE, ADDERS, SHARED_MULTIPLES),
    *(Variant("uniform-table"), Variant("uniform-booth")),
)
THREE_HALVES = Variant("post-three-halves", "symmetric")
SORTED = Variant("post-sorted", "symmetric")
OTHER_LEVELS = (
    THREE_HALVES,
    Variant("post-exact", "symmetric"),
    Variant("pot", "symmetric"),
    Variant("apot"),
    Variant("e2m1"),
)
# The variants that answer a question, the rivals first.
VARIANTS = {
    "which multiplier is the best alone": (*RIVALS, *post(2, 0, MIN_FRAC), *OTHER_LEVELS, SORTED),
    "what the other kinds of level sets cost": (
        *(Variant("post", kind, -1) for kind in KINDS[1:]),
        *(Variant("pot", kind) for kind in KINDS[1:]),
        *(Variant("post-sorted", kind) for kind in KINDS[1:]),
    ),
    "what a gated sign costs": gate_signs(SIGN_MAGNITUDE, *post(MIN_FRAC), SORTED),
    "how much faster than the paper's rival": (Variant("serial"),),
    "which dot product is the best": (
        *(TWOS_COMPLEMENT, SIGN_MAGNITUDE, ADDERS, *post(2, 0, MIN_FRAC), *OTHER_LEVELS, SORTED),
        *share_multiples(SHARED_MULTIPLES, *post(0, MIN_FRAC), THREE_HALVES, Variant("e2m1")),
    ),
    "how the best dot products do at other widths": (
        *(SIGN_MAGNITUDE, ADDERS, *post(0, MIN_FRAC), SORTED),
        *share_multiples(SHARED_MULTIPLES, *post(0, MIN_FRAC)),
    ),
    "how the best large dot products do": (
        *(SIGN_MAGNITUDE, ADDERS, SORTED),
        *share_multiples(SHARED_MULTIPLES, *post(0, MIN_FRAC)),
    ),
    "which array is the best": (
        *(TWOS_COMPLEMENT, SIGN_MAGNITUDE, ADDERS, SHARED_MULTIPLES),
        *post(4, 3, 2, 1, 0, MIN_FRAC),
        *OTHER_LEVELS,
    ),
    "how the best arrays do at other widths": (SIGN_MAGNITUDE, SHARED_MULTIPLES, *post(MIN_FRAC)),
    "how the best large arrays do": (SHARED_MULTIPLES, *post(MIN_FRAC)),
    "what cells of its own an array needs": (SIGN_MAGNITUDE, *post(MIN_FRAC), *OTHER_LEVELS),
    "what accuracy costs": (TWOS_COMPLEMENT, SIGN_MAGNITUDE, SHARED_MULTIPLES, *post(0, MIN_FRAC)),
}


def make_mac_if_possible(widths: tuple[int, int], variant: Variant, lanes: int = 1) -> Iterator[MacSpec]:
    """Yield the unit, or nothing where there is none: too many bits for its weights."""
    try:
        yield MacSpec(
            variant.unit,
            *widths,
            variant.kind,
            variant.frac,
            lanes=lanes,
            shared=variant.shared,
            gated=variant.gated,
        )
    except InputError:
        return


def list_macs(widths: tuple[int, int], question: str, lanes: int = 1) -> Iterator[MacSpec]:
    """Yield the units, or dot products, that answer a question of `VARIANTS`."""
    for variant in VARIANTS[question]:
        yield from make_mac_if_possible(widths, variant, lanes)
