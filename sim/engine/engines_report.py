"""Engines side by side, of one preset with other products, each with a network of its levels in it; and their page."""

from msgspec import Struct

from asq_model.common.records import Count, Line, Positive, Schema, Text, Whole, Width, Word
from asq_model.spec.mapping import GENERIC
from sim.engine.engine_area import EngineArea
from sim.engine.term_program import TermProgram

UNIFORM = "uniform-sign"
SERIAL_BITS = 2  # of a product that takes a weight bit by bit: −1, 0 or 1


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

    @property
    def serial(self) -> bool:
        """Whether a product takes a bit of a weight's magnitude a cycle."""
        return self.product_bits == SERIAL_BITS < self.weight_bits

    @property
    def cycles(self) -> float:
        """Cycles from one image to the next, on average."""
        return self.period / self.under_way

    @property
    def luts(self) -> int:
        """Look-up tables of the whole engine."""
        return self.area.total(self.lanes).luts

    @property
    def density(self) -> float:
        """Images a second, a MHz and a thousand LUTs."""
        return 1e6 / self.cycles / (self.luts / 1000)


class EnginesReport(Struct, frozen=True):
    """Engines for one FPGA family. preset: that of most rows. note: what else the page says, of the networks."""

    preset: Word
    family: Word
    rows: list[EngineRow]
    note: Text = ""


def check_rows(report: EnginesReport) -> None:
    """Raises ValueError for two rows of the same products."""
    seen = set()
    for row in report.rows:
        if products_of(row) in seen:
            raise ValueError(f"{products_of(row)} is there twice")
        seen.add(products_of(row))


ENGINES: Schema[EnginesReport] = Schema(
    "report on engines", EnginesReport, remedy="`asq-post engines` writes it", check=check_rows
)


def products_of(row: EngineRow) -> tuple[int, int, int, str, str]:
    """What the products of a row are, and the widths of its network."""
    return row.weight_bits, row.activation_bits, row.product_bits, row.unit, row.kind


def joined(earlier: EnginesReport | None, preset: str, family: str, rows: list[EngineRow]) -> EnginesReport:
    """Rows that were measured now beside those of an earlier report of the same FPGA family, the widest first."""
    before = earlier if earlier and earlier.family == family else EnginesReport(preset, family, [])
    known = {products_of(row): row for row in before.rows} | {products_of(row): row for row in rows}
    order = sorted(known, key=lambda key: (-key[0], -key[1], -key[2], key[3] != UNIFORM, key[3:]))
    return EnginesReport(before.preset, family, [known[key] for key in order], before.note)


def title_of(row: EngineRow) -> str:
    """The products of a row, as the page names them."""
    parts = [row.unit, row.kind, "bit by bit" if row.serial else "", "" if row.cells != GENERIC else "(generic)"]
    return " ".join(part for part in parts if part)
