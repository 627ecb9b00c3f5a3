"""What is compared: units, dot products and arrays, by the widths of weights and activations."""

from collections.abc import Iterator
from itertools import product

from asq_model.common.errors import InputError
from asq_model.spec.array import ArraySpec
from asq_model.spec.levels import EXPONENTIAL, KINDS
from asq_model.spec.mac import FAMILY_OF_UNIT, MIN_FRAC, ROUNDING, MacSpec

Design = MacSpec | ArraySpec

WIDTHS = ((3, 3), (4, 4), (4, 8), (8, 8))
AS_TRAINED = ((3, 4), (5, 4))  # of arrays whose area is set beside the accuracy of networks with such weights
FORMS = ("mac", "dot16", "dot64", "array8x8", "array16x16")
# Of one multiplier: unit, level sets, fraction bits. The uniform ones first, which are the rivals.
UNIFORM = tuple(
    (unit, ("",), (None,))
    for unit in ("uniform", "uniform-sign", "uniform-adders", "uniform-shared", "uniform-table", "uniform-booth")
)
OTHERS = (
    ("post", ("symmetric",), (2, 0, MIN_FRAC)),
    ("post-three-halves", ("symmetric",), (None,)),
    ("post-exact", ("symmetric",), (None,)),
    ("pot", ("symmetric",), (None,)),
    ("apot", ("",), (None,)),
    ("e2m1", ("",), (None,)),
)
SORTED = (("post-sorted", ("symmetric",), (None,)),)
KINDS_TOO = (("post", KINDS[1:], (-1,)), ("pot", KINDS[1:], (None,)), ("post-sorted", KINDS[1:], (None,)))
NARROW = (("post", ("symmetric",), (MIN_FRAC,)),)
GATED = (UNIFORM[1], *NARROW, *SORTED)
ROOT = (("post", ("symmetric",), (0, MIN_FRAC)),)
# Whose multiples of an activation can be shared, the best first.
SHARING = (UNIFORM[3], *ROOT, ("post-three-halves", ("symmetric",), (None,)), ("e2m1", ("",), (None,)))
ARRAYED = (*UNIFORM[:4], ("post", ("symmetric",), (4, 3, 2, 1, 0, -1)), *OTHERS[1:])
# The best of those, for the widths and forms where not everything is compared again.
BEST = UNIFORM[1:3]
BEST_ARRAYED = (UNIFORM[1], UNIFORM[3], *NARROW)
BEST_LARGE = (UNIFORM[3], *NARROW)
WITH_ACCURACY = (UNIFORM[0], UNIFORM[1], UNIFORM[3], *ROOT)
FULLY = (4, 4)  # the widths with everything
STAGES = {2: "two", 3: "three"}  # of an array's product, where it can be cut
NARROWEST = 3  # bits of weights whose arrays are as good in one stage
LARGE_SEEDS = 2  # placings, at most, of what takes a minute each: dot products and arrays


def mac_of(design: Design) -> MacSpec:
    """What each of a design's products is."""
    return design.mac if isinstance(design, ArraySpec) else design


def form_of(design: Design) -> str:
    """`mac`, `dot16`, `array8x8`, …"""
    if isinstance(design, ArraySpec):
        return f"array{design.rows}x{design.columns}"
    return "mac" if design.lanes == 1 else f"dot{design.lanes}"


def products_per_cycle(design: Design) -> float:
    if isinstance(design, ArraySpec):
        return design.rows * design.columns
    return design.lanes / design.interval


def is_rival(design: Design) -> bool:
    """Whether its weights are uniform and it takes one cycle a product."""
    return mac_of(design).level_set.family == "uniform" and design.unit != "serial"


def title(design: Design) -> str:
    """For a table: unit, level set, fraction bits, what else was chosen."""
    mac = mac_of(design)
    parts = [f"`{mac.unit}`", mac.levels if mac.levels != "symmetric" else ""]
    parts += [f"F = {mac.frac}" if mac.unit in ("post", "post-exact") else "", "shared" if mac.shared else ""]
    parts += ["gated" if mac.gated else ""]
    parts += [f"{STAGES[design.stages]} stages" if isinstance(design, ArraySpec) and design.stages > 1 else ""]
    return " ".join(filter(None, parts))


def possible(widths: tuple[int, int], unit: str, kind: str, frac: int | None, **rest) -> Iterator[MacSpec]:
    """The unit, or nothing where it cannot be: too many bits for its weights."""
    try:
        yield MacSpec(unit, *widths, kind, frac, **rest)
    except InputError:
        return


def macs(widths: tuple[int, int], chosen: tuple, **rest) -> Iterator[MacSpec]:
    for unit, kinds, fracs in chosen:
        for kind in kinds:
            for frac in fracs:
                yield from possible(widths, unit, kind, frac, **rest)


def alone(widths: tuple[int, int]) -> Iterator[MacSpec]:
    """Units: every circuit; the other kinds of level sets where activations are narrow; gated ones at the widths with
    everything."""
    yield from macs(widths, (*UNIFORM, *OTHERS, *SORTED))
    if widths[1] <= FULLY[1]:
        yield from macs(widths, KINDS_TOO)
    if widths == FULLY:
        yield from macs(widths, GATED, gated=True)
    yield from macs(widths, (("serial", ("",), (None,)),))


def dots(widths: tuple[int, int], lanes: int) -> Iterator[MacSpec]:
    """Dot products; what can be shared comes with the operand, as beside other dot products of the same activations."""
    fully = widths == FULLY and lanes < 64
    chosen = UNIFORM[:3] + OTHERS if fully else BEST + ROOT if lanes < 64 else BEST
    yield from macs(widths, (*chosen, *SORTED), lanes=lanes)
    yield from macs(widths, SHARING if fully else SHARING[:2], lanes=lanes, shared=True)


def arrays(widths: tuple[int, int], side: int) -> Iterator[ArraySpec]:
    """Square arrays; the best ones in several stages as well, but for widths of which only the area is of use."""
    if widths in AS_TRAINED:
        yield from (ArraySpec(spec, side, side) for spec in macs(widths, WITH_ACCURACY))
        return
    for spec in macs(widths, BEST_LARGE if side > 8 else ARRAYED if widths == FULLY else BEST_ARRAYED):
        yield ArraySpec(spec, side, side)
        if spec.unit in ("uniform-shared", "apot") or (spec.unit == "post" and spec.frac == MIN_FRAC):
            for stages in STAGES:
                yield from possible_array(spec, side, stages)


def possible_array(spec: MacSpec, side: int, stages: int) -> Iterator[ArraySpec]:
    """The array, or nothing where it cannot be: a unit that takes several cycles, or has no place to be cut."""
    try:
        yield ArraySpec(spec, side, side, stages)
    except InputError:
        return


def designs(widths: tuple[int, int], form: str) -> list[Design]:
    """Everything of one form at one width, the rivals first. Raises InputError."""
    if form == "mac":
        made = alone(widths)
    elif form.startswith("dot"):
        made = dots(widths, int(form[3:]))
    elif form.startswith("array"):
        made = arrays(widths, int(form.partition("x")[2]))
    else:
        raise InputError(f"FORMS has {form!r}; allowed: {', '.join(FORMS)}")
    return list(dict.fromkeys(made))


def placings(design: Design, seeds: int) -> int:
    """How often a design is placed: single units `seeds` times, what takes a minute each less often, and not at all
    arrays that are compared with accuracies only, since they are larger and no faster than others."""
    if not isinstance(design, ArraySpec):
        return seeds if design.lanes == 1 else min(seeds, LARGE_SEEDS)
    mac = design.mac
    fast = is_rival(design) or mac.unit == "apot" or (mac.unit == "post" and mac.frac <= 0)
    if not fast or (mac.weight_bits, mac.activation_bits) in AS_TRAINED:
        return 0
    faster_in_stages = design.stages == 1 and mac.weight_bits > NARROWEST
    return 1 if faster_in_stages else min(seeds, LARGE_SEEDS)


def swept(
    bits: list[int],
    abits: list[int],
    units: list[str],
    kinds: list[str],
    fracs: list[int],
    lanes: list[int],
    sides: list[int],
) -> list[Design]:
    """Every design in the product of these lists that can be. abits: if empty, as many as the weight has; kinds, fracs:
    for the units that have a choice."""
    made: list[Design] = []
    for unit, width in product(units, bits):
        for activation_bits in abits or [width]:
            own_kinds = kinds if FAMILY_OF_UNIT[unit] in EXPONENTIAL else [""]
            for kind, frac in product(own_kinds, fracs if unit in ROUNDING else [None]):
                for count in lanes:
                    made += possible((width, activation_bits), unit, kind, frac, lanes=count)
                for side, spec in product(sides, list(possible((width, activation_bits), unit, kind, frac))):
                    made += possible_array(spec, side, 1)
    return list(dict.fromkeys(made))
