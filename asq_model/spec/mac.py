"""The multiply-accumulate units: what each computes, exactly, and how wide its numbers are.

A unit takes weight codes and integer activations and returns one integer per dot product, the sum in units of
2^-result_frac of the level set's unit. Real value of a result: `α · s_a · result / (level_unit · 2^result_frac)`.

=================  ===================================================================================
unit               product of level w and activation a
=================  ===================================================================================
post               w = ±√2^n: `±(a << frac) << n/2` for even n, `±round(√2·a·2^frac) << (n−1)/2` for odd n (Eq. 18)
post-exact         the pair (even·a, odd·a) in Z[√2], summed apart; the result is round((E + O·√2)·2^frac)
post-sorted        `±a << ⌊n/2⌋`: terms of one parity a dot product, whose sum is exact, in units of 1 or of √2
post-three-halves  as post with 3/2 for √2: `±2a << n/2` and `±3a << (n−1)/2`, exact, in units of a half
pot                `±a << n`
apot               `±Σ a << shift`, one shift per term
e2m1               w·a, w the 4-bit float times 2
uniform            w·a, w in two's complement
uniform-…          other circuits for uniform weights, see `hw.multipliers`: -booth and -table, w in two's complement;
                   -sign, -adders and -shared, w as sign and magnitude
serial             as uniform, one weight bit a cycle
=================  ===================================================================================

`post` with frac = −1 has a table of round(√2·a/2), as wide as a itself, shifted one place further; results are
integers then, as with frac = 0.

Error of `post`: the table is off by at most ½, so a product by at most 2^⌊(M−2)/2⌋ / 2 (frac = −1: twice that), and an
N-term sum by N times that, in units of the result (see `product_error`). Error of `post-exact`: at most ½ per dot
product.

`lanes` operand pairs are taken a cycle and their products added by a tree. `shared`: what a unit needs of an
activation beside it (`multiples`: √2·a, 3·a) comes with the operand, from a table that several units share. `gated`:
a zero activation makes a product's sign zero too, so that it does not toggle; results are the same.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from asq_model.common.errors import InputError, check_choice, check_flag, check_range, fields_named
from asq_model.spec.fixed_point import checked_integers, signed_width
from asq_model.spec.levels import EXPONENTIAL, LevelSet
from asq_model.spec.sqrt2 import sqrt2_table, times_sqrt2
from asq_model.spec.units import FAMILY_OF_UNIT, ROUNDING, SIGN_MAGNITUDE, TWOS_COMPLEMENT, UNITS

DEFAULT_FRAC = 2
# The largest convolution of the CIFAR ResNets and of MLPerf Tiny's ResNet-8: 64 channels × 3 × 3.
DEFAULT_DEPTH = 576
MIN_FRAC, MAX_FRAC = -1, 12
MAX_DEPTH = 1 << 20
MAX_LANES = 256
WHOLE_TABLE_BITS = 4  # √2·a of activations up to this width is one table: the inputs of the smallest LUT
MAX_TABLE_BITS = 8  # weight and activation together, for a table of products, which doubles with each bit


@dataclass(frozen=True)
class MacSpec:
    """A multiply-accumulate unit with all its parameters. Raises InputError for a combination that cannot be.

    `kind` of the level set ("": the default, symmetric) is for POST and POT units, `frac` (None: the default) for those
    that round, `shared` for those with `multiples`, `gated` for those with a sign of their own. `depth` counts terms,
    not cycles.
    """

    unit: str = "post"
    weight_bits: int = 3
    activation_bits: int = 3
    kind: str = ""
    frac: int | None = None
    depth: int = DEFAULT_DEPTH
    signed_activation: bool = False
    lanes: int = 1
    shared: bool = False
    gated: bool = False

    def __post_init__(self) -> None:
        check_choice("unit", self.unit, UNITS)
        if not isinstance(self.kind, str):
            raise InputError(f"kind is {self.kind!r}; allowed: a name, or nothing", "kind")
        family = FAMILY_OF_UNIT[self.unit]
        if family in EXPONENTIAL and not self.kind:
            object.__setattr__(self, "kind", "symmetric")
        elif family not in EXPONENTIAL and self.kind:
            raise InputError(f"kind is {self.kind!r}, but unit {self.unit} has only one level set", "kind")
        with fields_named({"bits": "weight_bits"}):
            _ = self.level_set
        check_range("activation_bits", self.activation_bits, 1, 8)
        check_range("depth", self.depth, 1, MAX_DEPTH)
        check_range("lanes", self.lanes, 1, MAX_LANES)
        for name in ("signed_activation", "shared", "gated"):
            check_flag(name, getattr(self, name))
        self._set_frac()
        if self.lanes > 1 and self.unit == "serial":
            raise InputError(f"lanes is {self.lanes}, but unit serial has one lane", "lanes")
        if self.lanes > self.depth:
            has = f"lanes is {self.lanes} and depth is {self.depth}"
            raise InputError(f"{has}; allowed: a depth of at least the lanes", "lanes", "depth")
        if self.shared and not self.multiples:
            why = f"unit {self.unit} needs nothing of an activation that could be shared"
            raise InputError(f"shared is 1, but {why}", "shared")
        if self.gated and self.unit in TWOS_COMPLEMENT:
            raise InputError(f"gated is 1, but unit {self.unit} has no sign apart from its product", "gated")
        if self.unit == "uniform-table" and self.weight_bits + self.activation_bits > MAX_TABLE_BITS:
            names = "weight_bits", "activation_bits"
            has = f"{' and '.join(names)} are {self.weight_bits} and {self.activation_bits}"
            raise InputError(f"{has} for unit uniform-table; allowed: {MAX_TABLE_BITS} together", *names)

    def _set_frac(self) -> None:
        """Set `frac` to the unit's own where there is no choice, or to the default."""
        if self.unit in ROUNDING:
            object.__setattr__(self, "frac", DEFAULT_FRAC if self.frac is None else self.frac)
            check_range("frac", self.frac_bits, MIN_FRAC if self.unit == "post" else 0, MAX_FRAC)
            return
        fixed = 1 if self.unit == "post-three-halves" else 0
        if self.frac not in (None, fixed):
            why = f"unit {self.unit} has no choice of fraction bits; leave it out"
            raise InputError(f"frac is {self.frac}, but {why}", "frac")
        object.__setattr__(self, "frac", fixed)

    @property
    def frac_bits(self) -> int:
        """`frac`, which is an integer once the unit is made."""
        assert self.frac is not None
        return self.frac

    @property
    def name(self) -> str:
        """Name of the module and of its files; choices other than the defaults show in it."""
        form = "mac" if self.lanes == 1 else f"dot{self.lanes}"
        parts = [f"{self.unit.replace('-', '_')}_{form}_w{self.weight_bits}a{self.activation_bits}"]
        if self.kind not in ("", "symmetric"):
            parts.append(self.kind)
        if self.unit in ROUNDING and self.frac_bits != DEFAULT_FRAC:
            parts.append("fm1" if self.frac_bits < 0 else f"f{self.frac_bits}")
        if self.depth != DEFAULT_DEPTH:
            parts.append(f"d{self.depth}")
        if self.signed_activation:
            parts.append("sa")
        if self.shared:
            parts.append("shared")
        if self.gated:
            parts.append("gated")
        return "_".join(parts)

    @cached_property
    def level_set(self) -> LevelSet:
        """The levels and codes of the unit's weights."""
        kind = "sign-magnitude" if self.unit in SIGN_MAGNITUDE else self.kind
        return LevelSet(FAMILY_OF_UNIT[self.unit], self.weight_bits, kind)

    @property
    def exact(self) -> bool:
        """Whether every product is exact, so that only `post` rounds before the end of the dot product."""
        return self.unit not in ("post", "post-three-halves")

    @property
    def result_frac(self) -> int:
        """Fraction bits of a result."""
        return max(self.frac_bits, 0)

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
        if self.unit == "post":
            return {"root": sqrt2_table(self.activations, self.frac_bits)}
        if self.unit in ("post-three-halves", "e2m1", "uniform-shared"):
            return {"triple": 3 * self.activations}
        return {}

    @property
    def splits_root(self) -> bool:
        """Whether √2·a is the sum of two tables, of a's low and high bits: one table of more bits is large and slow."""
        return "root" in self.multiples and self.activation_bits > WHOLE_TABLE_BITS

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

    def patterns(self, activations: np.ndarray) -> np.ndarray:
        """The bit pattern of each activation value, int64. Raises InputError for values that do not fit."""
        values = checked_integers("activations", activations, int(self.activations.min()), int(self.activations.max()))
        return values & ((1 << self.activation_bits) - 1)

    def checked_codes(self, codes: np.ndarray) -> np.ndarray:
        """The weight codes as int64. Raises InputError for one that does not exist."""
        return checked_integers("weight codes", codes, 0, (1 << self.level_set.code_bits) - 1)

    def dot(self, codes: np.ndarray, activations: np.ndarray) -> np.ndarray:
        """The result of each dot product over the last axis of weight codes and activation values, int64 [...].

        Raises InputError for codes and activations that do not fit, and for more terms than `depth`: the unit wraps
        around there, if their sum is large enough.
        """
        codes, patterns = self.checked_codes(codes), self.patterns(activations)
        terms = np.broadcast_shapes(codes.shape, patterns.shape)[-1]
        if terms > self.depth:
            raise InputError(f"a dot product has {terms} terms; allowed: up to the depth, {self.depth}")
        if self.unit != "post-exact":
            return self.products[codes, patterns].sum(-1)
        even = self.even_products[codes, patterns].sum(-1)
        odd = self.odd_products[codes, patterns].sum(-1)
        return (even << self.frac_bits) + sqrt2_table(odd, self.frac_bits)

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
            (self.depth * even << self.frac_bits) + times_sqrt2(self.depth * odd, self.frac_bits) for even, odd in pairs
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

    @property
    def interval(self) -> int:
        """Cycles from one accepted operand to the next at full rate: 1, or the weight's bits for `serial`."""
        return self.weight_bits if self.unit == "serial" else 1

    @property
    def latency(self) -> int:
        """Cycles from accepting a dot product's last operand to offering its result.

        One to register the product (`serial`: one per weight bit), one per level of the tree, one to accumulate;
        `post-exact` one more for √2.
        """
        return self.interval + (self.lanes - 1).bit_length() + 1 + (self.unit == "post-exact")

    def cycles(self, operands: int) -> int:
        """Cycles from the first accepted operand to the last result taken, both included, when nothing stalls.

        operands: how many were taken, each of `lanes` pairs.
        """
        return self.interval * (operands - 1) + self.latency + 1
