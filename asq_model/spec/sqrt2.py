"""√2 in integers, rounded correctly: the only irrational number of the specification."""

from math import isqrt

import numpy as np

from asq_model.spec.fixed_point import INT64, check_integers


def multiply_by_sqrt2(x: int, frac: int) -> int:
    """Return round(x · √2 · 2^frac), exact for every integer x and frac ≥ -1. There are no ties, √2 being irrational.

    With r = |x|·√2·2^frac, round(r) = floor((floor(2r) + 1) / 2) and floor(2r) = isqrt(8·x²·4^frac).
    """
    magnitude = (isqrt(2 * x * x << 2 * (frac + 1)) + 1) >> 1
    return magnitude if x >= 0 else -magnitude


def make_sqrt2_table(activations: np.ndarray, frac: int) -> np.ndarray:
    """Make the contents of the POST look-up table: round(√2 · a · 2^frac) of each activation, int64.

    Raises InputError for activations that are not integers.
    """
    values, index = np.unique(check_integers("numbers to multiply by √2", activations, *INT64), return_inverse=True)
    estimates = np.ldexp(values * 2**0.5, frac)
    # A float is enough but where it holds too few bits, and near to a half, where it may round to the other side.
    large = np.abs(estimates) >= 2.0**42
    table = np.rint(np.where(large, 0, estimates)).astype(np.int64)
    unsure = large | (np.abs(np.abs(estimates - table) - 0.5) < 2.0**-8)
    table[unsure] = [multiply_by_sqrt2(int(a), frac) for a in values[unsure]]
    return table[index].reshape(np.shape(activations))


def split_sqrt2_table(high: np.ndarray, low: np.ndarray, frac: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Find tables H, L and a shift K such that (H[i] + L[j]) >> K is `multiply_by_sqrt2(high[i] + low[j], frac)`.

    Two small tables and an adder in place of one large table. K is the least that does, found by trying all sums.
    """
    wanted = make_sqrt2_table(high[:, None] + low, frac)
    for guard in range(1, 64):
        first, second = make_sqrt2_table(high, frac + guard), make_sqrt2_table(low, frac + guard) + (1 << guard - 1)
        if np.array_equal(first[:, None] + second >> guard, wanted):
            return first, second, guard
    raise ValueError("no two tables add up to that")


def find_sqrt2_constant(limit: int, frac: int) -> tuple[int, int]:
    """Find C and a shift K such that (x·C + 2^(K−1)) >> K is `multiply_by_sqrt2(x, frac)` for every |x| ≤ limit.

    C is √2·2^(K+frac) rounded, so x·C/2^K misses r = x·√2·2^frac by at most |x|/2^(K+1). It rounds as r does if
    that is less than r's distance to any h = m + ½. Since (2r)² is a multiple of 8 and (2h)² is 1 modulo 8,
    they differ by at least 1, and |r − h| ≥ 1 / (2·(2r + 2h)) > 1 / (8r + 2): hence 2^(K+1) > x·(8r + 2).
    """
    reach = limit * (8 * multiply_by_sqrt2(limit, frac) + 10)  # r < its rounding + 1
    shift = max(1, reach.bit_length() - 1)
    return multiply_by_sqrt2(1, shift + frac), shift
