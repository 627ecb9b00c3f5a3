"""How a network is trained, as plain data: one `Recipe` per training run. Free of torch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from asq_model.common.effective import settle
from asq_model.common.errors import InputError, check_choice, check_range, fields_named
from asq_model.config.layer_config import LayerConfig, QuantConfig
from asq_model.spec.levels import LevelSet

DATASETS = ("digits", "cifar10", "imagenet")
NETWORKS = ("digits", "resnet8", "resnet20", "resnet18", "resnet34", "mobilenetv2")
PRECISIONS = ("float32", "bfloat16")
MOST_EPOCHS = 1_000_000
MOST_RATE = 1e30
# The options of `asq-post train` by the field that they set; momentum and weight decay have none.
OPTIONS = {
    "network": "--network",
    "data": "--dataset",
    "weight_bits": "--bits",
    "activation_bits": "--abits",
    "family": "--family",
    "kind": "--kind",
    "activations": "--activations",
    "seed": "--seed",
    "batch": "--batch",
    "full_precision_epochs": "--full-epochs",
    "quantised_epochs": "--epochs",
    "full_precision_rate": "--full-rate",
    "quantised_rate": "--rate",
    "validation": "--validation",
    "precision": "--precision",
    "threads": "--threads",
    "product_frac": "--product-frac",
    "adapter_start": "--adapter-start",
    "step_gradient": "--step-gradient",
}
MOST_THREADS = 512  # far more make torch's pool crash


@dataclass(frozen=True)
class Recipe:
    """What is trained and how: first in full precision, then quantised, each phase with a cosine from its rate to 0.

    `validation` holds that many training images back and tests on them instead. `threads` is part of it since the
    order of a sum's terms, and with it the last bits of every weight, depends on it. The default suits a network as
    small as the digits', for which more threads wait for each other.
    Raises InputError for what cannot be.
    """

    weight_bits: int = 3
    activation_bits: int = 3
    family: str = "post"
    kind: str = ""
    activations: str = "asq"
    network: str = "digits"
    data: str = "digits"
    seed: int = 0
    batch: int = 64
    full_precision_epochs: int = 15
    quantised_epochs: int = 30
    full_precision_rate: float = 0.1
    quantised_rate: float = 0.04
    momentum: float = 0.9
    weight_decay: float = 1e-4
    validation: int = 0
    precision: str = "float32"
    threads: int = 1
    product_frac: int | None = None  # see `LayerConfig`, as for the next two
    adapter_start: str = "active"
    step_gradient: str = "numel"

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("network", self.network, NETWORKS),
            ("data", self.data, DATASETS),
            ("precision", self.precision, PRECISIONS),
        ):
            check_choice(name, value, allowed)
        if (self.network == "digits") != (self.data == "digits"):
            raise InputError(f"network {self.network} does not take the images of {self.data}")
        check_range("batch", self.batch, 1, 1 << 20)
        check_range("threads", self.threads, 1, MOST_THREADS)
        for name in ("full_precision_epochs", "quantised_epochs", "validation", "seed"):
            check_range(name, getattr(self, name), 0, 1 << 31)
        rates = {"full_precision_rate": MOST_RATE, "quantised_rate": MOST_RATE}
        for name, most in (rates | {"momentum": 1, "weight_decay": 1}).items():
            if not 0 <= getattr(self, name) <= most:  # nan is not
                raise InputError(f"{name} is {getattr(self, name)}; allowed: 0 to {most:g}", name)
        with fields_named({"weights": "family"}):
            settle(self, kind=self.layer.kind)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The recipe that a checkpoint stores. Raises TypeError for an unknown field, InputError for a bad one."""
        return cls(**record)

    @property
    def layer(self) -> LayerConfig:
        """The configuration of every layer but the first and the last."""
        return LayerConfig(
            self.family,
            self.weight_bits,
            self.kind,
            self.activations,
            self.activation_bits,
            product_frac=self.product_frac,
            adapter_start=self.adapter_start,
            step_gradient=self.step_gradient,
        )

    @property
    def name(self) -> str:
        """The recipe's name in file names: what tells it from others that one has side by side."""
        if not self.quantised_epochs:
            return f"{self.network}_full_seed{self.seed}"
        weights = self.family if self.family == "dorefa" else self.level_set.name
        adaptive = "" if self.activations == "asq" else f"_{self.activations}"
        others = "" if self.product_frac is None else f"_f{self.product_frac}".replace("-", "m")
        others += "" if self.adapter_start == "active" else f"_{self.adapter_start}"
        others += "" if self.step_gradient == "numel" else f"_{self.step_gradient}"
        return f"{self.network}_{weights}_a{self.activation_bits}{adaptive}{others}_seed{self.seed}"

    @property
    def quantisation(self) -> QuantConfig:
        """The configuration of the whole network."""
        return QuantConfig(inner=self.layer)

    @property
    def level_set(self) -> LevelSet:
        """The level set of the low-bit weights."""
        return self.layer.level_set

    @property
    def epochs(self) -> int:
        """The number of epochs of both phases."""
        return self.full_precision_epochs + self.quantised_epochs

    def command_line(self) -> list[str]:
        """The options of `asq-post train` that make this recipe: network, bits, and what differs from its schedule.

        Raises InputError for a field that is not the schedule's and has no option.
        """
        schedule = recipe_of(self.network)
        always = ("network", "weight_bits", "activation_bits")
        words = []
        for name, value in asdict(self).items():
            if name not in always and (value == getattr(schedule, name) or value in ("", None)):
                continue
            if name not in OPTIONS:
                raise InputError(f"{name} is {value}; on a command line it is always {getattr(schedule, name)}")
            words += [OPTIONS[name], str(value)]
        return words


# Where a network is trained otherwise than by `Recipe`'s defaults: the paper's schedules (its sections 4.1-4.3). For
# ImageNet the paper starts from published full-precision weights; ResNet-8 is not in the paper, and takes ResNet-20's.
_CIFAR: dict[str, Any] = {"data": "cifar10", "batch": 128, "full_precision_epochs": 200, "quantised_epochs": 300}
_IMAGENET: dict[str, Any] = {
    "data": "imagenet",
    "full_precision_epochs": 0,
    "quantised_epochs": 90,
    "quantised_rate": 0.01,
}
SCHEDULES: dict[str, dict[str, Any]] = {
    "digits": {},
    "resnet8": _CIFAR,
    "resnet20": _CIFAR,
    "resnet18": _IMAGENET | {"batch": 512},
    "resnet34": _IMAGENET | {"batch": 512},
    "mobilenetv2": _IMAGENET | {"batch": 256},
}


def recipe_of(network: str, **given: Any) -> Recipe:
    """The recipe of a network's own schedule, with what is given (and not None) in its place."""
    given = {name: value for name, value in given.items() if value is not None}
    return Recipe(**{"network": network} | SCHEDULES.get(network, {}) | given)
