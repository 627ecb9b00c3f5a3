"""The paper's Tables 2 to 5: which runs they are made of. Free of torch."""

from dataclasses import dataclass

from asq_model.spec.levels import EXPONENTIAL, KINDS
from asq_model.studies.method_row import MethodRow


def list_method_rows(bits: tuple[int, ...], family: str, activations: str) -> list[MethodRow]:
    """List the rows of a method at several widths, with every level set where it has some."""
    kinds = KINDS if family in EXPONENTIAL else ("",)
    return [MethodRow(width, width, family, kind, activations) for width in bits for kind in kinds]


# Table 5 (its rows at 4 bits) and Table 4 (the other widths; the paper has no 2-bit POST) are one study, number 4.
CIFAR = (
    *list_method_rows((4,), "uniform", "lsq"),
    *list_method_rows((4,), "uniform", "asq"),
    *list_method_rows((4,), "post", "lsq"),
    *list_method_rows((4,), "pot", "lsq"),
    *list_method_rows((4,), "e2m1", "lsq"),
    *list_method_rows((4, 3), "post", "asq"),
    *list_method_rows((4, 3), "apot", "lsq"),
    *[
        row
        for bits in (3, 2)
        for activations in ("lsq", "asq")
        for row in list_method_rows((bits,), "uniform", activations)
    ],
)


@dataclass(frozen=True)
class Table:
    """A table of the paper: its networks and rows. What it reports is in `printed_tables`."""

    title: str
    networks: tuple[str, ...]
    rows: tuple[MethodRow, ...]


TABLES = {
    2: Table(
        "Table 2: ResNet-18 and -34 on ImageNet",
        ("resnet18", "resnet34"),
        (
            *list_method_rows((2, 3, 4, 8), "uniform", "lsq"),
            *list_method_rows((2, 3, 4, 8), "uniform", "asq"),
            *list_method_rows((3, 4), "post", "asq"),
            *list_method_rows((3, 4), "apot", "lsq"),
            *list_method_rows((2, 3, 4), "dorefa", "pact"),
        ),
    ),
    3: Table(
        "Table 3: MobileNetV2 on ImageNet",
        ("mobilenetv2",),
        (
            *list_method_rows((3, 4), "uniform", "lsq"),
            *list_method_rows((3, 4), "uniform", "asq"),
            *list_method_rows((3, 4), "post", "asq"),
            *list_method_rows((4,), "dorefa", "pact"),
        ),
    ),
    4: Table("Tables 4 and 5: CIFAR-10", ("resnet20",), CIFAR),
}
