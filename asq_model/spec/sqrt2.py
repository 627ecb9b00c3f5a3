"""√2 in integers, rounded correctly: the only irrational number of the specification."""

from math import isqrt

import numpy as np

from asq_model.spec.fixed_point import INT64, checked_integers


def times_sqrt2(x: int, frac: int) -> int:
    """round(x · √2 · 2^frac), exact for every integer x and frac ≥ -1. There are no ties, √2 being irrational.

    With r = |x|·√2·2^frac, round(r) = floor((floor(2r) + 1) / 2) and floor(2r) = isqrt(8·x²·4^frac).
    """
    magnitude = (isqrt(2 * x * x << 2 * (frac + 1)) + 1) >> 1
    return magnitude if x >= 0 else -magnitude


def sqrt2_table(activations: np.ndarray, frac: int) -> np.ndarray:
    """round(√2 · a · 2^frac) of each activation, int64: the contents of the POST look-up table.

    Raises InputError for activations that are not integers.
    """
    values, index = np.unique(checked_integers("numbers to multiply by √2", activations, *INT64), return_inverse=True)
    estimates = np.ldexp(values * 2**0.5, frac)
    # A float is enough but where it holds too few bits, and near to a half, where it may round to the other side.
    large = np.abs(estimates) >= 2.0**42
    table = np.rint(np.where(large, 0, estimates)).astype(np.int64)
    unsure = large | (np.abs(np.abs(estimates - table) - 0.5) < 2.0**-8)
    table[unsure] = [times_sqrt2(int(a), frac) for a in values[unsure]]
    return table[index].reshape(np.shape(activations))


def sqrt2_halves(high: np.ndarray, low: np.ndarray, frac: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Tables H and L and a shift K such that (H[i] + L[j]) >> K is `times_sqrt2(high[i] + low[j], frac)` for all.

    Two small tables and an adder in place of one large table. K is the least that does, found by trying all sums.
    """
    wanted = sqrt2_table(high[:, None] + low, frac)
    for guard in range(1, 64):
        first, second = sqrt2_table(high, frac + guard), sqrt2_table(low, frac + guard) + (1 << guard - 1)
        if np.array_equal(first[:, None] + second >> guard, wanted):
            return first, second, guard
    raise ValueError("no two tables add up to that")


def sqrt2_constant(limit: int, frac: int) -> tuple[int, int]:
    """A constant C and a shift K such that (x·C + 2^(K−1)) >> K equals `times_sqrt2(x, frac)` for every |x| ≤ limit.

    C is √2·2^(K+frac) rounded, so x·C/2^K misses r = x·√2·2^frac by at most |x|/2^(K+1). It rounds as r does if
    that is less than r's distance to any h = m + ½. Since (2r)² is a multiple of 8 and (2h)² is 1 modulo 8,
    they differ by at least 1, and |r − h| ≥ 1 / (2·(2r + 2h)) > 1 / (8r + 2): hence 2^(K+1) > x·(8r + 2).
    """
    reach = limit * (8 * times_sqrt2(limit, frac) + 10)  # r < its rounding + 1
    shift = max(1, reach.bit_length() - 1)
    return times_sqrt2(1, shift + frac), shift
