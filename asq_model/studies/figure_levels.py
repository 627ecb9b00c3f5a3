"""The level sets that the paper's Figure 3 shows, and which of their levels its magnified part has. Free of torch."""

import numpy as np

from asq_model.spec.levels import EXPONENTIAL, KINDS, LevelSet

SETS = (LevelSet("uniform", 4), *(LevelSet(family, 4, kind) for family in EXPONENTIAL for kind in KINDS))
MAGNIFIED = (0.0, 0.04)  # the range that the paper magnifies, of levels divided by the largest magnitude
NEAR_ZERO = 0.135  # up to here every set has a level above zero


def label_set(levels: LevelSet) -> str:
    """The name of a level set as the figure has it."""
    return f"{levels.family.upper() if levels.kind else levels.family} {levels.kind}".strip()


def select_levels(levels: LevelSet, low: float, high: float) -> np.ndarray:
    """The levels of a set, divided by the largest magnitude, from `low` to `high`."""
    values = levels.levels / np.abs(levels.levels).max()
    return values[(values >= low) & (values <= high)]


def count_magnified() -> str:
    """How many levels of each set lie in the magnified range, in words."""
    counts = [f"{label_set(levels)} {len(select_levels(levels, *MAGNIFIED))}" for levels in SETS]
    return ", ".join(counts)
