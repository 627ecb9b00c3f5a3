"""Sums of products of a layer: levels even + odd·√2 times activation codes. Free of torch.

√2 is rounded once for each sum, or, as hardware with a look-up table has it, once for each activation.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
from msgspec import Meta

from asq_model.common.errors import InputError
from asq_model.spec.fixed_point import largest
from asq_model.spec.sqrt2 import make_sqrt2_table

EXACT = ((np.float32, 24), (np.float64, 53))  # floats that hold every integer of so many bits
LARGEST_ODD = 1 << 24  # of a sum of odd parts: there is a table with √2 times each


@dataclass(frozen=True)
class Products:
    """The weights of a layer as levels even + odd·√2: integers [C', terms], terms [channels of a group, rows, columns].

    odd: None where no level has an odd part. largest: magnitude of the largest activation code. frac: fraction bits
    of the sums. roots: what stands for √2·a · 2^frac of each code a from −largest to largest, int64; None for sums of
    which only the whole is rounded.
    """

    even: np.ndarray
    odd: np.ndarray | None
    largest: Annotated[int, Meta(ge=1, le=255)]
    frac: Annotated[int, Meta(ge=0, le=32)]
    roots: np.ndarray | None = None

    def check(self) -> None:
        """Raises InputError unless the levels are integer matrices of one shape whose sums can be computed exactly."""
        for part in (self.even, self.odd):
            if part is not None and (part.dtype != np.int32 or part.ndim != 2 or not part.size):
                raise InputError(f"its weights are {part.dtype} {list(part.shape)}; allowed: int32 [channels, terms]")
        if self.odd is not None and self.odd.shape != self.even.shape:
            raise InputError(f"its odd weights are {list(self.odd.shape)}; allowed: {list(self.even.shape)}")
        if self.roots is not None:
            self.check_roots(self.roots)
        for what, reach, limit in (("products", self.reach[0], 1 << 53), ("odd products", self.reach[1], LARGEST_ODD)):
            if reach >= limit:
                raise InputError(f"its sums of {what} may reach {reach}; allowed: less than {limit}")

    def check_roots(self, roots: np.ndarray) -> None:
        """Raises InputError unless there is an integer near √2·a · 2^frac for each code."""
        size = 2 * self.largest + 1
        if roots.dtype != np.int64 or roots.shape != (size,):
            raise InputError(f"its roots are {roots.dtype} {list(roots.shape)}; allowed: int64 [{size}]")
        codes = np.arange(-self.largest, self.largest + 1)
        if (np.abs(roots) > 2 * np.abs(codes) << self.frac).any():
            raise InputError(f"its roots reach {largest(roots)}; allowed: up to twice the code, times 2^{self.frac}")

    @cached_property
    def reach(self) -> tuple[int, int]:
        """The largest magnitudes that an even and an odd sum can have."""
        parts = (self.even, np.zeros((1, 1), np.int64) if self.odd is None else self.odd)
        even, odd = (int(np.abs(part.astype(np.int64)).sum(1).max()) for part in parts)
        return even * self.largest, odd * (self.largest if self.roots is None else largest(self.roots))

    @cached_property
    def number_type(self) -> type[np.floating]:
        """The smallest float in which BLAS adds every sum exactly: no partial sum needs more bits than it holds."""
        self.check()
        return next(number_type for number_type, bits in EXACT if max(self.reach) < 1 << bits)

    @cached_property
    def factors(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Even and odd parts as floats of `number_type`."""
        odd = None if self.odd is None else self.odd.astype(self.number_type)
        return self.even.astype(self.number_type), odd

    @cached_property
    def rooted(self) -> np.ndarray:
        """round(√2 · x · 2^frac), int64, for every odd sum x that can be, from the smallest to the largest."""
        table = make_sqrt2_table(np.arange(self.reach[1] + 1), self.frac)
        return np.concatenate([-table[:0:-1], table])

    def check_codes(self, codes: np.ndarray) -> None:
        """Raises InputError for activation codes larger than `largest`."""
        if (magnitude := largest(codes)) > self.largest:
            raise InputError(f"activation codes have the magnitude {magnitude}; allowed: {self.largest} or less")

    def combine(self, even: np.ndarray, odd: np.ndarray | None) -> np.ndarray:
        """Add up sums of even and odd parts: the sums of products, int64 with `frac` fraction bits."""
        exact = even.astype(np.int64) << self.frac
        if odd is None or self.roots is not None:
            return exact if odd is None else exact + odd.astype(np.int64)
        return exact + self.rooted[odd.astype(np.int64) + self.reach[1]]

    def odd_operands(self, codes: np.ndarray) -> np.ndarray:
        """What odd levels multiply, in place of codes of any shape: the codes, or their roots."""
        return codes if self.roots is None else self.roots[codes.astype(np.int64) + self.largest]

    def compute_sums(self, operands: np.ndarray) -> np.ndarray:
        """Compute each dot product with codes [N, groups, terms, positions], int64 [N, C', positions].

        Output channel c is of group c // (C' / groups). Exact but for one rounding of √2. Raises InputError for codes
        larger than `largest`.
        """
        self.check_codes(operands)
        even, odd = self.factors
        odd_sums = None if odd is None else multiply(odd, self.odd_operands(operands))
        return self.combine(multiply(even, operands), odd_sums)


def multiply(factors: np.ndarray, operands: np.ndarray) -> np.ndarray:
    """Multiply matrices [C', terms] and [N, groups, terms, positions]: [N, C', positions], in BLAS's floats."""
    n, groups, terms, positions = operands.shape
    rows = factors.reshape(groups, len(factors) // groups, terms)
    return (rows @ operands.astype(factors.dtype, copy=False)).reshape(n, len(factors), positions)
