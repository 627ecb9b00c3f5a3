"""Exact sums of products of a layer: levels even + odd·√2 times activation codes, rounded once. Free of torch."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np
from msgspec import Meta

from asq_model.common.errors import InputError
from asq_model.spec.fixed_point import largest
from asq_model.spec.sqrt2 import sqrt2_table

EXACT = ((np.float32, 24), (np.float64, 53))  # floats that hold every integer of so many bits
LARGEST_ODD = 1 << 24  # of a sum of odd parts: there is a table with √2 times each


@dataclass(frozen=True)
class Products:
    """The weights of a layer as levels even + odd·√2: integers [C', terms], terms [channels of a group, rows, columns].

    odd: None where no level has an odd part. largest: magnitude of the largest activation code. frac: fraction bits
    of the sums.
    """

    even: np.ndarray
    odd: np.ndarray | None
    largest: Annotated[int, Meta(ge=1, le=255)]
    frac: Annotated[int, Meta(ge=0, le=32)]

    def check(self) -> None:
        """Raises InputError unless the levels are integer matrices of one shape whose sums can be computed exactly."""
        for part in (self.even, self.odd):
            if part is not None and (part.dtype != np.int32 or part.ndim != 2 or not part.size):
                raise InputError(f"its weights are {part.dtype} {list(part.shape)}; allowed: int32 [channels, terms]")
        if self.odd is not None and self.odd.shape != self.even.shape:
            raise InputError(f"its odd weights are {list(self.odd.shape)}; allowed: {list(self.even.shape)}")
        for what, reach, limit in (("products", self.reach[0], 1 << 53), ("odd products", self.reach[1], LARGEST_ODD)):
            if reach >= limit:
                raise InputError(f"its sums of {what} may reach {reach}; allowed: less than {limit}")

    @cached_property
    def reach(self) -> tuple[int, int]:
        """The largest magnitudes that an even and an odd sum can have."""
        parts = (self.even, np.zeros((1, 1), np.int64) if self.odd is None else self.odd)
        even, odd = (int(np.abs(part.astype(np.int64)).sum(1).max()) * self.largest for part in parts)
        return even, odd

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
        table = sqrt2_table(np.arange(self.reach[1] + 1), self.frac)
        return np.concatenate([-table[:0:-1], table])

    def check_codes(self, codes: np.ndarray) -> None:
        """Raises InputError for activation codes larger than `largest`."""
        if (magnitude := largest(codes)) > self.largest:
            raise InputError(f"activation codes have the magnitude {magnitude}; allowed: {self.largest} or less")

    def combine(self, even: np.ndarray, odd: np.ndarray | None) -> np.ndarray:
        """The sums of products, int64 with `frac` fraction bits, from the sums of their even and odd parts."""
        exact = even.astype(np.int64) << self.frac
        return exact if odd is None else exact + self.rooted[odd.astype(np.int64) + self.reach[1]]

    def sums(self, operands: np.ndarray) -> np.ndarray:
        """Each dot product with codes [N, groups, terms, positions], int64 [N, C', positions].

        Output channel c is of group c // (C' / groups). Exact but for one rounding of √2. Raises InputError for codes
        larger than `largest`.
        """
        self.check_codes(operands)
        even, odd = self.factors
        return self.combine(multiply(even, operands), None if odd is None else multiply(odd, operands))


def multiply(factors: np.ndarray, operands: np.ndarray) -> np.ndarray:
    """The products of matrices [C', terms] and [N, groups, terms, positions]: [N, C', positions], in BLAS's floats."""
    n, groups, terms, positions = operands.shape
    rows = factors.reshape(groups, len(factors) // groups, terms)
    return (rows @ operands.astype(factors.dtype, copy=False)).reshape(n, len(factors), positions)
