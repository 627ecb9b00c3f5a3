"""Fixed-point arithmetic that every integer layer shares: one rounding, one saturation, one way to store a real factor.

A number with binary point f is an integer r that means r · 2^-f; f may be negative.
"""

from math import frexp

import numpy as np

from asq_model.common.errors import InputError

INT64 = -(1 << 63), (1 << 63) - 1  # what the specification computes in


def check_integers(name: str, values: np.ndarray, low: int, high: int) -> np.ndarray:
    """Return values as int64 of the same shape. Raises InputError unless they are integers from `low` to `high`.

    A value outside would be taken for another one of fewer bits.
    """
    values = np.asarray(values)
    if values.size == 0:
        return values.astype(np.int64)
    if values.dtype.kind not in "iu":
        raise InputError(f"{name} are of type {values.dtype}; allowed: integers from {low} to {high}")
    least, most = int(values.min()), int(values.max())
    if least < low or most > high:
        raise InputError(f"{name} have {least if least < low else most}; allowed: {low} to {high}")
    return values.astype(np.int64)


def bounds(bits: int, signed: bool) -> tuple[int, int]:
    """The smallest and the largest integer of so many bits."""
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)


def signed_width(low: int, high: int) -> int:
    """Bits of the narrowest two's complement number that holds every integer from `low` to `high`."""
    return max((-low - 1 if low < 0 else low).bit_length(), (-high - 1 if high < 0 else high).bit_length()) + 1


def largest(x: np.ndarray) -> int:
    """The largest magnitude in x, 0 where there is none."""
    x = np.asarray(x)
    return max(abs(int(x.min())), abs(int(x.max()))) if x.size else 0


def check_room(name: str, reach: int) -> None:
    """Raises InputError where a magnitude of `reach` needs more than 64 bits, in which the specification computes."""
    if reach >= 1 << 63:
        raise InputError(f"{name} may reach {float(reach):.3g}; allowed: less than 2^63")


def round_shift(x: np.ndarray, shift: int) -> np.ndarray:
    """Round x / 2^shift to the nearest integer, ties up: floor(x / 2^shift + ½). A negative shift multiplies.

    Raises InputError for what needs more than 64 bits.
    """
    x = np.asarray(x, np.int64)
    if shift <= 0:
        check_room("a number shifted left", largest(x) << -shift)
        return x << -shift
    return ((x >> shift - 1) + 1) >> 1  # no larger on the way than x, unlike x + half


def saturate(x: np.ndarray, bits: int, signed: bool = True) -> tuple[np.ndarray, int]:
    """Clamp x to what `bits` bits hold; returns that, and how many values were outside."""
    clamped = np.clip(x, *bounds(bits, signed))
    return clamped, int(np.count_nonzero(clamped != x))


def find_mantissas(values: np.ndarray, bits: int) -> tuple[np.ndarray, int]:
    """Store real values as integers m with one binary point p: values ≈ m · 2^-p.

    The integers are signed, of `bits` bits; p is the largest at which all of them fit. Each value is off by at most
    2^-(p+1). Raises InputError for a value that is not finite.
    """
    values = np.asarray(values, np.float64)
    if not np.isfinite(values).all():
        raise InputError(f"a number to be stored in {bits} bits is {values[~np.isfinite(values)][0]}; allowed: finite")
    reach = float(np.abs(values).max(initial=0.0))
    if reach == 0:
        return np.zeros(values.shape, np.int64), bits - 1  # a bias beside zeros keeps its precision
    point = bits - 1 - frexp(reach)[1]
    if np.rint(np.ldexp(reach, point)) > (1 << bits - 1) - 1:  # rounded up to the next power of two
        point -= 1
    return np.rint(np.ldexp(values, point)).astype(np.int64), point
