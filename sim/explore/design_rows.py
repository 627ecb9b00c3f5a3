"""Rows of measured designs: what is in one, and the files that they are kept in."""

from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field, structs

from asq_model.common.records import Amount, Count, Line, Positive, Schema, Text, Whole, Width, Word
from asq_model.spec.units import UNITS
from sim.measure.fpga_families import FPGA_FAMILIES, PLACED
from sim.measure.switching import Switching
from sim.measure.yosys_area import Area

ASIC, ENERGY = "asic", "energy"
TARGETS = (*FPGA_FAMILIES, ASIC, ENERGY)
FORM = r"\A(mac|dot[1-9][0-9]*|array[1-9][0-9]*x[1-9][0-9]*)\Z"


class Description(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a design and its target before anything is measured."""

    name: Word
    title: Line
    unit: Word
    level_set: Word
    family: Word
    kind: Line
    weight_bits: Width
    activation_bits: Width
    frac: Annotated[int, Meta(ge=-1, le=12)]
    form: Annotated[str, Meta(pattern=FORM)]
    stages: Annotated[int, Meta(ge=1, le=3)]
    shared: bool
    gated: bool
    rival: bool
    products_per_cycle: Positive
    target: Word
    dsp: bool
    mapped: bool = False

    @property
    def widths(self) -> tuple[int, int]:
        """Weight bits and activation bits."""
        return self.weight_bits, self.activation_bits


class Failure(Description, frozen=True, kw_only=True, omit_defaults=True):
    """A design that could not be measured, and why."""

    error: Text


class DesignRow(Description, frozen=True, kw_only=True, omit_defaults=True):
    """A measured design: the golden results that its bench checked, and the figures that its target has (`check_row`).

    relative_error: of the results, root mean square, over theirs. per_lut: millions of products a second and LUT; where
    there is no clock, products a cycle and LUT. mhz, mhz_median: of the placings. A figure that the target has not is
    None, and is not in the file.
    """

    checked: Whole
    relative_error: Amount
    luts: Whole | None = None
    carries: Count | None = None
    ffs: Count | None = None
    memories: Count | None = None
    dsps: Count | None = None
    mhz: Positive | None = None
    mhz_median: Positive | None = None
    per_lut: Positive | None = None
    gates: Positive | None = None
    per_product: Positive | None = None
    toggles_per_product: Positive | None = None
    nets: Whole | None = None
    flip_flops: Count | None = None
    products: Whole | None = None


CLOCK = {"mhz", "mhz_median", "per_lut"}
FIGURES = tuple(name for name in DesignRow.__struct_fields__ if name not in Description.__struct_fields__)


def failure_of(design: Description, error: str) -> Failure:
    """The design as one that could not be measured."""
    return Failure(**structs.asdict(design), error=error)


def row_of(design: Description, **figures: Any) -> DesignRow:
    """The design's row with these figures."""
    return DesignRow(**structs.asdict(design), **figures)


def columns_of(row: DesignRow) -> dict[str, object]:
    """A row's columns by name, without the figures that its target has not."""
    return msgspec.to_builtins(row)


def check_description(row: Description) -> None:
    """Raises ValueError for a unit or a target that there is not."""
    for what, value, allowed in (("unit", row.unit, UNITS), ("target", row.target, TARGETS)):
        if value not in allowed:
            raise ValueError(f"{what} is {value!r}; allowed: {', '.join(allowed)}")


def check_row(row: DesignRow) -> None:
    """Raises ValueError unless the figures are those of the row's target."""
    check_description(row)
    target = row.target
    figures = {name for name in FIGURES if getattr(row, name) is not None} - {"checked", "relative_error"}
    if target == ASIC:
        allowed = [{"gates"}]
    elif target == ENERGY:
        allowed = [{*Switching.__struct_fields__}]
    else:
        area = {*Area.__struct_fields__}
        allowed = [area, area | CLOCK] if target in PLACED else [area | {"per_lut"}]
    if figures not in allowed:
        raise ValueError(f"the row of {row.name} has other figures than {target} has: {', '.join(sorted(figures))}")


def check_rows(rows: Iterable[DesignRow]) -> None:
    """Raises ValueError unless the figures of every row are those of its target."""
    for row in rows:
        check_row(row)


class Measured(Struct, frozen=True, kw_only=True):
    """What a sweep or a report measured, and what failed."""

    rows: list[DesignRow]
    failures: list[Failure]


def check_measured(measured: Measured) -> None:
    """Raises ValueError for a row or a failure that cannot be, as `check_row` and `check_description` say."""
    check_rows(measured.rows)
    for failure in measured.failures:
        check_description(failure)


class Made(Struct, frozen=True, kw_only=True):
    """What a report's figures depend on beside the rows.

    tools: by version; placings: how often a design was placed; liberty: the file of cells, null for generic gates;
    frequency_mhz: what nextpnr is asked for.
    """

    tools: dict[Word, Word]
    placings: Whole = field(name="seeds")  # as records call it
    liberty: Line | None
    frequency_mhz: Positive


class Report(Measured, frozen=True, kw_only=True):
    """What a report measured and what it did not, all that its page is made of."""

    made: Made
    left_out: list[Description]


def check_report(report: Report) -> None:
    """Raises ValueError for a report with a row, a failure or a design left out that cannot be."""
    check_measured(report)
    for row in report.left_out:
        check_description(row)


ROW = Schema("measured row", DesignRow, format=2, check=check_row)
TABLE = Schema(
    "table of measured designs",
    Measured,
    format=2,
    remedy="make it again: `make sweep` writes it",
    megabytes=64,
    check=check_measured,
)
REPORT = Schema(
    "report on measured designs",
    Report,
    remedy="make it again: `make report` writes it",
    megabytes=64,
    check=check_report,
)
