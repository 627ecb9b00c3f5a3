"""The multiply-accumulate units: what each computes, exactly, and how wide its numbers are.

A unit takes weight codes and integer activations and returns one integer per dot product, the sum in units of
2^-frac of the level set's unit. Real value of a result: `α · s_a · result / (level_unit · 2^frac)`.

===========  =========================================================================================
unit         product of level w and activation a
===========  =========================================================================================
post         w = ±√2^n: `±(a << frac) << n/2` for even n, `±round(√2·a·2^frac) << (n−1)/2` for odd n (Eq. 18)
post-exact   the pair (even·a, odd·a) in Z[√2], summed apart; the result is round((E + O·√2)·2^frac)
pot          `±a << n`
apot         `±Σ a << shift`, one shift per term
uniform      w·a, w in two's complement
serial       as uniform, one weight bit a cycle
===========  =========================================================================================

Error of `post`: the table is off by at most ½, so a product by at most 2^⌊(M−2)/2⌋ / 2, and an N-term sum by N
times that, in units of the result (see `product_error`). Error of `post-exact`: at most ½ per dot product.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from asq_model.codes import EXPONENTIAL, LevelSet
from asq_model.files import InputError
from asq_model.integer.fixed import checked_range
from asq_model.integer.sqrt2 import sqrt2_table, times_sqrt2

FAMILY_OF_UNIT = {
    "post": "post",
    "post-exact": "post",
    "pot": "pot",
    "apot": "apot",
    "uniform": "uniform",
    "serial": "uniform",
}
UNITS = tuple(FAMILY_OF_UNIT)
DEFAULT_FRAC = 2
# The largest convolution of the CIFAR ResNets and of MLPerf Tiny's ResNet-8: 64 channels × 3 × 3.
DEFAULT_DEPTH = 576
MAX_FRAC = 12
MAX_DEPTH = 1 << 20


def signed_width(low: int, high: int) -> int:
    """Bits of the narrowest two's complement number that holds every integer from `low` to `high`."""
    return max((-low - 1 if low < 0 else low).bit_length(), (-high - 1 if high < 0 else high).bit_length()) + 1


@dataclass(frozen=True)
class MacSpec:
    """One unit with all its parameters. Raises InputError, naming the parameter, for a combination that cannot be.

    `levels` ("" = the default, symmetric) is for POST and POT units, `frac` (None = the default) for POST units.
    """

    unit: str = "post"
    weight_bits: int = 3
    activation_bits: int = 3
    levels: str = ""
    frac: int | None = None
    depth: int = DEFAULT_DEPTH
    signed_activation: bool = False

    def __post_init__(self):
        if self.unit not in UNITS:
            raise InputError(f"UNIT is {self.unit!r}; allowed: {', '.join(UNITS)}")
        family = FAMILY_OF_UNIT[self.unit]
        if family in EXPONENTIAL and not self.levels:
            object.__setattr__(self, "levels", "symmetric")
        LevelSet(family, self.weight_bits, self.levels)
        checked_range("ABITS", self.activation_bits, 1, 8)
        checked_range("DEPTH", self.depth, 1, MAX_DEPTH)
        if family == "post":
            object.__setattr__(self, "frac", DEFAULT_FRAC if self.frac is None else self.frac)
        elif self.frac is None:
            object.__setattr__(self, "frac", 0)
        elif self.frac != 0:
            raise InputError(f"FRAC is {self.frac}, but unit {self.unit} has no fraction bits; leave it out")
        checked_range("FRAC", self.frac, 0, MAX_FRAC)

    @property
    def name(self) -> str:
        """Of the module and its files; choices other than the defaults show in it."""
        parts = [f"{self.unit.replace('-', '_')}_mac_w{self.weight_bits}a{self.activation_bits}"]
        if self.levels not in ("", "symmetric"):
            parts.append(self.levels)
        if self.level_set.family == "post" and self.frac != DEFAULT_FRAC:
            parts.append(f"f{self.frac}")
        if self.depth != DEFAULT_DEPTH:
            parts.append(f"d{self.depth}")
        if self.signed_activation:
            parts.append("sa")
        return "_".join(parts)

    @cached_property
    def level_set(self) -> LevelSet:
        return LevelSet(FAMILY_OF_UNIT[self.unit], self.weight_bits, self.levels)

    @property
    def exact(self) -> bool:
        """Whether every product is exact, so that only `post` rounds before the end of the dot product."""
        return self.unit != "post"

    @cached_property
    def activations(self) -> np.ndarray:
        """int64 [2^activation_bits]: every activation value, indexed by its bit pattern."""
        patterns = np.arange(1 << self.activation_bits, dtype=np.int64)
        if not self.signed_activation:
            return patterns
        return patterns - ((patterns >> self.activation_bits - 1) << self.activation_bits)

    @cached_property
    def even_products(self) -> np.ndarray:
        """int64 [code, activation pattern]: even·a, the part of each product that needs no √2."""
        return np.outer(self.level_set.even, self.activations)

    @cached_property
    def odd_products(self) -> np.ndarray:
        """int64 [code, activation pattern]: odd·a, the coefficient of √2."""
        return np.outer(self.level_set.odd, self.activations)

    @cached_property
    def products(self) -> np.ndarray:
        """int64 [code, activation pattern]: what one product adds to the result (not defined for `post-exact`)."""
        if self.unit == "post-exact":
            raise ValueError("post-exact rounds once per dot product: it has no product of its own")
        rooted = np.outer(self.level_set.odd, sqrt2_table(self.activations, self.frac))
        return (self.even_products << self.frac) + rooted

    def dot(self, codes: np.ndarray, activations: np.ndarray) -> np.ndarray:
        """int64 [...]: the result of each dot product over the last axis of weight codes and activation values."""
        patterns = np.asarray(activations, np.int64) & ((1 << self.activation_bits) - 1)
        if self.unit != "post-exact":
            return self.products[codes, patterns].sum(-1)
        even = self.even_products[codes, patterns].sum(-1)
        odd = self.odd_products[codes, patterns].sum(-1)
        return (even << self.frac) + sqrt2_table(odd, self.frac)

    def product_error(self) -> float:
        """Largest distance of one product from the exact one, in units of the result (0 for the exact units)."""
        if self.exact:
            return 0.0
        return float(np.abs(self.products - np.outer(self.level_set.values, self.activations) * 2.0**self.frac).max())

    def sum_range(self, products: np.ndarray) -> tuple[int, int]:
        """Smallest and largest sum of up to `depth` entries of `products`."""
        return min(0, self.depth * int(products.min())), max(0, self.depth * int(products.max()))

    @cached_property
    def result_range(self) -> tuple[int, int]:
        """Smallest and largest result of a dot product of up to `depth` terms; both are reached."""
        if self.unit != "post-exact":
            return self.sum_range(self.products)
        # A term is even or odd, never both, so the extreme sum repeats the one extreme product. Comparing
        # (even, odd) pairs by their real value picks it; rounding is monotonic.
        pairs = {(int(e), int(o)) for e, o in zip(self.even_products.flat, self.odd_products.flat, strict=True)}
        results = [(self.depth * even << self.frac) + times_sqrt2(self.depth * odd, self.frac) for even, odd in pairs]
        return min(results), max(results)

    @property
    def result_width(self) -> int:
        """Bits of the signed result: overflow is impossible for dot products of up to `depth` terms."""
        return signed_width(*self.result_range)

    @property
    def interval(self) -> int:
        """Cycles from one accepted operand to the next at full rate: 1, or the weight's bits for `serial`."""
        return self.weight_bits if self.unit == "serial" else 1

    @property
    def latency(self) -> int:
        """Cycles from accepting a dot product's last operand to offering its result.

        One to register the product (`serial`: one per weight bit), one to accumulate; `post-exact` one more for √2.
        """
        return self.interval + 1 + (self.unit == "post-exact")

    def cycles(self, products: int) -> int:
        """Cycles from the first accepted operand to the last result taken, both included, when nothing stalls."""
        return self.interval * (products - 1) + self.latency + 1
