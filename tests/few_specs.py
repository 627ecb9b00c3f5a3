"""A few of every kind of unit, array and block, enough to see what a change breaks.

Several tests look at the same ones, which are then written once.
"""

from asq_model.spec.array import MAX_STAGES, STAGED_UNITS, ArraySpec
from asq_model.spec.asq_blocks import BLOCKS, BlockSpec
from asq_model.spec.levels import KINDS
from asq_model.spec.mac import MacSpec
from asq_model.spec.units import MULTIPLE, UNITS

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
