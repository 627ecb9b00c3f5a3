"""The paper's Tables 2 to 5: which runs they are made of, and the accuracies that they report. Free of torch."""

from dataclasses import dataclass, field

from asq_model.spec.levels import EXPONENTIAL, KINDS


@dataclass(frozen=True)
class Row:
    """One line of a table: weights of that family and kind, both operands at `bits` bits, and these activations."""

    bits: int
    family: str
    kind: str
    activations: str

    @property
    def label(self) -> str:
        """The method's name in the paper: what replaces LSQ's activations, then what replaces its uniform weights."""
        weights = "" if self.family == "uniform" else f" + {self.family.upper()}"
        return self.activations.upper() + weights


def method_rows(bits: tuple[int, ...], family: str, activations: str) -> list[Row]:
    """The rows of a method at several widths, with every level set where it has some."""
    kinds = KINDS if family in EXPONENTIAL else ("",)
    return [Row(width, family, kind, activations) for width in bits for kind in kinds]


# Table 5 (its rows at 4 bits) and Table 4 (the other widths; the paper has no 2-bit POST) are one study, number 4.
CIFAR = (
    *method_rows((4,), "uniform", "lsq"),
    *method_rows((4,), "uniform", "asq"),
    *method_rows((4,), "post", "lsq"),
    *method_rows((4,), "pot", "lsq"),
    *method_rows((4,), "e2m1", "lsq"),
    *method_rows((4, 3), "post", "asq"),
    *[row for bits in (3, 2) for activations in ("lsq", "asq") for row in method_rows((bits,), "uniform", activations)],
)


@dataclass(frozen=True)
class Table:
    """A table of the paper: its networks and rows; printed: what it reports, network, bits, label to top-1 percent."""

    title: str
    networks: tuple[str, ...]
    rows: tuple[Row, ...]
    printed: dict[tuple[str, int, str], float] = field(default_factory=dict)


def printed_accuracies(network: str, **methods: dict[int, float]) -> dict[tuple[str, int, str], float]:
    """A network's printed top-1 percentages by network, bits and label; `ASQ_POST` is the label ASQ + POST."""
    return {
        (network, bits, label.replace("_", " + ")): top_1
        for label, row in methods.items()
        for bits, top_1 in row.items()
    }


TABLES = {
    2: Table(
        "Table 2: ResNet-18 and -34 on ImageNet",
        ("resnet18", "resnet34"),
        (*method_rows((2, 3, 4, 8), "uniform", "asq"), *method_rows((3, 4), "post", "asq")),
        printed_accuracies("resnet18", ASQ={2: 67.1, 3: 69.8, 4: 70.8, 8: 71.0}, ASQ_POST={3: 70.0, 4: 71.0})
        | printed_accuracies("resnet34", ASQ={2: 71.3, 3: 73.3, 4: 73.9, 8: 74.3}, ASQ_POST={3: 73.4, 4: 74.1}),
    ),
    3: Table(
        "Table 3: MobileNetV2 on ImageNet",
        ("mobilenetv2",),
        (*method_rows((3, 4), "uniform", "asq"), *method_rows((3, 4), "post", "asq")),
        printed_accuracies("mobilenetv2", ASQ={3: 65.6, 4: 69.8}, ASQ_POST={3: 66.6, 4: 70.1}),
    ),
    4: Table(
        "Tables 4 and 5: CIFAR-10",
        ("resnet20",),
        CIFAR,
        printed_accuracies(
            "resnet20",
            LSQ={2: 91.0, 3: 92.0, 4: 92.4},
            ASQ={2: 91.2, 3: 91.7, 4: 92.8},
            ASQ_POST={3: 92.3, 4: 93.0},
            LSQ_POT={4: 92.5},
            LSQ_POST={4: 92.7},
        ),
    ),
}
