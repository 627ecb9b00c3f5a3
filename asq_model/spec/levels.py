"""Level sets and weight codes: which values a quantised weight can take, and the bits that store it.

The one definition that training, golden vectors, RTL and test benches share. Every level is an element of
Z[√2], `even + odd·√2` with integers `even` and `odd`, in units that the layer's scale α absorbs: `level_unit`
is the largest level, so a weight is `α · level / level_unit`. `docs/post-code.md` is this file in prose.

Exponential families (`post`: base √2, `pot`: base 2), b bits, M magnitudes base^n for n = 0 … M−1:

| kind | M | levels | stored bits | zero |
|---|---|---|---|---|
| symmetric | 2^(b−1) − 1 | 0, ±base^n | b | field all ones (n = M), either sign |
| asymmetric | 2^(b−1) | 0, ±base^n but not −1 | b | minus the smallest level (sign 1, n = 0) |
| extended | 2^(b−1) | 0, ±base^n | b + 1 | top bit of the field set (n ≥ M) |

`apot` (Li 2020): magnitude = sum of one power of two (or zero) from each of its terms. `e2m1`: the 4-bit float of
the OCP Microscaling formats (sign, two exponent bits, one mantissa bit), times 2 so that levels are integers.
`uniform`: two's complement, or of kind `sign-magnitude` a sign and b − 1 bits of magnitude, which has no level
−2^(b−1) and two zeros. Source of the other sets: Eq. 3 and Eq. 17 of arXiv 2504.17263, restored where the paper is
ambiguous.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from asq_model.common.errors import InputError, check_choice

EXPONENTIAL = ("post", "pot")
FAMILIES = ("post", "pot", "apot", "e2m1", "uniform")
KINDS = ("symmetric", "extended", "asymmetric")
UNIFORM_KINDS = ("", "sign-magnitude")
MIN_BITS = {"post": 2, "pot": 2, "apot": 2, "e2m1": 4, "uniform": 2}
MAX_BITS = {"post": 6, "pot": 6, "apot": 6, "e2m1": 4, "uniform": 8}

# APoT's terms per weight width: the shifts that each term's field selects (field 0 selects no bit). The scale is
# chosen so that the smallest magnitude is 1; 2 … 5 bits need at most two terms, 6 bits a third, as published.
APOT_TERMS = {
    2: ((0,),),
    3: ((2, 1, 0),),
    4: ((3, 2, 0), (1,)),
    5: ((5, 3, 1), (4, 2, 0)),
    6: ((6, 4, 1), (5, 3, 0), (2,)),
}


def split_fields(value: int, widths: tuple[int, ...]) -> tuple[int, ...]:
    """Split `value` into fields of the given widths, the first field in the lowest bits."""
    fields = []
    for width in widths:
        fields.append(value & ((1 << width) - 1))
        value >>= width
    return tuple(fields)


@dataclass(frozen=True)
class LevelSet:
    """The levels of one family at one width, and their codes.

    `bits` is the nominal width b, `kind` one of `KINDS` for the exponential families, of `UNIFORM_KINDS` for
    `uniform`, and "" for the others.
    Raises InputError for a family, width or kind that does not exist.
    """

    family: str
    bits: int
    kind: str = ""

    def __post_init__(self) -> None:
        check_choice("family", self.family, FAMILIES)
        least, limit = MIN_BITS[self.family], MAX_BITS[self.family]
        if type(self.bits) is not int or not least <= self.bits <= limit:
            why = ""
            if self.family == "e2m1":
                why = " (E2M1 is a 4-bit float)"
            elif self.family == "apot":
                why = " (no APoT set is published beyond 6 bits; use uniform for 7 and 8)"
            elif self.family in EXPONENTIAL:
                reach = 2 ** (2 ** (MAX_BITS[self.family] - 1) - 2 >> (self.family == "post"))
                why = (
                    f" (an exponential set's range grows with every code: at {limit} bits {self.family}'s largest level"
                    f" is already {reach} times its smallest; use uniform for 7 and 8)"
                )
            raise InputError(f"bits is {self.bits} for {self.family} weights; allowed: {least} to {limit}{why}", "bits")
        if self.family in EXPONENTIAL:
            check_choice("kind", self.kind, KINDS)
        elif self.kind and not (self.family == "uniform" and self.kind in UNIFORM_KINDS):
            raise InputError(f"kind is {self.kind!r}, but {self.family} weights have only one level set", "kind")

    @property
    def name(self) -> str:
        """Name for tables and files: `post3`, `post3_extended`, `uniform8`, `e2m1`."""
        bits = "" if self.family == "e2m1" else self.bits
        return f"{self.family}{bits}" + (f"_{self.kind}" if self.kind not in ("", "symmetric") else "")

    @property
    def code_bits(self) -> int:
        """Bits stored per weight: b, or b + 1 for `extended`."""
        return self.bits + (self.kind == "extended")

    @property
    def magnitudes(self) -> int:
        """M, how many non-zero magnitudes there are (exponential families only)."""
        return 2 ** (self.bits - 1) - (self.kind == "symmetric")

    def check_code(self, code: int) -> int:
        """Return the code. Raises InputError for one that does not exist: cut to `code_bits` it would mean another."""
        if not 0 <= code < 1 << self.code_bits:
            raise InputError(f"weight code is {code}; allowed: 0 to {(1 << self.code_bits) - 1}")
        return code

    def exponent(self, code: int) -> int | None:
        """The exponent n of an exponential code (for `post` the half-exponent: the level is √2^n); None for a zero."""
        field = self.check_code(code) & ((1 << self.code_bits - 1) - 1)
        is_minus_one = field == 0 and self.sign(code) < 0
        if field >= self.magnitudes or (self.kind == "asymmetric" and is_minus_one):
            return None
        return field

    def apot_shifts(self, code: int) -> list[int]:
        """Shifts whose powers of two add up to an `apot` code's magnitude; empty for zero."""
        terms = APOT_TERMS[self.bits]
        fields = split_fields(self.check_code(code), tuple(len(term).bit_length() for term in terms))
        return [term[field - 1] for term, field in zip(terms, fields, strict=True) if field]

    def sign(self, code: int) -> int:
        """+1 or −1 by the code's top bit (of zero too: its sign has no effect)."""
        return -1 if self.check_code(code) >> (self.code_bits - 1) else 1

    def level(self, code: int) -> tuple[int, int]:
        """The level of a code as (even, odd), which means `even + odd·√2`. Every bit pattern has one."""
        if self.family == "uniform" and not self.kind:
            return self.check_code(code) - ((code >> self.bits - 1) << self.bits), 0
        if self.family == "uniform":
            return self.sign(code) * split_fields(code, (self.bits - 1,))[0], 0
        if self.family == "apot":
            return self.sign(code) * sum(1 << shift for shift in self.apot_shifts(code)), 0
        if self.family == "e2m1":
            mantissa, exponent = split_fields(code, (1, 2))
            return self.sign(code) * ((2 + mantissa) << exponent - 1 if exponent else mantissa), 0
        n = self.exponent(code)
        if n is None:
            return 0, 0
        if self.family == "pot":
            return self.sign(code) << n, 0
        magnitude = self.sign(code) << (n >> 1)
        return (0, magnitude) if n & 1 else (magnitude, 0)

    @cached_property
    def even(self) -> np.ndarray:
        """The integer part of each code's level, int64 [2^code_bits]."""
        return np.array([self.level(code)[0] for code in range(1 << self.code_bits)], np.int64)

    @cached_property
    def odd(self) -> np.ndarray:
        """The coefficient of √2 in each code's level, int64 [2^code_bits]."""
        return np.array([self.level(code)[1] for code in range(1 << self.code_bits)], np.int64)

    @cached_property
    def values(self) -> np.ndarray:
        """Each code's level as a real number, float64 [2^code_bits]."""
        return self.even + self.odd * np.sqrt(2.0)

    @property
    def level_unit(self) -> float:
        """The largest level: a weight is `α · level / level_unit`. For `post` it is √2^(M−1)."""
        return float(self.values.max())

    @cached_property
    def codes(self) -> np.ndarray:
        """The canonical code of each distinct level, levels ascending, int64 [levels].

        Where several codes mean the same level (zero), the canonical one has sign 0 and the smallest field.
        """
        order: dict[tuple[int, int], int] = {}
        for code in range(1 << self.code_bits):
            order.setdefault(self.level(code), code)
        return np.array(sorted(order.values(), key=lambda code: self.values[code]), np.int64)

    @cached_property
    def levels(self) -> np.ndarray:
        """The distinct levels divided by `level_unit`, ascending, float64 [levels]; the largest is 1."""
        return self.values[self.codes] / self.level_unit

    @cached_property
    def midpoints(self) -> np.ndarray:
        """The points halfway between neighbouring `levels`, where the nearest level changes, float64 [levels − 1]."""
        return (self.levels[1:] + self.levels[:-1]) / 2

    def find_nearest(self, u: np.ndarray) -> np.ndarray:
        """Find the index in `levels` of the level nearest to each `u` (linearly), ties to the larger magnitude."""
        up = np.searchsorted(self.midpoints, u, side="right")
        down = np.searchsorted(self.midpoints, u, side="left")
        return np.where(np.asarray(u) < 0, down, up)

    def describe(self, code: int) -> dict[str, Any]:
        """Make a row of the sidecar's level table: enough to use the code without reading this file."""
        even, odd = self.level(code)
        row: dict[str, Any] = {"code": code, "bits": format(code, f"0{self.code_bits}b"), "zero": not even and not odd}
        if self.family == "uniform" and not self.kind:
            return row | {"value": even}
        row["sign"] = self.sign(code)
        if self.family == "apot":
            row["shifts"] = self.apot_shifts(code)
        elif self.family in EXPONENTIAL and not row["zero"]:
            row["half_exponent" if self.family == "post" else "exponent"] = self.exponent(code)
        return row | {"even": even, "odd": odd}
