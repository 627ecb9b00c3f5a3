"""How a network is quantised, as plain data: one `LayerConfig` per layer. Free of torch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields

from asq_model.common.effective import settle
from asq_model.common.errors import InputError, check_choice, check_flag, check_range, fields_named, shown
from asq_model.spec.levels import EXPONENTIAL, MAX_BITS, LevelSet
from asq_model.spec.mac_parameters import MAX_FRAC, MIN_FRAC
from asq_model.spec.precision import BETA_LIMIT

WEIGHTS = ("post", "pot", "apot", "e2m1", "uniform", "dorefa")
ACTIVATIONS = ("asq", "lsq", "lsq+", "pact", "dorefa", "pot")
STEP_GRADIENTS = ("numel", "features", "unscaled")
ADAPTER_STARTS = ("active", "authors")


@dataclass(frozen=True)
class LayerConfig:
    """The quantisers of one layer. Raises InputError, naming the field, for a combination that cannot be.

    weights: family of weight levels; `uniform` is LSQ, `dorefa` the tanh-normalised uniform levels of DoReFa-Net.
    weight_bits, kind: width b and, for `post` and `pot`, the level set (`symmetric` where it is left empty); for
        `uniform` two's complement, or `sign-magnitude`, which has no −2^(b−1).
    activations: quantiser of the layer's input; `asq` is LSQ with an adapter; `pot` has powers of two as levels.
    activation_bits: 2 to 8; for `pot` 2 to 5, or 6 with a sign.
    signed: whether the input can be negative (codes −2^(b−1) … 2^(b−1) − 1).
    per_channel: one weight scale per output channel, or one per tensor.
    step_gradient: N of LSQ's gradient scale 1/√(N·p) for activations: `numel` of the batch, as the public codes have
        it, or the `features` of one sample, as LSQ's paper has it; `unscaled`: no scale, as ASQ's β has none.
    adapter_layers: 1 or 2, or 0 for the paper's rule (one below 8 input channels, else two).
    adapter_ratio: input channels per neuron of a two-layer adapter's hidden layer.
    adapter_start: how that hidden layer starts: `active`, so that its neurons respond to the inputs, or as the
        `authors` have it, with signs at random: every neuron may then be silent, and ASQ is LSQ.
    beta_floor: smallest β; 1e-8 is the authors' choice, 2^-4 what hardware is made for.
    scale_beta_gradient: apply LSQ's gradient scale to β too (the authors do not).
    product_frac: round √2·a to so many fraction bits as unit `post` does, so that training sees it; None: exact. For
        `post` weights with `asq` or `lsq` activations.
    """

    weights: str = "post"
    weight_bits: int = 4
    kind: str = ""
    activations: str = "asq"
    activation_bits: int = 4
    signed: bool = False
    per_channel: bool = True
    step_gradient: str = "numel"
    adapter_layers: int = 0
    adapter_ratio: int = 4
    adapter_start: str = "active"
    beta_floor: float = 2.0**-4
    scale_beta_gradient: bool = False
    product_frac: int | None = None

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("weights", self.weights, WEIGHTS),
            ("activations", self.activations, ACTIVATIONS),
            ("step_gradient", self.step_gradient, STEP_GRADIENTS),
            ("adapter_start", self.adapter_start, ADAPTER_STARTS),
        ):
            check_choice(name, value, allowed)
        for name in ("signed", "per_channel", "scale_beta_gradient"):
            check_flag(name, getattr(self, name))
        if not isinstance(self.kind, str):
            raise InputError(f"kind is {self.kind!r}; allowed: a name, or nothing", "kind")
        if self.weights in EXPONENTIAL:
            settle(self, kind=self.kind or "symmetric")
        if self.weights == "dorefa":
            check_range("weight_bits", self.weight_bits, 2, 8)
            if self.kind:
                raise InputError(f"kind is {self.kind!r}, but dorefa weights have only one level set", "kind")
        else:
            with fields_named({"bits": "weight_bits"}):
                LevelSet(self.weights, self.weight_bits, self.kind)
        check_activations(self.activations, self.activation_bits, self.signed)
        check_range("adapter_layers", self.adapter_layers, 0, 2)
        check_range("adapter_ratio", self.adapter_ratio, 1, 1 << 16)
        if not isinstance(self.beta_floor, int | float) or not 0 < self.beta_floor < BETA_LIMIT:  # nan is not
            allowed_floors = f"more than 0, less than {BETA_LIMIT}"
            raise InputError(f"beta_floor is {self.beta_floor!r}; allowed: {allowed_floors}", "beta_floor")
        if self.product_frac is not None:
            check_range("product_frac", self.product_frac, MIN_FRAC, MAX_FRAC)
            if self.weights != "post" or self.activations not in ("asq", "lsq"):
                has = f"{self.weights} weights and {self.activations} activations"
                why = f"with {has}; it is for post with asq or lsq"
                raise InputError(f"product_frac is {self.product_frac} {why}", "product_frac")

    @property
    def level_set(self) -> LevelSet:
        """The level set of the weights. Raises InputError for `dorefa`, whose levels have no zero and no code here."""
        if self.weights == "dorefa":
            raise InputError("weights are dorefa, which has no level set that hardware takes; use uniform")
        return LevelSet(self.weights, self.weight_bits, self.kind)

    @property
    def stored_bits(self) -> int:
        """The bits that one weight takes in memory: `weight_bits`, one more for an extended level set."""
        return self.weight_bits if self.weights == "dorefa" else self.level_set.code_bits


def check_activations(activations: str, bits: int, signed: bool) -> None:
    """Raises InputError for a width or a sign that a quantiser of activations does not have."""
    check_range("activation_bits", bits, 2, 8)
    most = MAX_BITS["pot"] - (not signed)
    if activations == "pot" and bits > most:
        why = "the smallest level is too small a part of the largest; use lsq or asq"
        raise InputError(
            f"activation_bits is {bits} for pot activations; allowed: 2 to {most} ({why})", "activation_bits"
        )
    if signed and activations in ("pact", "dorefa"):
        why = "which is defined for inputs ≥ 0 only; use lsq or asq"
        raise InputError(f"activations are {activations}, {why}")


OUTER = LayerConfig("uniform", 8, activations="lsq", activation_bits=8)


@dataclass(frozen=True)
class QuantConfig:
    """How `convert` quantises a network: `outer` for the first and the last layer, `inner` for all between.

    overrides: by layer name as in `named_modules`; None leaves that layer in full precision. Raises InputError for what
    is no configuration.
    """

    inner: LayerConfig = LayerConfig()
    outer: LayerConfig = OUTER
    overrides: Mapping[str, LayerConfig | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.overrides, Mapping):
            raise InputError(
                f"overrides is {shown(self.overrides)}; allowed: configurations by layer name", "overrides"
            )
        layers = {"inner": self.inner, "outer": self.outer}
        layers |= {f"overrides[{name!r}]": layer for name, layer in self.overrides.items() if layer is not None}
        for name, layer in layers.items():
            if not isinstance(layer, LayerConfig):
                allowed = (
                    "a LayerConfig, or None to leave the layer" if name.startswith("overrides") else "a LayerConfig"
                )
                raise InputError(f"{name} is {shown(layer)}; allowed: {allowed}")


def parse_layer_config(record: object) -> LayerConfig:
    """Make the configuration of the dictionary that a checkpoint stores. Raises InputError for anything else."""
    known = {field.name: field.type for field in fields(LayerConfig)}
    if not isinstance(record, dict) or not record.keys() <= known.keys():
        raise InputError(f"layer configuration {record!r} has unknown fields; allowed: {', '.join(known)}")
    return LayerConfig(**record)


def describe_differences(one: LayerConfig, other: LayerConfig) -> str:
    """Say in which fields two configurations differ, with both values, for a message."""
    pairs = ((field.name, getattr(one, field.name), getattr(other, field.name)) for field in fields(LayerConfig))
    return ", ".join(f"{name} is {mine!r} here and {theirs!r} there" for name, mine, theirs in pairs if mine != theirs)


def make_layer_record(config: LayerConfig) -> dict[str, bool | int | float | str | None]:
    """Make the dictionary that JSON holds of a configuration: its fields by their names."""
    return asdict(config)
