"""An array of multipliers that holds a tile of weights: R activations in, R·C products, C sums out, every cycle.

Each column adds its R products to a partial sum that comes in, so that a longer dot product is several passes, each
with another tile. Activations are broadcast along their row, and what a product needs of one beside it (√2·a, 3·a) is
made once per row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from asq_model.common.errors import InputError, check_range
from asq_model.spec.mac import MacSpec
from asq_model.spec.mapping import GENERIC, check_mapped, product_stages, tree_steps

MAX_SIDE = 64
MAX_STAGES = 3
# Units whose product can be cut in stages: behind the selection, and behind the first shift or the adder.
# (`uniform-adders` could be cut in two, and gets larger and no faster.)
STAGED_UNITS = ("post", "post-exact", "post-three-halves", "pot", "apot", "e2m1", "uniform-sign", "uniform-shared")


@dataclass(frozen=True)
class ArraySpec:
    """An array with all its parameters. Raises InputError for a combination that cannot be.

    mac: what each product is; its `depth` sets the width of the sums, over all passes. stages: parts of a product, each
    but the last with a register behind it. fpga_family: whose own cells it is made of; generic: Verilog for any tool.
    """

    mac: MacSpec
    rows: int = 8
    columns: int = 8
    stages: int = 1
    fpga_family: str = GENERIC

    def __post_init__(self) -> None:
        check_mapped(self.fpga_family, self.mac, self.stages)
        check_range("rows", self.rows, 1, MAX_SIDE)
        check_range("columns", self.columns, 1, MAX_SIDE)
        check_range("stages", self.stages, 1, MAX_STAGES)
        if self.stages > 1 and self.unit not in STAGED_UNITS:
            allowed = ", ".join(STAGED_UNITS)
            raise InputError(f"stages is {self.stages} for unit {self.unit}; allowed: {allowed}", "stages")
        most = MAX_STAGES if self.mac.weight_bits > 3 else 1 if self.unit == "uniform-sign" else 2
        if self.stages > most:  # there is only one shift, or nothing to add
            bits = self.mac.weight_bits
            raise InputError(f"stages is {self.stages} for weights of {bits} bits; allowed: 4 and more", "stages")
        if self.mac.unit == "serial":
            why = "which takes several cycles a product; an array needs one that takes one"
            raise InputError(f"unit is serial, {why}", "unit")
        if self.mac.unit == "post-sorted":
            why = "whose terms come in an order of each column's own; an array broadcasts"
            raise InputError(f"unit is post-sorted, {why}", "unit")
        if self.mac.lanes > 1 or self.mac.shared or self.mac.gated:
            why = "an array shares along its rows and holds its signs"
            raise InputError(f"lanes, shared and gated are of units; {why}", "lanes", "shared", "gated")
        if self.mac.depth < self.rows:
            has = f"depth is {self.mac.depth} and rows is {self.rows}"
            raise InputError(f"{has}; allowed: a depth of at least the rows", "depth", "rows")

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> "ArraySpec":
        """The array of the parameters that `dataclasses.asdict` makes of one."""
        sizes = {name: value for name, value in parameters.items() if name != "mac"}
        return cls(MacSpec(**parameters["mac"]), **sizes)

    @property
    def unit(self) -> str:
        """The unit that makes the products."""
        return self.mac.unit

    @property
    def name(self) -> str:
        """Name of the module and of its files."""
        stages = f"_s{self.stages}" if self.stages > 1 else ""
        family = "" if self.fpga_family == GENERIC else f"_{self.fpga_family}"
        return self.mac.name.replace("_mac_", f"_array{self.rows}x{self.columns}_") + stages + family

    @property
    def interval(self) -> int:
        """Cycles from one vector of activations to the next at full rate."""
        return 1

    @property
    def latency(self) -> int:
        """Cycles from accepting activations to offering their sums.

        A register for them, and those of a column; one more where √2·a is the sum of two tables.
        """
        return 1 + self.mac.splits_root + self.column_latency

    @property
    def column_latency(self) -> int:
        """Cycles from a column's activations in registers to its sum: one per stage of the products, one per level of
        the tree, one for the sum.
        """
        levels = len(tree_steps(self.fpga_family, self.mac, self.rows))
        return product_stages(self.fpga_family, self.mac, self.stages) + levels + 1

    @property
    def sum_widths(self) -> dict[str, int]:
        """Bits of a column's sums, as `mac` has them."""
        return self.mac.sum_widths

    @property
    def result_widths(self) -> list[int]:
        """Bits of the sums in one result word, a column's side by side, the first lowest."""
        return [*self.sum_widths.values()] * self.columns

    def compute_sums(self, codes: np.ndarray, activations: np.ndarray) -> dict[str, np.ndarray]:
        """Compute what one pass adds to each sum, int64 [..., C], of codes [R, C] and activation values [..., R].

        Raises InputError for codes and activations that do not fit.
        """
        codes, patterns = self.mac.check_codes(codes), self.mac.find_patterns(activations)[..., None]
        if codes.shape != (self.rows, self.columns) or patterns.shape[-2:-1] != (self.rows,):
            shapes = f"weight codes {codes.shape} and activations {patterns.shape[:-1]}"
            raise InputError(f"{shapes} for an array of {self.rows} x {self.columns}")
        tables = {"sum": self.mac.products} if self.unit != "post-exact" else {}
        tables = tables or {"even": self.mac.even_products, "odd": self.mac.odd_products}
        return {name: table[codes, patterns].sum(-2) for name, table in tables.items()}
