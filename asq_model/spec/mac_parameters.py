"""The parameters of a multiply-accumulate unit: what can be chosen together, and the cycles that it then takes."""

from dataclasses import dataclass
from functools import cached_property

from asq_model.common.effective import settle
from asq_model.common.errors import InputError, check_choice, check_flag, check_range, fields_named
from asq_model.spec.levels import EXPONENTIAL, LevelSet
from asq_model.spec.units import FAMILY_OF_UNIT, MULTIPLE, ROUNDING, SIGN_MAGNITUDE, TWOS_COMPLEMENT, UNITS

DEFAULT_FRAC = 2
# The largest convolution of the CIFAR ResNets and of MLPerf Tiny's ResNet-8: 64 channels × 3 × 3.
DEFAULT_DEPTH = 576
MIN_FRAC, MAX_FRAC = -1, 12
MAX_DEPTH = 1 << 20
MAX_LANES = 256
WHOLE_TABLE_BITS = 4  # √2·a of activations up to this width is one table: the inputs of the smallest LUT
MAX_TABLE_BITS = 8  # weight and activation together, for a table of products, which doubles with each bit


@dataclass(frozen=True)
class MacParameters:
    """The parameters of a multiply-accumulate unit. Raises InputError for a combination that cannot be.

    `kind` of the level set ("": the default, symmetric) is for POST and POT units, `frac` (None: the default) for those
    that round, `shared` for those that need a multiple of the activation (`MULTIPLE`), `gated` for those with a sign of
    their own. `depth` counts terms, not cycles.
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
        settle(self, kind=self._kind_in_effect())
        with fields_named({"bits": "weight_bits"}):
            _ = self.level_set
        check_range("activation_bits", self.activation_bits, 1, 8)
        check_range("depth", self.depth, 1, MAX_DEPTH)
        check_range("lanes", self.lanes, 1, MAX_LANES)
        for name in ("signed_activation", "shared", "gated"):
            check_flag(name, getattr(self, name))
        settle(self, frac=self._frac_in_effect())
        self._check_lanes()
        self._check_unit_has_choices()

    def _kind_in_effect(self) -> str:
        """The kind of the level set: the default where it is left open and the family has several."""
        if not isinstance(self.kind, str):
            raise InputError(f"kind is {self.kind!r}; allowed: a name, or nothing", "kind")
        if FAMILY_OF_UNIT[self.unit] in EXPONENTIAL:
            return self.kind or "symmetric"
        if self.kind:
            raise InputError(f"kind is {self.kind!r}, but unit {self.unit} has only one level set", "kind")
        return ""

    def _frac_in_effect(self) -> int:
        """The fraction bits: the unit's own where there is no choice, the default where they are left open."""
        if self.unit in ROUNDING:
            frac = DEFAULT_FRAC if self.frac is None else self.frac
            check_range("frac", frac, MIN_FRAC if self.unit == "post" else 0, MAX_FRAC)
            return frac
        fixed = 1 if self.unit == "post-three-halves" else 0
        if self.frac not in (None, fixed):
            why = f"unit {self.unit} has no choice of fraction bits; leave it out"
            raise InputError(f"frac is {self.frac}, but {why}", "frac")
        return fixed

    def _check_lanes(self) -> None:
        """Raises InputError for more lanes than the unit or its dot products can have."""
        if self.lanes > 1 and self.unit == "serial":
            raise InputError(f"lanes is {self.lanes}, but unit serial has one lane", "lanes")
        if self.lanes > self.depth:
            has = f"lanes is {self.lanes} and depth is {self.depth}"
            raise InputError(f"{has}; allowed: a depth of at least the lanes", "lanes", "depth")

    def _check_unit_has_choices(self) -> None:
        """Raises InputError for `shared`, `gated` or widths that this unit cannot have."""
        if self.shared and self.unit not in MULTIPLE:
            why = f"unit {self.unit} needs nothing of an activation that could be shared"
            raise InputError(f"shared is 1, but {why}", "shared")
        if self.gated and self.unit in TWOS_COMPLEMENT:
            raise InputError(f"gated is 1, but unit {self.unit} has no sign apart from its product", "gated")
        if self.unit == "uniform-table" and self.weight_bits + self.activation_bits > MAX_TABLE_BITS:
            names = "weight_bits", "activation_bits"
            has = f"{' and '.join(names)} are {self.weight_bits} and {self.activation_bits}"
            raise InputError(f"{has} for unit uniform-table; allowed: {MAX_TABLE_BITS} together", *names)

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
    def result_frac(self) -> int:
        """Fraction bits of a result."""
        return max(self.frac_bits, 0)

    @property
    def splits_root(self) -> bool:
        """Whether √2·a is the sum of two tables, of a's low and high bits: one table of more bits is large and slow."""
        return MULTIPLE.get(self.unit) == "root" and self.activation_bits > WHOLE_TABLE_BITS

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
