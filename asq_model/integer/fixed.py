"""Fixed-point arithmetic that every integer layer shares: one rounding, one saturation, one way to store a real factor.

A number with binary point f is an integer r that means r · 2^-f; f may be negative.
"""

from math import frexp

import numpy as np

from asq_model.files import InputError


def checked_range(name: str, value: int, low: int, high: int) -> None:
    """Raises InputError unless `value` is an integer from `low` to `high`."""
    if type(value) is not int or not low <= value <= high:
        raise InputError(f"{name} is {value}; allowed: {low} to {high}")


def round_shift(x: np.ndarray, shift: int) -> np.ndarray:
    """floor(x / 2^shift + ½): ties go up. A negative shift multiplies."""
    x = np.asarray(x, np.int64)
    return x << -shift if shift <= 0 else (x + (1 << shift - 1)) >> shift


def saturate(x: np.ndarray, bits: int, signed: bool = True) -> tuple[np.ndarray, int]:
    """(x clamped to what `bits` bits hold, how many values were outside)."""
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    clamped = np.clip(x, low, high)
    return clamped, int(np.count_nonzero(clamped != x))


def mantissas(values: np.ndarray, bits: int) -> tuple[np.ndarray, int]:
    """(m, p) with values ≈ m · 2^-p: signed integers of `bits` bits with one exponent, the largest that fits all.

    Error: at most 2^-(p+1) for each value. For the export only: the one place where a float becomes an integer.
    """
    values = np.asarray(values, np.float64)
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0:
        return np.zeros(values.shape, np.int64), bits - 1  # a bias beside zeros keeps its precision
    point = bits - 1 - frexp(largest)[1]
    if np.rint(np.ldexp(largest, point)) > (1 << bits - 1) - 1:  # rounded up to the next power of two
        point -= 1
    return np.rint(np.ldexp(values, point)).astype(np.int64), point
