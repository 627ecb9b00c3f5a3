"""Arrays out of an FPGA family's own cells: which can be, and how many registers lie between what goes in and its sums.

A mapped array has the pipeline that its family's cells ask for; it cannot be chosen. A product is registered after each
layer of look-up tables, and a tree adds in pairs, on 7-series in threes where the signs allow it.
"""

from asq_model.common.errors import InputError, check_choice
from asq_model.spec.mac import MacSpec

GENERIC = "generic"  # Verilog that any tool maps
MAPPED_FAMILIES = ("ice40", "ecp5", "xc7")
SELECTING = ("post", "pot", "e2m1")  # units whose product is one of a few multiples of the activation
MAPPED_UNITS = (*SELECTING, "apot", "uniform-sign")
MAPPED_WEIGHT_BITS = (3, 4)
TERNARY_UNIT, TERNARY_BITS = "uniform-sign", 2  # weights of −1, 0 and 1, of which wider ones are made bit by bit
TWO_SUMS = "post-exact"


def check_mapped(fpga_family: str, mac: MacSpec, stages: int) -> None:
    """Raises InputError for an array that the cells of this FPGA family are not arranged for.

    iCE40 has no cell of which a part of a product could be made: its products are the generic ones, of any unit.
    """
    check_choice("family", fpga_family, (GENERIC, *MAPPED_FAMILIES))
    if fpga_family == GENERIC:
        return
    subject = f"family is {fpga_family}"
    if mac.unit == TWO_SUMS:
        raise InputError(f"{subject} and unit {mac.unit}, which has two sums a column; allowed: generic", "family")
    if fpga_family == "ice40":
        return
    if mac.unit not in MAPPED_UNITS:
        raise InputError(f"{subject} and unit {mac.unit}; allowed with it: {', '.join(MAPPED_UNITS)}", "family", "unit")
    widths = (TERNARY_BITS, *MAPPED_WEIGHT_BITS) if mac.unit == TERNARY_UNIT else MAPPED_WEIGHT_BITS
    if mac.weight_bits not in widths:
        allowed = ", ".join(map(str, widths))
        raise InputError(
            f"{subject} and weights have {mac.weight_bits} bits; allowed with it: {allowed}", "weight_bits"
        )
    if mac.kind not in ("", "symmetric"):
        raise InputError(f"{subject} and kind is {mac.kind}; allowed with it: symmetric", "kind")
    if mac.signed_activation:
        raise InputError(f"{subject} and activations are signed; allowed with it: unsigned ones", "signed_activation")
    if stages > 1:
        raise InputError(
            f"{subject} and stages is {stages}; a mapped product has as many as its cells ask for", "stages"
        )


def has_cells(fpga_family: str, mac: MacSpec) -> bool:
    """Whether a family has cells that arrays of these products are arranged for."""
    try:
        check_mapped(fpga_family, mac, 1)
    except InputError:
        return False
    return True


def selects(mac: MacSpec) -> bool:
    """Whether a mapped product selects a multiple of the activation; otherwise it adds rows."""
    return mac.unit in SELECTING or (mac.unit == "apot" and mac.weight_bits == 3)


def choices(mac: MacSpec) -> int:
    """How many two-to-one choices a selecting product makes: between its operands, and for each bit of the shift."""
    shift_bits = ((1 << mac.weight_bits - 1) - 2).bit_length()  # of an exponent; POST's has one for the operand
    return 3 if mac.unit == "e2m1" else shift_bits


def product_stages(fpga_family: str, mac: MacSpec, stages: int) -> int:
    """Registers that a product passes before its column's tree.

    stages: those of a generic product; a mapped one has as many as its cells ask for.
    """
    if fpga_family in (GENERIC, "ice40"):
        return stages
    if not selects(mac):
        return 2 if mac.weight_bits == 4 else 1
    return 1 if fpga_family == "xc7" else max(choices(mac) - 1, 1)


def tree_steps(fpga_family: str, mac: MacSpec, rows: int) -> list[int]:
    """How many operands each level of a tree adds at once, two or three, before the partial sum joins."""
    steps: list[int] = []
    numbers = rows
    last = 1
    if fpga_family == "xc7":
        last = 2 if rows > (4 if selects(mac) else 2) else 1
    signed_levels = 2 if selects(mac) else 1  # until then a cell's inputs hold signs beside the numbers
    while numbers > last:
        at_once = 3 if fpga_family == "xc7" and len(steps) >= signed_levels and numbers > last + 1 else 2
        steps.append(at_once)
        numbers = -(-numbers // at_once)
    return steps
