"""Which units the golden vectors of a layer are for. Free of torch."""

from asq_model.spec.levels import EXPONENTIAL, MAX_BITS, MIN_BITS, LevelSet
from asq_model.spec.mac import MacSpec
from asq_model.spec.units import FAMILY_OF_UNIT, GOLDEN_UNITS, SIGN_MAGNITUDE


def list_units(trained: LevelSet, activation_bits: int, signed: bool, kind: str, depth: int) -> list[MacSpec]:
    """List the units that a layer's vectors are for.

    These are all units of the weights' width (at 7 and 8 bits the uniform ones only), and one that multiplies the
    trained level set where none of those does. kind: of the units with exponential level sets.
    """
    bits = trained.bits
    names = [unit for unit in GOLDEN_UNITS if MIN_BITS[FAMILY_OF_UNIT[unit]] <= bits <= MAX_BITS[FAMILY_OF_UNIT[unit]]]
    if trained.kind == "sign-magnitude":
        names.append(SIGN_MAGNITUDE[0])
    return [
        MacSpec(
            unit,
            bits,
            activation_bits,
            kind if FAMILY_OF_UNIT[unit] in EXPONENTIAL else "",
            depth=depth,
            signed_activation=signed,
        )
        for unit in names
    ]
