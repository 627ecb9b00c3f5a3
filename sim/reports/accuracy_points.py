"""Accuracy beside area: the smallest array for each set of weights and arithmetic that networks were measured with.

Networks and designs are joined by values: `Weights` and `Products`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean, stdev

from asq_model.common.result_schemas import ArithmeticRow
from asq_model.spec.levels import EXPONENTIAL
from asq_model.spec.units import SIGN_MAGNITUDE
from sim.explore.design_rows import DesignRow
from sim.explore.design_space import FULL_WIDTHS
from sim.measure.fpga_families import FPGA_FAMILIES
from sim.reports.hardware_plots import Point

FORM = "array8x8"
ACTIVATIONS = ("lsq", 4)  # quantiser and bits of the networks that are compared


@dataclass(frozen=True)
class Weights:
    """The weights of a design or a network. Sign and magnitude is how uniform ones are stored, not a kind of them."""

    family: str
    bits: int
    kind: str

    @classmethod
    def of(cls, row: DesignRow | ArithmeticRow) -> "Weights":
        """The weights of a design or of a row of the study."""
        family, bits, kind = (
            (row.family, row.weight_bits, row.kind)
            if isinstance(row, DesignRow)
            else (row["family"], row["weight_bits"], row["kind"])
        )
        return cls(family, bits, kind if family in EXPONENTIAL else "")


@dataclass(frozen=True)
class Products:
    """How products are computed, as the study of product rounding names it; no unit: exactly, as by torch."""

    unit: str | None = None
    frac: int | None = None

    @classmethod
    def of_design(cls, row: DesignRow) -> "Products":
        """How a design computes its products."""
        if row.unit == "post":
            return cls("post", row.frac)
        if row.unit in ("post-three-halves", "post-exact"):
            return cls(row.unit)
        return cls("uniform-sign") if row.unit in SIGN_MAGNITUDE else cls()


@dataclass(frozen=True)
class Measured:
    """What tells measured networks apart that differ in more than their seed.

    trained: what training rounded products to. data: the test set's labels.
    """

    network: str
    weights: Weights
    products: Products
    trained: Products
    images: int
    data: str


@dataclass(frozen=True)
class Accuracy:
    """Mean and standard deviation over seeds, in percent. arithmetic: how the page calls the products."""

    measured: Measured
    arithmetic: str
    mean: float
    spread: float
    seeds: int


@dataclass(frozen=True)
class AccuracyPoint:
    """The smallest array with an accuracy's weights and products."""

    row: DesignRow
    accuracy: Accuracy
    luts_per_product: float

    @property
    def title(self) -> str:
        """The design's title, with its weights' bits where they are not the usual ones, and how it was trained."""
        bits = f", {self.row.weight_bits} bits" if self.row.weight_bits != FULL_WIDTHS[0] else ""
        return f"{self.row.title}{bits}{', trained so' if self.accuracy.measured.trained.unit else ''}"

    @property
    def point(self) -> Point:
        """The point in the picture: area against accuracy, with a bar for the spread of seeds."""
        row, accuracy = self.row, self.accuracy
        x, y = self.luts_per_product, accuracy.mean
        return Point(self.title, row.family, row.unit, row.widths, x, y, accuracy.spread)


def average_accuracies(results: Iterable[ArithmeticRow]) -> list[Accuracy]:
    """Average the rows of the product rounding study over seeds, with `ACTIVATIONS`.

    Of networks that were trained with rounded products only those that are run with the same rounding.
    """
    groups: dict[Measured, list[float]] = {}
    names: dict[Measured, str] = {}
    for row in results:
        products = Products(row["unit"], row["frac"])
        rounded = row["product_frac"]
        trained = Products() if rounded is None else Products("post", rounded)
        if (row["activations"], row["activation_bits"]) != ACTIVATIONS or (trained.unit and products != trained):
            continue
        measured = Measured(row["network"], Weights.of(row), products, trained, row["images"], row["data"])
        names[measured] = row["arithmetic"] + (", as trained" if trained.unit else "")
        groups.setdefault(measured, []).append(100 * row["correct"] / row["images"])
    return [
        Accuracy(measured, names[measured], mean(shares), stdev(shares) if len(shares) > 1 else 0.0, len(shares))
        for measured, shares in groups.items()
    ]


def find_smallest_array(rows: Iterable[DesignRow], target: str, measured: Measured) -> DesignRow | None:
    """Find the smallest array in one stage with these weights and products on an FPGA family, None without one."""
    members = [
        row
        for row in rows
        if (row.form, row.target, row.dsp, row.stages) == (FORM, target, False, 1)
        and row.activation_bits == ACTIVATIONS[1]
        and Weights.of(row) == measured.weights
        and Products.of_design(row) == measured.products
    ]
    return min(members, key=lambda row: row.luts or 0, default=None)


def find_accuracy_points(rows: list[DesignRow], accuracies: list[Accuracy]) -> dict[str, list[AccuracyPoint]]:
    """Find the smallest 8 × 8 array for each accuracy, by FPGA family; families without any are left out."""
    points: dict[str, list[AccuracyPoint]] = {}
    for target in FPGA_FAMILIES:
        for accuracy in accuracies:
            row = find_smallest_array(rows, target, accuracy.measured)
            if row is not None and row.luts is not None:
                point = AccuracyPoint(row, accuracy, row.luts / row.products_per_cycle)
                points.setdefault(target, []).append(point)
    return points
