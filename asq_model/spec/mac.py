"""The multiply-accumulate units: what each computes, exactly, and how wide its numbers are.

A unit takes weight codes and integer activations and returns one integer per dot product, the sum in units of
2^-result_frac of the level set's unit. Real value of a result: `α · s_a · result / (level_unit · 2^result_frac)`.

| unit | product of level w and activation a |
|---|---|
| post | w = ±√2^n: `±(a << frac) << n/2` for even n, `±round(√2·a·2^frac) << (n−1)/2` for odd n (Eq. 18) |
| post-exact | the pair (even·a, odd·a) in Z[√2], summed apart; the result is round((E + O·√2)·2^frac) |
| post-sorted | `±a << ⌊n/2⌋`: terms of one parity a dot product, whose sum is exact, in units of 1 or of √2 |
| post-three-halves | as post with 3/2 for √2: `±2a << n/2` and `±3a << (n−1)/2`, exact, in units of a half |
| pot | `±a << n` |
| apot | `±Σ a << shift`, one shift per term |
| e2m1 | w·a, w the 4-bit float times 2 |
| uniform | w·a, w in two's complement |
| uniform-… | the same by other circuits (`hw.multipliers`); w as sign and magnitude in -sign, -adders and -shared |
| serial | as uniform, one weight bit a cycle |

`post` with frac = -1 has a table of round(√2·a/2), as wide as a itself, shifted one place further; results are
integers then, as with frac = 0.

Error of `post`: the table is off by at most ½, so a product by at most 2^⌊(M−2)/2⌋ / 2 (frac = -1: twice that), and an
N-term sum by N times that, in units of the result (see `product_error`). Error of `post-exact`: at most ½ per dot
product.

`lanes` operand pairs are taken a cycle and their products added by a tree. `shared`: what a unit needs of an
activation beside it (`multiples`: √2·a, 3·a) comes with the operand, from a table that several units share. `gated`:
a zero activation makes a product's sign zero too, so that it does not toggle; results are the same.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from asq_model.common.errors import InputError
from asq_model.spec.fixed_point import check_integers, signed_width
from asq_model.spec.mac_parameters import MacParameters
from asq_model.spec.sqrt2 import make_sqrt2_table, multiply_by_sqrt2
from asq_model.spec.units import MULTIPLE


@dataclass(frozen=True)
class MacSpec(MacParameters):
    """A multiply-accumulate unit: its parameters (`MacParameters`), and what it computes with them, exactly.

    Raises InputError for a combination of parameters that cannot be.
    """

    @property
    def exact(self) -> bool:
        """Whether every product is level times activation: `post` rounds √2·a, `post-three-halves` takes 3/2 for √2."""
        return self.unit not in ("post", "post-three-halves")

    @cached_property
    def activations(self) -> np.ndarray:
        """Every activation value, int64 [2^activation_bits], indexed by its bit pattern."""
        patterns = np.arange(1 << self.activation_bits, dtype=np.int64)
        if not self.signed_activation:
            return patterns
        return patterns - ((patterns >> self.activation_bits - 1) << self.activation_bits)

    @cached_property
    def multiples(self) -> dict[str, np.ndarray]:
        """Multiples of an activation that the unit needs beside it, int64 [2^activation_bits] each, by its bit pattern.

        root: round(√2·a·2^frac). triple: 3·a.
        """
        match MULTIPLE.get(self.unit):
            case "root":
                return {"root": make_sqrt2_table(self.activations, self.frac_bits)}
            case "triple":
                return {"triple": 3 * self.activations}
        return {}

    @cached_property
    def even_products(self) -> np.ndarray:
        """The part even·a of each product, which needs no √2: int64 [code, activation pattern]."""
        return np.outer(self.level_set.even, self.activations)

    @cached_property
    def odd_products(self) -> np.ndarray:
        """The coefficient odd·a of √2 in each product: int64 [code, activation pattern]."""
        return np.outer(self.level_set.odd, self.activations)

    @cached_property
    def products(self) -> np.ndarray:
        """What one product adds to the result, int64 [code, activation pattern]; not defined for `post-exact`."""
        if self.unit == "post-exact":
            raise ValueError("post-exact rounds once per dot product: it has no product of its own")
        if self.unit == "post-sorted":
            return self.even_products + self.odd_products
        if self.unit == "post-three-halves":
            return 2 * self.even_products + 3 * self.odd_products
        if self.unit != "post":
            return self.even_products
        rooted = np.outer(self.level_set.odd, self.multiples["root"])
        return (self.even_products << self.result_frac) + (rooted << self.result_frac - self.frac_bits)

    def find_patterns(self, activations: np.ndarray) -> np.ndarray:
        """Find the bit pattern of each activation value, int64. Raises InputError for values that do not fit."""
        values = check_integers("activations", activations, int(self.activations.min()), int(self.activations.max()))
        return values & ((1 << self.activation_bits) - 1)

    def check_codes(self, codes: np.ndarray) -> np.ndarray:
        """Return the weight codes as int64. Raises InputError for one that does not exist."""
        return check_integers("weight codes", codes, 0, (1 << self.level_set.code_bits) - 1)

    def dot(self, codes: np.ndarray, activations: np.ndarray) -> np.ndarray:
        """Compute each dot product over the last axis of weight codes and activation values, int64 [...].

        Raises InputError for codes and activations that do not fit, and for more terms than `depth`: the unit wraps
        around there, if their sum is large enough.
        """
        codes, patterns = self.check_codes(codes), self.find_patterns(activations)
        terms = np.broadcast_shapes(codes.shape, patterns.shape)[-1]
        if terms > self.depth:
            raise InputError(f"a dot product has {terms} terms; allowed: up to the depth, {self.depth}")
        if self.unit != "post-exact":
            return self.products[codes, patterns].sum(-1)
        even = self.even_products[codes, patterns].sum(-1)
        odd = self.odd_products[codes, patterns].sum(-1)
        return (even << self.frac_bits) + make_sqrt2_table(odd, self.frac_bits)

    def product_error(self) -> float:
        """Largest distance of one product from the exact one, in units of the result (0 for the exact units)."""
        if self.exact:
            return 0.0
        return float(
            np.abs(self.products - np.outer(self.level_set.values, self.activations) * 2.0**self.result_frac).max()
        )

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
        results = [
            (self.depth * even << self.frac_bits) + multiply_by_sqrt2(self.depth * odd, self.frac_bits)
            for even, odd in pairs
        ]
        return min(results), max(results)

    @property
    def result_width(self) -> int:
        """Bits of the signed result: overflow is impossible for dot products of up to `depth` terms."""
        return signed_width(*self.result_range)

    @property
    def sum_widths(self) -> dict[str, int]:
        """Bits of the running sums by name: overflow is impossible within `depth` terms.

        `post-exact` has two, of the even and of the odd terms, the latter not yet times √2.
        """
        if self.unit != "post-exact":
            return {"sum": self.result_width}
        return {
            "even": signed_width(*self.sum_range(self.even_products)),
            "odd": signed_width(*self.sum_range(self.odd_products)),
        }
