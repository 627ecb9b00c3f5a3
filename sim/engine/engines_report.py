"""Engines side by side, with other products, each with a network of its levels in it: their rows and their record."""

from statistics import median

from msgspec import Struct

from asq_model.common.records import Count, Line, Positive, Schema, Text, Whole, Width, Word
from asq_model.spec.mapping import GENERIC
from hw.engine.presets import find_device_preset, presets
from sim.engine.engine_area import EngineArea
from sim.engine.term_program import TermProgram
from sim.measure.yosys_area import Area

UNIFORM = "uniform-sign"
RowKey = tuple[str, int, int, int, str, str]  # what tells rows apart: preset, widths, products
SERIAL_BITS = 2  # of a product that takes a weight bit by bit: −1, 0 or 1


class PlacedEngine(Struct, frozen=True):
    """A whole engine on its device: its cells, and the clocks in MHz that it reaches, one for each seed of placing."""

    area: Area
    clocks: list[Positive]

    @property
    def megahertz(self) -> float:
        """The median of its clocks."""
        return median(self.clocks)


class EngineRow(Struct, frozen=True):
    """An engine with a network in it.

    weight_bits, activation_bits: of the network's inner layers. product_bits: of a weight in a product; where they
    are fewer, a weight takes several, one after the other. products: of the lanes. cells: the family whose own
    cells they are made of. period: cycles for `under_way` images. latency: of an image that is alone, in cycles.
    busy: the share of the products' cycles that are the network's own products, or parts of them. blocks: of
    memory. simulated: images that went through its RTL without a difference to the graph. right: of the `tested`
    images of the test set, in the graph that the engine is compared with. first_layer, any_first_layer: cycles of a
    tile of the first layer, and those that any weights of 8 bits would take there on an image of three channels.
    other_blocks: of the memories that are no copies of codes. programs: the same network as programs of terms.
    placed: where open tools placed the engine on its device. switching: of multiplying a weight, by
    `measure_product_switching`; None where it was not measured.
    """

    network: Line
    preset: Word
    unit: Word
    product_bits: Width
    weight_bits: Width
    activation_bits: Width
    kind: Line
    cells: Word
    products: Whole
    lanes: Whole
    period: Whole
    under_way: Whole
    latency: Whole
    busy: Positive
    area: EngineArea
    blocks: Count
    simulated: Count
    right: Count
    tested: Whole
    first_layer: Whole
    any_first_layer: Whole
    other_blocks: Count
    programs: list[TermProgram]
    placed: PlacedEngine | None = None
    switching: Positive | None = None

    @property
    def family(self) -> str:
        """The FPGA family of the preset's device."""
        return find_device_preset(self.preset).family

    @property
    def serial(self) -> bool:
        """Whether a product takes a bit of a weight's magnitude a cycle."""
        return self.product_bits == SERIAL_BITS < self.weight_bits

    @property
    def cycles(self) -> float:
        """Cycles from one image to the next, on average."""
        return self.period / self.under_way

    @property
    def total(self) -> Area:
        """Cells of the whole engine: as it was placed, or else as its parts were counted."""
        return self.placed.area if self.placed else self.area.total(self.lanes)

    @property
    def luts(self) -> int:
        """Look-up tables of the whole engine."""
        return self.total.luts

    @property
    def density(self) -> float:
        """Images a second, a MHz and a thousand LUTs."""
        return 1e6 / self.cycles / (self.luts / 1000)

    @property
    def placed_rate(self) -> float | None:
        """Images a second at the clock that was measured; None where the engine was not placed."""
        return self.placed.megahertz * 1e6 / self.cycles if self.placed else None

    @property
    def placed_density(self) -> float | None:
        """Images a second and a thousand LUTs, at the clock that was measured; None where it was not placed."""
        return None if self.placed_rate is None else self.placed_rate / (self.luts / 1000)


class EnginesReport(Struct, frozen=True):
    """Engines side by side, those for the largest devices first. note: what else the page says, of the networks."""

    rows: list[EngineRow]
    note: Text = ""


def check_rows(report: EnginesReport) -> None:
    """Raises ValueError for two rows of the same preset and products, and InputError for a preset without a device."""
    seen = set()
    for row in report.rows:
        if row.placed and not row.placed.clocks:
            raise ValueError(f"{key_of(row)} is placed without a clock")
        if key_of(row) in seen:
            raise ValueError(f"{key_of(row)} is there twice")
        seen.add(key_of(row))


ENGINES: Schema[EnginesReport] = Schema(
    "report on engines", EnginesReport, remedy="`asq-post engines` writes it", check=check_rows
)


def key_of(row: EngineRow) -> RowKey:
    """The preset of a row, the widths of its network, and what its products are."""
    return row.preset, row.weight_bits, row.activation_bits, row.product_bits, row.unit, row.kind


def place_of(row: EngineRow) -> tuple[int | bool | str, ...]:
    """Where a row stands in a report: large devices first, then wide weights, then uniform ones."""
    families = [preset.family for preset in presets().values()]
    size = families.index(row.family)
    return -size, -row.weight_bits, -row.activation_bits, -row.product_bits, row.unit != UNIFORM, *key_of(row)


def join_rows(earlier: EnginesReport | None, rows: list[EngineRow]) -> EnginesReport:
    """Rows that were measured now beside those of an earlier report."""
    before = earlier or EnginesReport([])
    known = {key_of(row): row for row in before.rows} | {key_of(row): row for row in rows}
    return EnginesReport(sorted(known.values(), key=place_of), before.note)


def title_of(row: EngineRow, preset: str) -> str:
    """The products of a row, as a table names them whose rows are of a preset if they do not say another."""
    parts = [row.unit, row.kind, "bit by bit" if row.serial else "", "" if row.cells != GENERIC else "(generic)"]
    return " ".join(part for part in (*parts, "" if row.preset == preset else f"on {row.preset}") if part)
