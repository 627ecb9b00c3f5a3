"""What is compared: units, dot products and arrays, by the widths of weights and activations."""

from collections.abc import Iterator
from itertools import product

from asq_model.common.errors import InputError
from asq_model.spec.array import ArraySpec
from asq_model.spec.levels import EXPONENTIAL
from asq_model.spec.mac import MacSpec
from asq_model.spec.mac_parameters import MIN_FRAC
from asq_model.spec.mapping import GENERIC
from asq_model.spec.units import FAMILY_OF_UNIT, ROUNDING
from sim.explore.design import STAGES, Design, is_rival
from sim.explore.variants import Variant, list_macs, make_mac_if_possible

WIDTHS = ((3, 3), (4, 4), (4, 8), (8, 8))
FULL_WIDTHS = (4, 4)  # where every variant is compared
AS_TRAINED = ((3, 4), (5, 4))  # of arrays whose area is set beside the accuracy of networks with such weights
FORMS = ("mac", "dot16", "dot64", "array8x8", "array16x16")
MAPPED_FORMS = {"mapped8x8": "array8x8", "mapped16x16": "array16x16"}  # of a form only what is mapped by hand
LARGE_LANES = 64  # lanes of a dot product from which on only the best variants are compared
NARROWEST = 3  # bits of weights whose arrays are as good in one stage
LARGE_PLACINGS = 2  # placings, at most, of what takes a minute each: dot products and arrays


def list_units(widths: tuple[int, int]) -> Iterator[MacSpec]:
    """Yield single units: every multiplier, and the bit-serial one.

    Other kinds of level sets where activations are narrow; gated ones at `FULL_WIDTHS`.
    """
    yield from list_macs(widths, "which multiplier is the best alone")
    if widths[1] <= FULL_WIDTHS[1]:
        yield from list_macs(widths, "what the other kinds of level sets cost")
    if widths == FULL_WIDTHS:
        yield from list_macs(widths, "what a gated sign costs")
    yield from list_macs(widths, "how much faster than the paper's rival")


def list_dots(widths: tuple[int, int], lanes: int) -> Iterator[MacSpec]:
    """Yield dot products. What can be shared comes with the operand, as from other dot products of the activations."""
    if lanes >= LARGE_LANES:
        return list_macs(widths, "how the best large dot products do", lanes)
    if widths == FULL_WIDTHS:
        return list_macs(widths, "which dot product is the best", lanes)
    return list_macs(widths, "how the best dot products do at other widths", lanes)


def list_arrays(widths: tuple[int, int], side: int) -> Iterator[ArraySpec]:
    """Yield square arrays; the best ones in several stages as well, but for widths of which only the area is of use."""
    if widths in AS_TRAINED:
        yield from (ArraySpec(spec, side, side) for spec in list_macs(widths, "what accuracy costs"))
        return
    if side > 8:
        question = "how the best large arrays do"
    elif widths == FULL_WIDTHS:
        question = "which array is the best"
    else:
        question = "how the best arrays do at other widths"
    for spec in list_macs(widths, question):
        yield ArraySpec(spec, side, side)
        if spec.unit in ("uniform-shared", "apot") or (spec.unit == "post" and spec.frac == MIN_FRAC):
            for stages in STAGES:
                yield from make_array_if_possible(spec, side, stages)
    yield from list_mapped_arrays(widths, side)


def list_mapped_arrays(widths: tuple[int, int], side: int) -> Iterator[ArraySpec]:
    """Yield square arrays out of the families' own cells: the best ones, and at `FULL_WIDTHS` the other level sets.

    None of iCE40: its cells hold nothing of a product, so that its mapped arrays are as large as the generic ones.
    """
    for fpga_family, spec in product(("ecp5", "xc7"), list_macs(widths, "what cells of its own an array needs")):
        best = is_rival(spec) or (spec.unit == "post" and spec.frac == MIN_FRAC)
        if best or (widths == FULL_WIDTHS and side == 8):
            yield from make_array_if_possible(spec, side, 1, fpga_family)


def make_array_if_possible(spec: MacSpec, side: int, stages: int, fpga_family: str = GENERIC) -> Iterator[ArraySpec]:
    """Yield the array, or nothing where there is none.

    There is none of a unit that takes several cycles, cannot be cut, or is not arranged for a family's cells.
    """
    try:
        yield ArraySpec(spec, side, side, stages, fpga_family)
    except InputError:
        return


def side_of(form: str) -> int:
    """The side of a square array by its form: 8 for `array8x8`."""
    return int(form.partition("x")[2])


def list_designs(widths: tuple[int, int], form: str) -> list[Design]:
    """List all designs of one form at one width, the rivals first. Raises InputError for a form that there is not."""
    if form == "mac":
        members: Iterator[Design] = list_units(widths)
    elif form.startswith("dot"):
        members = list_dots(widths, int(form[3:]))
    elif form.startswith("array"):
        members = list_arrays(widths, side_of(form))
    else:
        raise InputError(f"form is {form!r}; allowed: {', '.join(FORMS)}", "form")
    return list(dict.fromkeys(members))


def choose_placings(design: Design, placings: int) -> int:
    """Choose how often a design is placed: single units `placings` times, what takes a minute each less often.

    Arrays that are compared with accuracies only are not placed at all: they are larger and no faster than others.
    """
    if not isinstance(design, ArraySpec):
        return placings if design.lanes == 1 else min(placings, LARGE_PLACINGS)
    mac = design.mac
    fast = is_rival(design) or mac.unit == "apot" or (mac.unit == "post" and mac.frac_bits <= 0)
    fast = fast and not (design.fpga_family != GENERIC and mac.unit == "apot")
    if not fast or (mac.weight_bits, mac.activation_bits) in AS_TRAINED:
        return 0
    faster_in_stages = design.stages == 1 and mac.weight_bits > NARROWEST and design.fpga_family == GENERIC
    return 1 if faster_in_stages else min(placings, LARGE_PLACINGS)


def make_grid(
    bits: list[int],
    abits: list[int],
    units: list[str],
    kinds: list[str],
    fracs: list[int],
    lanes: list[int],
    sides: list[int],
) -> list[Design]:
    """List every design in the product of these lists that can be built.

    abits: if empty, as many as the weight has; kinds, fracs: for the units that have a choice.
    """
    grid: list[Design] = []
    for unit, weight_bits in product(units, bits):
        own_kinds = kinds if FAMILY_OF_UNIT[unit] in EXPONENTIAL else [""]
        own_fracs: list[int] | list[None] = fracs if unit in ROUNDING else [None]
        for activation_bits, kind, frac in product(abits or [weight_bits], own_kinds, own_fracs):
            widths, variant = (weight_bits, activation_bits), Variant(unit, kind, frac)
            for count in lanes:
                grid += make_mac_if_possible(widths, variant, count)
            for side, spec in product(sides, list(make_mac_if_possible(widths, variant))):
                grid += make_array_if_possible(spec, side, 1)
    return list(dict.fromkeys(grid))
