"""Products and sums of an array out of an FPGA family's own cells."""

from pathlib import Path

from asq_model.spec.array import ArraySpec
from asq_model.spec.mapping import GENERIC


def cell_models(spec: object) -> list[Path]:
    """Verilog to simulate a unit with beside its own: models of the cells that it is made of, if it is mapped."""
    if not isinstance(spec, ArraySpec) or spec.fpga_family == GENERIC:
        return []
    return [Path(__file__).with_name(f"{spec.fpga_family}.v")]
