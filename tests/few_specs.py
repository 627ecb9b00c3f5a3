"""A few of every kind of unit, array and block, enough to see what a change breaks; and every one of them.

Several tests look at the same ones, which are then written once.
"""

from collections.abc import Iterator

from asq_model.spec.array import MAX_STAGES, STAGED_UNITS, ArraySpec
from asq_model.spec.asq_blocks import BLOCKS, BlockSpec
from asq_model.spec.levels import EXPONENTIAL, KINDS, MAX_BITS, MIN_BITS
from asq_model.spec.mac import MacSpec
from asq_model.spec.units import FAMILY_OF_UNIT, MULTIPLE, UNITS

PLAIN = [MacSpec(unit, 4, 4, depth=16, signed_activation=unit in UNITS[::2]) for unit in UNITS]
ALL_OPTIONS = MacSpec("post", 4, 8, lanes=5, shared=True, gated=True, signed_activation=True)
# The comparison's winner and its rival in one, two and three stages; the other units in two.
WINNER, RIVAL = (ArraySpec(MacSpec(unit, 4, 4, depth=8), 3, 2) for unit in ("post", "uniform-shared"))
ARRAYS = [
    WINNER,
    RIVAL,
    *(ArraySpec(MacSpec(unit, 4, 4, depth=8), 3, 2, 2) for unit in STAGED_UNITS),
    *(ArraySpec(array.mac, 3, 2, MAX_STAGES) for array in (WINNER, RIVAL)),
    ArraySpec(MacSpec("post", 4, 8, frac=-1, signed_activation=True), 4, 1, 2),
    ArraySpec(MacSpec("uniform", 8, 8, depth=1), 1, 1),
]
BLOCKS_OF_LANES = [BlockSpec(unit, 12, 5, 8, True, 12, 1 if unit == "rescale" else 4) for unit in BLOCKS]
FEW = {
    "units": [
        *PLAIN,
        *(MacSpec(unit, 2, 1, depth=3) for unit in ("post", "pot", "uniform", "serial")),
        *(MacSpec("post", 3, 8, kind, signed_activation=True) for kind in KINDS),
        MacSpec("serial", 8, 8, depth=5),
    ],
    "options": [
        *(MacSpec("post", 4, 5, frac=frac, depth=9) for frac in (-1, 0, 12)),
        MacSpec("post-exact", 4, 4, "extended", frac=0, depth=9),
        MacSpec("post-exact", 6, 8, frac=12),
        *(MacSpec(unit, 4, 4, lanes=2, shared=True, depth=8) for unit in MULTIPLE),
        ALL_OPTIONS,
        *(MacSpec(unit, 4, 3, gated=True, lanes=3, depth=8) for unit in ("pot", "post-exact", "apot")),
        MacSpec("post-sorted", 4, 4, "extended", lanes=4),
    ],
    "arrays": ARRAYS,
    "blocks": [*(BlockSpec(unit, 8, 6) for unit in BLOCKS), *BLOCKS_OF_LANES],
}
# One of each: every unit and block, and an array of the winner's and of the rival's.
ONE_OF_EACH = [*PLAIN, ALL_OPTIONS, WINNER, RIVAL, *BLOCKS_OF_LANES]


def every_spec() -> Iterator[MacSpec | ArraySpec | BlockSpec]:
    """Yield every unit at every width and in every level set, and arrays and blocks of many sizes."""
    for unit in UNITS:
        family = FAMILY_OF_UNIT[unit]
        widest = 4 if unit == "uniform-table" else MAX_BITS[family]
        for bits in range(MIN_BITS[family], widest + 1):
            for kind in KINDS if family in EXPONENTIAL else ("",):
                yield MacSpec(unit, bits, bits, kind)
            yield MacSpec(unit, bits, 1, signed_activation=True)
            yield MacSpec(unit, bits, 8 if unit != "uniform-table" else 4, signed_activation=True)
        if unit != "serial":
            yield MacSpec(unit, 4, 4, lanes=5)
        if unit not in ("serial", "post-sorted"):
            yield ArraySpec(MacSpec(unit, 4, 4, signed_activation=True), 3, 2)
        if unit in STAGED_UNITS:
            yield from (ArraySpec(MacSpec(unit, 4, 4), 2, 2, stages) for stages in range(2, MAX_STAGES + 1))
    yield MacSpec("post", 4, 4, frac=-1)
    yield MacSpec("post", 4, 8, lanes=2, shared=True)
    yield MacSpec("post", 4, 4, gated=True)
    yield ArraySpec(MacSpec("post", 6, 8, "extended", frac=-1), 1, 1)
    for unit in BLOCKS:
        for channels, pixels in ((1, 1), (12, 7)):
            for lanes in (1,) if channels == 1 or unit == "rescale" else (1, 4):
                for bits, signed in ((1, True), (1, False), (3, False), (8, True)):
                    yield BlockSpec(unit, channels, pixels, bits, signed, lanes=lanes)
        yield BlockSpec(unit, 64, 64, precision=12)
